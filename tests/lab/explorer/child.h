/*
 * child: runs happen in a child process, which may die of them.
 *
 * What it found is in memory that the parent shares: even of a child that was
 * killed the decisions are known, up to the last.
 */
#ifndef EXPLORE_CHILD_H
#define EXPLORE_CHILD_H

#include "engine.h"
#include "schedule.h"
#include "trace.h"

struct ex_report {
    bool failed;
    bool complete;
    bool cut_at_limit;
    long schedules;
    long states;
    struct ex_failure failure;
    struct ex_spent spent;
    struct ex_schedule made;
    struct ex_trace trace;
    volatile long beat; /* changes whenever a thread goes on */
};

/* Shared memory for a report. NULL for want of memory. */
struct ex_report *ex_report_make(void);
void ex_report_free(struct ex_report *report);

/* Does `work` in a child, and sees to it that the report is filled in. 0, or a
 * negative errno: there is no child. */
int ex_child_do(struct ex_report *report,
                void (*work)(struct ex_report *report, void *context),
                void *context);

/* In the child, or without one: what a crash does from now on is to fail the
 * run. */
void ex_child_guard(struct ex_report *report);

/* After a failed run: writes down how. */
void ex_report_failure(struct ex_report *report);

/* A sign of life. */
void ex_child_beat(void);

#endif
