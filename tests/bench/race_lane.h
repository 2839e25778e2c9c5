/*
 * race_lane: one of the three in a race: its process, what its requests are
 * doing, and its figures.
 *
 * Memory, threads and switches are looked at from outside; steps and bytes
 * held come from its trace. Nothing blocks but lane_end, for as long as an
 * ending program takes.
 */
#ifndef TRIPTYCH_RACE_LANE_H
#define TRIPTYCH_RACE_LANE_H

#include "measure.h"
#include "race_tail.h"
#include "race_work.h"

#include <limits.h>

enum lane_phase { LANE_TO_COME, LANE_RUNNING, LANE_ENDED };

struct race_lane {
    const char *model;
    enum lane_phase phase;
    struct watch watch;
    struct measure measure; /* complete once it has ended */
    struct tail tail;
    unsigned long switches; /* so far */

    /* Nobody else's: */
    struct measure_setting setting;
    char errors[PATH_MAX]; /* file: its standard error */
    double next_switches;
};

/* What is the same for all three. */
struct race_task {
    const struct race_work *work;
    unsigned requests;
    unsigned jobs;
    const char *fetchers; /* directory of the programs */
    const char *list;     /* file of URLs */
    const char *scratch;  /* directory for files */
};

/* Prepares a lane. 0 or a negative errno. */
int lane_open(struct race_lane *lane, const char *model,
              const struct race_task *task);

/* Starts its program. 0 or a negative errno. */
int lane_start(struct race_lane *lane, const struct race_task *task);

/* Seconds since its start, or how many it took; 0 before. */
double lane_seconds(const struct race_lane *lane);

/* Does what is due, and takes what the trace tells. Returns how many
 * milliseconds there are until something is due again. */
int lane_due(struct race_lane *lane);

/* Reads its output, which must be readable; ends the lane at its end. 0 or a
 * negative errno. */
int lane_read(struct race_lane *lane);

/* Kills its program, if it runs, with all children. */
void lane_kill(struct race_lane *lane);

/* True if it ended, but not well. */
bool lane_failed(const struct race_lane *lane);

/* The first line that its program wrote to standard error; "" if none. */
void lane_complaint(const struct race_lane *lane, char *line, size_t size);

/* Frees it. Kills its program if it runs. */
void lane_close(struct race_lane *lane);

#endif
