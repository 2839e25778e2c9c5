/*
 * Mistake 71: the first failure does not cancel the others
 * Lab: coroutines
 * File: evloop/coroutines/group.c
 * Caught by: the_first_failure_ends_it
 *
 * Symptom: when one of ten fetches fails the error comes out when the slowest
 * of the others is done: minutes later, though nobody wants their results.
 */

static void leave(struct member *m, int result)
{
    struct coroutine_group *group = m->group;
    *(m->previous != NULL ? &m->previous->next : &group->first) = m->next;
    if (m->next != NULL)
        m->next->previous = m->previous;
    free(m);
    if (result < 0 && result != -ECANCELED)
        group->error = group->error != 0 ? group->error : result;
    if (group->first == NULL)
        condition_wake_all(&group->left);
}
