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
    C_CALLS,  /* system calls a request */
    C_SERVED, /* requests that the server counted */
    C_MEAN,
    C_CPU,    /* user and system */
    C_STACKS, /* bytes of the kernel's for it, as the next two: see held.h */
    C_TABLES,
    C_SOCKETS,
    COLUMNS
};

struct row {
    char workload[24];
    char program[24];
    unsigned jobs;
    unsigned round;
    double values[COLUMNS];
};

/* True if not every request was done, or the program says that it failed. Such
 * a run's times say nothing. */
bool row_failed(const struct row *row);

struct results {
    struct row *rows;
    size_t count;
    size_t size;
    char machine[12000]; /* the file's first lines, each with a "# " */
};

/* 0 or -ENOMEM. */
int results_add(struct results *results, const struct row *row);
void results_free(struct results *results);

void results_write_head(FILE *file, const char *machine);
void results_write_row(FILE *file, const struct row *row);

/* Reads what these two have written, now or when there were fewer columns. 0;
 * or a negative errno, -EINVAL when it is something else. */
int results_read(struct results *results, const char *path);

/* The key of the line that names the server of a workload, before its name. */
#define RESULTS_SERVER "server of "

/* Copies what the file's first lines say of the key; false: nothing. */
bool results_note(const struct results *results, const char *key, char *out,
                  size_t size);

struct summary {
    double median;
    double least;
    double most;
    size_t rounds;
};

/* Over the rounds of one program; rounds is 0 where there are none. Runs that
 * failed are left out, but in the columns that say so: C_STATUS to C_BYTES. */
struct summary results_summary(const struct results *results,
                               const char *workload, unsigned jobs,
                               const char *program, enum column column);

/* The ratio a/b in each round that both have: medians and spread. Rounds are
 * interleaved, so what slows the machine down slows both. */
struct summary results_ratio(const struct results *results,
                             const char *workload, unsigned jobs,
                             const char *a, const char *b, enum column column);

/* How many runs there were of one program, and what became of them. */
struct outcome {
    size_t runs;
    size_t failed;
    double status;   /* of the first run that failed */
    double ok;       /* ... and so many of its requests were done ... */
    double requests; /* ... of so many */
};

struct outcome results_outcome(const struct results *results,
                               const char *workload, unsigned jobs,
                               const char *program);

/* A difference is one that every round shows, and that two decimals show. */
bool summary_differs(const struct summary *ratio);

#endif
