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

/* A check of a scenario: what failed, what that means, where to look. */
#define expect(condition, means, look, ...)                                   \
    explore_expect(condition, means, look, __VA_ARGS__)

/* Explores the scenario of that name; fails the test if one schedule fails.
 * `means` and `look` are said when a wake-up is lost in it: a thread waits, or
 * nobody can go on. NULL: what is said of any such failure. */
void explored(const struct explore_scenario *scenarios, const char *name,
              const char *means, const char *look);

/* Fails unless virtual time has stood still since the run began: every wait
 * ended because somebody was told, and not because its limit was met. */
void expect_no_time(void);

#endif
