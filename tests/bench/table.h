/*
 * table: the results on a terminal, and what they say in words.
 */
#ifndef TRIPTYCH_TABLE_H
#define TRIPTYCH_TABLE_H

#include "results.h"
#include "workload.h"

#include <stdio.h>

/* A workload's table: a row for each program, medians of all rounds, with the
 * range of the wall time. */
void table_print(FILE *out, const struct results *results,
                 const struct workload *workload);

/* The programs that were measured there, in the order of their rows. Returns
 * how many. */
size_t table_programs(const struct results *results, const char *workload,
                      unsigned jobs, const char *programs[], size_t most);

/* What is compared in words, in this order. */
struct table_measure {
    enum column column;
    const char *name;
};

#define TABLE_MEASURES 3

extern const struct table_measure table_measures[TABLE_MEASURES];

/* What was really in flight, by Little's law: the rate times the mean time of
 * each. The law always holds; the limit (-j) is what was allowed. */
struct summary table_in_flight(const struct results *results,
                               const char *workload, unsigned jobs,
                               const char *program);

/* The parts of what a program takes while all its requests wait, in the order
 * in which they are stacked; see held.h. */
#define TABLE_PARTS 4

extern const struct table_measure table_parts[TABLE_PARTS];

/* How many decimals a figure is worth: three digits or so, and none for what
 * was counted. */
int table_decimals(double value);

/* What was asked of the program, in words: "2000 requests, 100 in flight; the
 * ideal: 2.00 s". */
void table_heading(const struct results *results, const char *workload,
                   unsigned jobs, const char *program, char *out, size_t size);

/* Who served the workload, if anybody did and the file says it. */
bool table_server(const struct results *results,
                  const struct workload *workload, char *out, size_t size);

/* "failed in 3 of 5 rounds: status 8, 0 of 4000 requests done"; empty if it
 * never did. */
void table_failure(const struct results *results, const char *workload,
                   unsigned jobs, const char *program, char *out, size_t size);

/*
 * The verdict on the models in one measure (less is better, as in
 * C_WALL): "evloop least; threads 1.31 (1.22-1.40) times as much; processes no
 * difference"; or "no difference" alone. Empty when there are not two to be
 * compared. Runs that failed have no part in it; a model of which all failed is
 * named so.
 */
void table_verdict(const struct results *results, const char *workload,
                   unsigned jobs, enum column column, char *out, size_t size);

/* The verdict where programs are killed: "threads 61 of 2000 (58-70); ...". */
void table_completed(const struct results *results, const char *workload,
                     unsigned jobs, char *out, size_t size);

/* What has changed between two files of results, beyond the spread of each. */
void table_compare(FILE *out, const struct results *before,
                   const struct results *after);

/* The line on the terminal that says what is being run; only there. */
void progress_show(const char *workload, unsigned jobs, const char *program,
                   unsigned round, unsigned rounds);
void progress_clear(void);

/* A message on standard error, in its place. */
void progress_tell(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

#endif
