/*
 * Mistake 74: an await among the last words
 * Lab: coroutines
 * File: evloop/coroutines/group.c
 * Caught by: nothing_is_touched_after_the_end
 *
 * Symptom: a program that starts groups in a loop crashes now and then, or one
 * of its groups ends at once with an error that was another's.
 */

static void leave(struct member *m, int result)
{
    struct coroutine_group *group = m->group;
    *(m->previous != NULL ? &m->previous->next : &group->first) = m->next;
    if (m->next != NULL)
        m->next->previous = m->previous;
    free(m);
    /* Whoever cleans up lets others have their turn. */
    if (group->first == NULL)
        condition_wake_all(&group->left);
    (void)await_others();
    if (result < 0 && result != -ECANCELED)
        group_end(group, result);
    if (group->first == NULL)
        condition_wake_all(&group->left);
}
