/*
 * report: the outcomes, put back into the order of input.
 *
 * Requests end in any order. The report holds each finished job until all
 * earlier ones are finished too, then writes its line and frees it. So it
 * also knows whose turn it is on standard output: the first that is not
 * finished. It never allocates: a request's end cannot fail for memory.
 *
 * Not locked: the run does that.
 */
#ifndef TRIPTYCH_REPORT_H
#define TRIPTYCH_REPORT_H

#include "jobs.h"

#include <stdint.h>
#include <stdio.h>

struct report {
    FILE *file;        /* NULL without --report */
    uint64_t next;     /* the id of the first job not finished */
    struct job *first; /* finished ones that wait, by rising id */
    struct job *last;
    int error; /* the first one that writing met; a negative errno */
};

/* Opens FILE (NULL: none), writes the header line. 0 or a negative errno. */
int report_open(struct report *report, const char *file);

/* Takes a finished job over. */
void report_add(struct report *report, struct job *job);

/* Writes what is left and closes. 0, or the first error there was. */
int report_close(struct report *report);

#endif
