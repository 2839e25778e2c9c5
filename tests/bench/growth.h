/*
 * growth: what more costs.
 *
 * A workload is run as it is, and with 2 and 4 times as many requests, and
 * with 2 and 4 times as many in flight. What was measured is taken for
 * a x factor^e; e, the exponent, is fitted. 0: it costs nothing; 1: twice as
 * much costs twice as much; what is beyond that is a finding.
 *
 * Runs that are larger are rows of a workload of another name: "small*2" has
 * twice the requests, "small^2" twice as many in flight.
 */
#ifndef TRIPTYCH_GROWTH_H
#define TRIPTYCH_GROWTH_H

#include "results.h"
#include "workload.h"

#include <stdbool.h>
#include <stdio.h>

enum growth { BY_REQUESTS, BY_JOBS, GROWTHS };

/* "by requests", "by limit (-j)". */
extern const char *const growth_names[GROWTHS];

/* The factors beside 1. */
#define GROWTH_FACTORS 2
extern const unsigned growth_factors[GROWTH_FACTORS];

/* So much more than linear is a finding. */
#define GROWTH_LINEAR 1.15

/* How many are in flight where it begins. 0: it is not to grow. */
unsigned growth_jobs(const struct workload *workload, bool quick);

/* Whether it can be made so many times as large. */
bool growth_can(const struct workload *workload, enum growth growth,
                unsigned jobs, unsigned factor);

/* The name of the workload in its rows. */
void growth_name(const char *workload, enum growth growth, unsigned factor,
                 char *name, size_t size);

/* The exponent; false where it was not measured. */
bool growth_fit(const struct results *results, const char *workload,
                enum growth growth, const char *program, enum column column,
                double *exponent);

/* The exponents of all models, in words for a terminal; nothing, if there are
 * none. */
void growth_print(FILE *out, const struct results *results,
                  const char *workload);

#endif
