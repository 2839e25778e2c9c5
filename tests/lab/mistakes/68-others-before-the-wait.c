/*
 * Mistake 68: the others have their turn between the look and the wait
 * Lab: coroutines
 * File: evloop/coroutines/group.c
 * Caught by: waits_for_all
 *
 * Symptom: a group whose last member ends quickly is awaited for ever: the
 * program does nothing, and does not end. With slow members it never happens.
 */

int await_group(struct coroutine_group *group, int64_t deadline)
{
    while (group->first != NULL && group->error == 0) {
        /* Be polite: they may have something to do. */
        (void)await_others();
        int error = await_condition(&group->left, deadline);
        if (error != 0)
            group_end(group, error);
    }
    /* They are to end; this is waited for whatever comes. */
    coroutine_shield();
    while (group->first != NULL)
        (void)await_condition(&group->left, COROUTINE_NEVER);
    coroutine_unshield();
    return group->error;
}
