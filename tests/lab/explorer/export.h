/*
 * export: all states and steps of a scenario, as JSON, for a page on which the
 * reader is the scheduler (slides/scheduler).
 *
 * A node is a state between two steps, known by its hash; an edge, a step that
 * can be taken there, and what the program did in it. The search calls the
 * first two while it walks; so the graph is what it saw, failing ends and all.
 *
 *     {"scenario": "closing", "complete": true,
 *      "threads": ["main", "taker"],       by number; the newest name
 *      "places": ["queue.c:58 queue_take", ...],
 *      "stands": [["lock lock", 3, [1], "can", []], ...],
 *           what it does next or waits for; the place of that; of its callers,
 *           the outermost first; can, waits or ended; what it holds
 *      "values": [[["length", "1"]], ...],     of explore_value
 *      "steps": [[[1, "lock lock", 3]], ...],  thread, what, place
 *      "ends": [["deadlock", "nobody can run ...", null, null], ...],
 *           kind, message, what it means, where to look
 *      "nodes": [[[0, 4], 0, [["run", 1, [], 0, 1], ["run", 2, [], 5, -1]]]]}
 *           stands; values; edges: how, thread, values that were chosen
 *           within, steps, the node that comes, or -1 - n for ends[n]
 *
 * A number of an array is an index into the array of that name; a place is
 * null where there is none.
 */
#ifndef EXPLORE_EXPORT_H
#define EXPLORE_EXPORT_H

#include "engine.h"

#include <stdio.h>

/* From now on what is walked is kept; again: all is forgotten. */
void ex_export_begin(void);

/* Nothing is kept any more. */
void ex_export_end(void);

/* Called by the search: the run is in this state, between two steps; this is
 * what it goes on with. */
void ex_export_came(uint64_t state);
void ex_export_goes(const struct ex_option *option);

/* A run has ended. */
void ex_export_ended(enum ex_end end);

/* More nodes than can be of use; or no memory. */
bool ex_export_full(void);

/* 0, or a negative errno. */
int ex_export_print(FILE *out, const char *scenario, bool complete);

#endif
