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

/* Shrinks `schedule`, which fails with `kind`. Each try is made in a child. 0
 * or a negative errno. */
int ex_shrink(struct ex_task *task, enum explore_kind kind,
              struct ex_schedule *schedule);

#endif
