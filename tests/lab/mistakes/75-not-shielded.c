/*
 * Mistake 75: the wait for those who clean up can be cancelled itself
 * Lab: coroutines
 * File: evloop/coroutines/group.c
 * Caught by: a_cancelled_group_waits_all_the_same
 *
 * Symptom: interrupted in the wrong moment the program does not end, and takes
 * all of a processor.
 */

int await_group(struct coroutine_group *group, int64_t deadline)
{
    while (group->first != NULL && group->error == 0) {
        int error = await_condition(&group->left, deadline);
        if (error != 0)
            group_end(group, error);
    }
    /* They are to end; this is waited for whatever comes. */
    while (group->first != NULL)
        (void)await_condition(&group->left, COROUTINE_NEVER);
    return group->error;
}
