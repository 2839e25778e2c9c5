/*
 * explored: a scenario under every schedule that matters, as a test.
 *
 * The scenario is run under all schedules with at most two preemptions, each
 * with and without a wake-up for nothing; then under some hundred with random
 * priorities. The first that fails is shrunk, and printed as a table.
 */
#ifndef TRIPTYCH_EXPLORED_H
#define TRIPTYCH_EXPLORED_H

#include "explore.h"
#include "lab.h"

/* What is said when the scenario fails. */
struct hint {
    const char *means;
    const char *look;
};

/* Explores the scenario of that name; fails the test if one schedule fails.
 * `usual` is for every kind of failure; `hints`, if not NULL, has better ones
 * by kind, as hints[EXPLORE_DEADLOCK]. */
void explored(const struct explore_scenario *scenarios, const char *name,
              struct hint usual, const struct hint *hints);

#endif
