/*
 * plot: pictures for the report: SVG that stands in the page.
 *
 * Plots are made by gnuplot; where that is not installed they say so. The text
 * takes the page's colour, so that they fit light and dark.
 */
#ifndef TRIPTYCH_PLOT_H
#define TRIPTYCH_PLOT_H

#include "results.h"
#include "workload.h"

#include <stdio.h>

/* A bar for each program: the median of a column, over `unit`, and the range
 * of all rounds. */
void plot_bars(FILE *out, const struct results *results, const char *workload,
               unsigned jobs, enum column column, const char *title,
               double unit);

/* Requests a second over requests in flight, on logarithmic axes, and Little's
 * law. */
void plot_knee(FILE *out, const struct results *results,
               const struct workload *workload);

/* The steps of a run, from its trace: a lane for each worker. */
void plot_waterfall(FILE *out, const char *trace, const char *title);

/* What each takes while all wait, its parts one behind the other. */
void plot_held(FILE *out, const struct results *results, const char *workload,
               unsigned jobs);

#endif
