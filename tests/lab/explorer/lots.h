/*
 * lots: schedules with random priorities.
 *
 * Each thread has a random priority, and of those that can the one with the
 * highest goes on. At a few random moments the one that would go on becomes
 * the lowest. A bug that needs d such moments in a run of k steps with n
 * threads is met with a probability of at least 1 / (n * k^d): Burckhardt,
 * Kothari, Musuvathi and Nagarakatte, ASPLOS 2010.
 */
#ifndef EXPLORE_LOTS_H
#define EXPLORE_LOTS_H

#include "engine.h"

/* A new run. */
void ex_lots_begin(uint64_t seed, int changes, int length);

/* The index of an option. */
int ex_lots_choose(const struct ex_option *options, int count,
                   const struct ex_thread *last);

#endif
