/* task: what is explored, with all options decided; and the work that a child
 * does. */
#ifndef EXPLORE_TASK_H
#define EXPLORE_TASK_H

#include "child.h"

struct ex_task {
    const struct explore_scenario *scenario;
    struct explore_options options; /* none is left to its default */
    /* For a repetition. */
    const struct ex_schedule *schedule;
    bool strict;
    bool traced;
    const void *places[2]; /* accesses there are steps of the trace */
};

/* What an option really is: the caller's, the scenario's or the default. */
void ex_task_decide(struct ex_task *task,
                    const struct explore_scenario *scenario,
                    const struct explore_options *options);

/* The work of a child (a struct ex_task as context): the whole search, until
 * something fails; one schedule. */
void ex_task_search(struct ex_report *report, void *task);
void ex_task_repeat(struct ex_report *report, void *task);

/* Likewise, but it goes on after a failure, and export.h keeps all of it. */
void ex_task_export(struct ex_report *report, void *task);

#endif
