/*
 * base: libevent's event_base, made as the options ask for.
 */
#ifndef TRIPTYCH_BASE_H
#define TRIPTYCH_BASE_H

#include "run.h"

struct event_base;

/* Prepares libevent, for several threads if `threads`. Called once. 0 or a
 * negative errno. */
int base_prepare(bool threads);

/* Makes a base that waits as --backend says. 0 or a negative errno. */
int base_open(struct event_base **base, const struct options *options);

/* The most requests that may be in flight with the backend: `limit`, or less,
 * which is said in a warning. */
size_t base_most(struct run *run, size_t limit);

#endif
