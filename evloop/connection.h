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
 * Nothing here waits. A connection belongs to its loop's thread.
 */
#ifndef TRIPTYCH_CONNECTION_H
#define TRIPTYCH_CONNECTION_H

#include "idle.h"
#include "lookup.h"
#include "net.h"
#include "reader.h"
#include "stream.h"
#include "tls.h"
#include "trace.h"
#include "writer.h"

#include <event2/event.h>
#include <event2/event_struct.h>

/* What all connections of one loop share. */
struct loop {
    struct event_base *base;
    struct idle idle;
    struct tls *tls;
    struct trace *trace;
    int64_t connect_timeout_us;
    const struct connection_kind *const *kinds; /* by enum scheme */
    char *chunk;               /* LOOP_CHUNK bytes, to read into */
    const struct sink *sink;   /* NULL: nothing is saved */
    size_t number;             /* which loop it is, from 0 */
    struct reader reader;      /* of files, and ... */
    struct writer writer;      /* ... of those that are saved */
    struct connection *closed; /* to be freed on the next turn */
    struct event reaper;
};

/* Read at once, at most. */
#define LOOP_CHUNK ((size_t)64 * 1024)

/* Prepares a loop that has its base, tls, trace, sink, number and
 * connect_timeout_us; these are the caller's. 0 or a negative errno. */
int loop_open(struct loop *loop, size_t idle_limit);

/* Closes the idle connections and frees what is left. */
void loop_close(struct loop *loop);

/* Their halves that are about connections. */
int connections_open(struct loop *loop, size_t idle_limit);
void connections_close(struct loop *loop);

/* The user of a connection. `arg` is passed to each. */
struct connection_owner {
    void (*connected)(void *arg);
    /* No address could be connected to; `cause` lives until the return. */
    void (*failed)(void *arg, enum result result, const char *cause);
    /* `n` bytes have come; they are gone on return. */
    void (*readable)(void *arg, const char *p, size_t n);
    /* The peer has closed (0), or the connection is broken (a negative
     * errno, or one of tls.h); what had come before was passed to
     * `readable`. While paused, it is not told. */
    void (*ended)(void *arg, int error);
};

enum connection_state { RESOLVING, CONNECTING, SECURING, OPEN, CLOSED };

struct connection_kind; /* see connection_kind.h */

struct connection {
    struct idle_node node; /* first, so that one is the other */
    struct loop *loop;
    enum connection_state state;
    const struct connection_owner *owner; /* NULL: idle or closed */
    void *arg;
    const struct connection_kind *kind;
    struct bufferevent *bev;
    struct ssl_st *tls;        /* NULL: none */
    struct stream *stream;     /* the writing side, once OPEN; NULL: not a
                              * bufferevent */
    int fd;                    /* of datagrams; -1: none */
    struct database *database; /* NULL: none */
    int64_t limit;             /* ... on connecting to its address */
    struct reading *reading;   /* of a file */
    const struct url *url;     /* the owner's; until it is open, then NULL */
    const struct lane *lane;   /* ... for whom it is read */
    bool held;                 /* a chunk of it waits until we are resumed */
    bool paused;
    bool has_end;       /* the end has come, perhaps while paused ... */
    int end;            /* ... and was this: 0 or an error, as of `ended` */
    struct event event; /* the name is looked up; or the limit on connecting
                         * to one address is over; or, of datagrams and
                         * databases: something has arrived. (One at a time:
                         * so 128 bytes, and not three times that.) */
    bool late;          /* the limit is over; what has arrived is looked at */
    struct lookup *lookup;          /* until it is open: has the addresses */
    unsigned tried;                 /* addresses to pass over */
    const struct addrinfo *address; /* the one being tried */
    struct net_failure failure;     /* of those before it */
    struct connection *next;        /* in loop->closed */
};

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
