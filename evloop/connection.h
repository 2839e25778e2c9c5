/*
 * connection: where a response comes from, from looking up to closing.
 *
 * What libevent tells of it in several callbacks - the look-up's answer,
 * connected, readable, end, error, time-outs - comes out here as the calls of
 * struct connection_owner. None of them is made from inside connection_open,
 * and after connection_close none is made any more; the memory goes a turn of
 * the loop later, so either may be called from anywhere.
 *
 *     RESOLVING --> CONNECTING --> OPEN --> (idle, and OPEN again)
 *         |         | ^      |     ^ |
 *         |         | |      v     | |
 *         |         | |    SECURING  |
 *         |         | +----- | next  |
 *         |         +-+      | address
 *         v                  v       v
 *       failed <----- (none left)  ended
 *
 *     state        is left by
 *     RESOLVING    on_resolved
 *     CONNECTING   connection_is_open, connection_address_failed; secure.c
 *     SECURING     the same
 *     OPEN         connection_close, after the end or by the owner
 *
 * What a connection and its owner are, connection_kind.h says; here is what an
 * owner calls. Nothing here waits. A connection belongs to its loop's thread.
 */
#ifndef TRIPTYCH_CONNECTION_H
#define TRIPTYCH_CONNECTION_H

#include "connection_kind.h"

/* Prepares a loop that has its base, tls, trace, sink, number, chunk_size (0
 * will do) and connect_timeout_us; these are the caller's. 0 or a negative
 * errno. */
int loop_open(struct loop *loop, size_t idle_limit);

/* Closes the idle connections and frees what is left. */
void loop_close(struct loop *loop);

/* Their halves that are about connections. */
int connections_open(struct loop *loop, size_t idle_limit);
void connections_close(struct loop *loop);

/* Begins to connect to the URL's host, passing over the first `tried` of its
 * addresses; or to read the URL's file. `lane` is the owner's, of --trace.
 * NULL when memory is short. */
struct connection *connection_open(struct loop *loop, const struct url *url,
                                   unsigned tried,
                                   const struct connection_owner *owner,
                                   void *arg, const struct lane *lane);

/* An idle connection to the URL's origin, now with this owner. NULL: none. */
struct connection *connection_reuse(struct loop *loop, const struct url *url,
                                    const struct connection_owner *owner,
                                    void *arg);

/* The owner is done with it: keeps it for the next, or closes it if anything
 * is left in its buffers. */
void connection_keep(struct connection *c);

void connection_close(struct connection *c);

/* The owner's limit has passed while it was not open yet: true if another
 * address has failed in a more telling way, which the owner then is told. */
bool connection_tells_more(struct connection *c);

/* Sends all of a datagram, or a query: of a connection without a stream. 0 or
 * a negative errno. */
int connection_send(struct connection *c, const void *p, size_t n);

/* What an error that `ended` tells means, in words. */
const char *connection_cause(const struct connection *c, int error);

/* Stops reading from the peer, and goes on: back-pressure. Resuming may call
 * `readable` and `ended` at once. */
void connection_pause(struct connection *c);
void connection_resume(struct connection *c);

/* Reads what has arrived by now, without waiting, and not what arrives while
 * it does so; then its end, if that is here. */
void connection_read_arrived(struct connection *c);

/* Stops the program if the connection is not as drawn above. In release builds
 * it does nothing. */
void connection_check(const struct connection *c);

#endif
