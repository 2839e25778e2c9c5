/*
 * Mistake 72: a group is left when it has been cancelled, not when its members have ended
 * Lab: coroutines
 * File: evloop/coroutines/group.c
 * Caught by: nothing_outlives_its_group
 *
 * Symptom: after an error files that were just being written are there half,
 * with garbage in them; now and then the program crashes in a coroutine of
 * which nobody knows any more.
 */

int await_group(struct coroutine_group *group, int64_t deadline)
{
    while (group->first != NULL && group->error == 0) {
        int error = await_condition(&group->left, deadline);
        if (error != 0)
            group_end(group, error);
    }
    /* All are cancelled: nothing is left to wait for. */
    return group->error;
}
