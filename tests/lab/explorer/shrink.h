/*
 * shrink: of a schedule that fails, a simpler one that fails in the same way.
 *
 * Simpler is, in this order: fewer preemptions; fewer wake-ups and time-outs
 * that nobody asked for; fewer switches; fewer steps. Turns are left out, made
 * as long as they can be, or moved together, for as long as that helps.
 */
#ifndef EXPLORE_SHRINK_H
#define EXPLORE_SHRINK_H

#include "task.h"

/* Shrinks `schedule`, which fails with this failure: what is left fails with
 * the same kind and message, under the limits of the search. Each try is made
 * in a child. 0 or a negative errno. */
int ex_shrink(struct ex_task *task, const struct ex_failure *failure,
              struct ex_schedule *schedule);

#endif
