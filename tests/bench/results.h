/*
 * results: what was measured, a row for each run, and what it comes to.
 *
 * results.tsv holds every run, and nothing is averaged away there. A summary
 * is of all rounds of one program at one workload with so many in flight.
 */
#ifndef TRIPTYCH_RESULTS_H
#define TRIPTYCH_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The columns with numbers, in their order in the file. -1: not known. */
enum column {
    C_STATUS,
    C_REQUESTS,
    C_OK,
    C_BYTES,
    C_WALL,
    C_IDEAL,
    C_RATE, /* requests/s */
    C_MBPS,
    C_P50,
    C_P90,
    C_P99,
    C_P999,
    C_MAX,
    C_USER,
    C_SYSTEM,
    C_PSS,
    C_THREADS,
    C_PROCESSES,
    C_FDS,
    C_VOLUNTARY,
    C_INVOLUNTARY,
    C_CALLS, /* system calls a request */
    COLUMNS
};

struct row {
    char workload[24];
    char program[24];
    unsigned jobs;
    unsigned round;
    double values[COLUMNS];
};

struct results {
    struct row *rows;
    size_t count;
    size_t size;
    char machine[4000]; /* the file's first lines, each with a "# " */
};

/* 0 or -ENOMEM. */
int results_add(struct results *results, const struct row *row);
void results_free(struct results *results);

void results_write_head(FILE *file, const char *machine);
void results_write_row(FILE *file, const struct row *row);

/* Reads what these two have written. 0; or a negative errno, -EINVAL when it
 * is something else. */
int results_read(struct results *results, const char *path);

struct summary {
    double median;
    double least;
    double most;
    size_t rounds;
};

/* Over the rounds of one program; rounds is 0 where there are none. */
struct summary results_summary(const struct results *results,
                               const char *workload, unsigned jobs,
                               const char *program, enum column column);

/* The ratio a/b in each round that both have: medians and spread. Rounds are
 * interleaved, so what slows the machine down slows both. */
struct summary results_ratio(const struct results *results,
                             const char *workload, unsigned jobs,
                             const char *a, const char *b, enum column column);

/* A difference is one that every round shows. */
bool summary_differs(const struct summary *ratio);

#endif
