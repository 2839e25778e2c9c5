/*
 * search: which schedule is next.
 *
 * Three ways to decide: walk through all (depth first), draw lots, or repeat.
 * Whichever it is, the decisions are written down in ex_search_made.
 */
#ifndef EXPLORE_SEARCH_H
#define EXPLORE_SEARCH_H

#include "engine.h"
#include "schedule.h"

/* The decisions of this run, or of the last one. */
extern struct ex_schedule *ex_search_made;

/* Called by the engine: the index of an option, or -1: stop this run. `last`
 * is who ran last; NULL if it is not a thread that is to be chosen. */
int ex_search_choose(const struct ex_option *options, int count, bool value,
                     const struct ex_thread *last);

/* All schedules. `states`: those that come to a state that was seen are cut
 * short. `bounded`: preemptions used up are part of a state. */
void ex_search_all(bool states, bool bounded);

/* Likewise, without a bound, and export.h keeps what is walked: states with
 * one way on are states, too. */
void ex_search_export(void);

/* The next of them. False: there is none. */
bool ex_search_next(void);

/* A run with random priorities which change `changes` times within about
 * `length` decisions. */
void ex_search_random(uint64_t seed, int changes, int length);

/* A run as written down. `strict`: what does not fit fails it; else it is left
 * out. */
void ex_search_repeat(const struct ex_schedule *schedule, bool strict);

/* A new run begins. */
void ex_search_begin(void);

#endif
