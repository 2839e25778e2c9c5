/*
 * loops: several event loops, for --loops.
 *
 * Each is a thread of its own, with connections and requests that no other
 * loop touches. It takes its jobs by itself, whenever it has a place. What
 * must be agreed on - who is in flight, whose turn it is, who gives way - is
 * one flight, and that, the jobs and a few flags are behind one lock that no
 * loop holds during I/O. Where one loop's doing concerns another, its bell is
 * rung: an event that other threads may make active.
 */
#ifndef TRIPTYCH_LOOPS_H
#define TRIPTYCH_LOOPS_H

#include "flight.h"
#include "run.h"

/* Runs `count` loops, or, with a warning, as many as can be had, until all is
 * done. 0; or a negative errno if there is not even one. */
int loops_run(struct run *run, struct flight *flight, size_t count);

#endif
