/*
 * group: coroutines that end together.
 *
 * A coroutine that is started and forgotten outlives the function that started
 * it, and its error is lost. A group (Python's TaskGroup, Trio's nursery)
 * is a block that ends when all of its coroutines have:
 *
 *     struct coroutine_group group;
 *     group_open(&group);
 *     error = group_start(&group, fetch, &first);
 *     error = group_start(&group, fetch, &second);
 *     error = await_group(&group, deadline);      // no coroutine is left
 *
 * - The first that fails - returns a negative errno - ends the group: the
 *   others are cancelled, and its error comes out of await_group, when they
 *   have cleaned up. (asyncio.gather leaves the others running.)
 * - So does the deadline, with -ETIMEDOUT; and the cancelling of the coroutine
 *   that awaits the group, with -ECANCELED. What came first counts.
 * - A member that was cancelled by itself, and says so by -ECANCELED, is no
 *   failure.
 * - A member may start further members, also while the group is awaited. If
 *   the group has been ended, they are cancelled from the start.
 * - A group within a group: a member has a group of its own. Cancelling the
 *   outer group cancels the member, and the inner group, which it awaits, ends
 *   first.
 *
 * A struct coroutine_group is the caller's memory: it lives on the stack of
 * the block that it stands for, and must be awaited before that returns.
 */
#ifndef TRIPTYCH_GROUP_H
#define TRIPTYCH_GROUP_H

#include "coroutine.h"

#ifdef __cplusplus
extern "C" {
#endif

struct member;

struct coroutine_group {
    struct member *first;
    struct condition left; /* the last member has, or the group is ended */
    int error;             /* why it was ended; 0: it was not */
};

void group_open(struct coroutine_group *group);

/* Has f(arg) run as a member. 0; or -ENOMEM and f is not called. */
int group_start(struct coroutine_group *group, int (*f)(void *arg), void *arg);

/* Ends the group: cancels all members; await_group will return the error, a
 * negative errno, unless another came first. */
void group_end(struct coroutine_group *group, int error);

/* Waits for all members to end, also for cancelled ones, as long as they take.
 * 0, or the error that ended the group. */
int await_group(struct coroutine_group *group, int64_t deadline);

#ifdef __cplusplus
}
#endif

#endif
