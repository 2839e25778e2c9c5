/*
 * minimal_source: where a request of minimal.c gets its answer from: a
 * bufferevent over a socket, as libevent has it.
 *
 * What common/minimal_request.c does for the other minimal programs, by calls
 * that sleep, is done here by callbacks, which note what has happened. Only
 * the look-up sleeps, and the loop with it.
 */
#ifndef TRIPTYCH_MINIMAL_SOURCE_H
#define TRIPTYCH_MINIMAL_SOURCE_H

#include "minimal.h"

struct event_base;

struct minimal_source {
    struct minimal *m;
    struct exchange *x;
    struct bufferevent *bev;
    int ended; /* how it has, as for minimal_ended; -1: it has not */
};

/* Begins to connect to the exchange's host, and will send its request. Reads
 * then by itself, so much ahead of source_read. */
#define SOURCE_AHEAD 65536
void source_open(struct minimal_source *source, struct event_base *base,
                 struct minimal *m, struct exchange *x);

/* Takes at most MINIMAL_CHUNK bytes of what was read. When there are none, and
 * the connection has ended, the exchange is told. Returns how many. */
size_t source_read(struct minimal_source *source, char *chunk);

/* Closes it; does nothing if it is not open, that is, all zeroes. */
void source_close(struct minimal_source *source);

#endif
