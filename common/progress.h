/*
 * progress: what is counted while the run goes on, and the line that shows it.
 *
 * Only text is made here; the run writes it. Not locked: the run does that.
 */
#ifndef TRIPTYCH_PROGRESS_H
#define TRIPTYCH_PROGRESS_H

#include "result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    uint64_t finished;  /* with any result */
    uint64_t succeeded; /* with RESULT_OK */
    uint64_t bytes;     /* of bodies, as the destination took them */
    uint64_t kept;      /* ... but not of attempts before the last */
    uint64_t in_flight; /* these two: when the line is shown */
    uint64_t total;     /* 0: not known (an --input is still read) */

    int64_t shown_us;
    uint64_t shown_bytes;
};

/* Writes the line to `out`, ended by a NUL: at most 78 columns. `now` is used
 * to show the rate since the last time. */
void progress_line(struct progress *progress, char *out, size_t size,
                   int64_t now);

/* Writes the summary for after the run, without a line end. */
void progress_summary(const struct progress *progress, char *out, size_t size,
                      int64_t now);

#endif
