/*
 * page: report.html, one file that says it all: for each workload what it
 * shows, a plot with the spread drawn, the table and the verdict; the knee of
 * `latency` with Little's law; memory a connection; a waterfall of one real
 * run of each model. Light and dark, and without a script.
 */
#ifndef TRIPTYCH_PAGE_H
#define TRIPTYCH_PAGE_H

#include "results.h"

/* Writes DIRECTORY/report.html; the traces are taken from there. Plots are made
 * by gnuplot, if that is installed: else the page says so. 0 or a negative
 * errno. */
int page_write(const char *directory, const struct results *results);

#endif
