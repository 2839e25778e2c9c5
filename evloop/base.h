/*
 * base: libevent's event_base, made as the options ask for.
 */
#ifndef TRIPTYCH_BASE_H
#define TRIPTYCH_BASE_H

#include "run.h"

struct event;
struct event_base;

/* The priorities of events: a stop is seen before anything else is done. */
enum { BASE_FIRST, BASE_USUAL, BASE_PRIORITIES };

/* Prepares libevent, for several threads if `threads`. Called once. 0 or a
 * negative errno. */
int base_prepare(bool threads);

/* Makes a base that waits as --backend says. Its turns are short: after some
 * milliseconds it looks at its descriptors again, whatever is still to be
 * called, and what is BASE_FIRST is called before the rest. 0 or a negative
 * errno. */
int base_open(struct event_base **base, const struct options *options);

/* Has the event, which waits for no descriptor, called on the next turn of the
 * loop: after the loop has looked at all others. event_active would have it
 * called on this turn; a callback that does so to itself keeps the loop to
 * itself. Cannot fail. For the loop's thread. */
void base_next_turn(struct event *event);

/* The most requests that may be in flight with the backend: `limit`, or less,
 * which is said in a warning. */
size_t base_most(struct run *run, size_t limit);

#endif
