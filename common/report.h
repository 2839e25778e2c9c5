/*
 * report: the outcomes, put back into the order of input.
 *
 * Requests end in any order. The report has a list of those that have begun,
 * in order of input, so it knows whose turn it is on standard output: the
 * first that is not finished. A finished one leaves the list at once; with
 * --report, only when all before it have left, for its row stands after
 * theirs. Behind one slow request the rows of the whole list would wait:
 * when too many do, no further request may begin.
 *
 *     1 slow <-> 2 finished <-> 3 in flight <-> 4 finished     next_id: 5
 *     the turn   its row waits                  its row waits
 *
 * Rows go into a spool, from which they are written without a lock.
 * Behind a reader that has stalled they stay in the list when the spool is
 * full.
 *
 * While its reader keeps up it allocates for no row but a very long one: a
 * request's end cannot fail for memory. Each call takes the same time, however
 * long the list is.
 *
 * Not locked, but for the spool: the run does that.
 */
#ifndef TRIPTYCH_REPORT_H
#define TRIPTYCH_REPORT_H

#include "jobs.h"
#include "spool.h"

#include <stdint.h>

/* The most rows that wait for those before them; or as many as there can be
 * requests in flight, if that is more. */
#define REPORT_ROWS 65536

/* Written at once, or more. */
#define REPORT_SHARE ((size_t)4096)

struct report {
    int fd; /* -1 without --report */
    struct spool spool;
    struct job *first; /* after it, by rising id, the others */
    struct job *last;
    struct job *turn; /* the first that is not finished; NULL: all are */
    size_t length;    /* of the list */
    size_t most;
    uint64_t next_id; /* the next to begin has this or a higher one */
};

/* Opens FILE (NULL: none), writes the header line; there can be `jobs`
 * requests in flight. 0 or a negative errno. */
int report_open(struct report *report, const char *file, size_t jobs);

/* True if no further request may begin before the first in line has ended. */
bool report_is_full(const struct report *report);

/* Notes a job that begins. Their ids rise; one that begins anew, after it was
 * given back, is in the list already. */
void report_begin(struct report *report, struct job *job);

/* The id of the first job that is not finished, begun or not. */
uint64_t report_turn(const struct report *report);

/* Takes a finished job over. */
void report_finish(struct report *report, struct job *job);

/* Moves rows that wait for nothing but room into the spool. True if there are
 * more. */
bool report_fill(struct report *report);

/* Frees and closes. What was not flushed is lost. 0, or the first error there
 * was. */
int report_close(struct report *report);

#endif
