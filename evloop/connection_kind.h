/*
 * connection_kind: what a kind of connection does, and what it may use of the
 * connection and its owner. Kinds know this header, not connection.h: the
 * arrows lead from the machine (connection.c) to what it is made of.
 *
 * There are five: a bufferevent over a socket (tcp and http; socket.c), one
 * over TLS (https; secure.c), a plain event over a socket (datagrams;
 * datagram.c), one over a socket that is another library's (databases;
 * query.c), and a file, which a helper thread reads (diskfile.c). Their table
 * is in loop.c.
 */
#ifndef TRIPTYCH_CONNECTION_KIND_H
#define TRIPTYCH_CONNECTION_KIND_H

#include "helper.h"
#include "idle.h"
#include "lookup.h"
#include "net.h"
#include "stream.h"
#include "tls.h"
#include "trace.h"
#include "writer.h"

#include <event2/event.h>
#include <event2/event_struct.h>

struct connection_kind;

/* What all connections of one loop share. */
struct loop {
    struct event_base *base;
    struct idle idle;
    struct tls *tls;
    struct trace *trace;
    int64_t connect_timeout_us;
    const struct connection_kind *const *kinds; /* by enum scheme */
    char *chunk;                                /* to read into, */
    size_t chunk_size;                          /* ... at least LOOP_CHUNK */
    const struct sink *sink;                    /* NULL: nothing is saved */
    size_t number;                              /* which loop it is, from 0 */
    struct helper reader;                       /* of files, and ... */
    struct writer writer;      /* ... of those that are saved */
    uint64_t parcels;          /* chunks of files asked for */
    struct connection *closed; /* to be freed on the next turn */
    struct event reaper;
};

/* Read at once, at most; and, of all loops together, where nothing is kept of
 * it: a large body takes half the processor time (tests/bench/MEASURED.md). */
#define LOOP_CHUNK   ((size_t)64 * 1024)
#define LOOP_DROPPED ((size_t)512 * 1024)

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
    bool drained;       /* the last read left nothing in the socket */
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

struct connection_kind {
    bool looks_up; /* it is opened to the host's addresses, one by one */

    /* Begins to open it to the address; one that is not looked up, with NULL,
     * c->url's. When it is open connection_is_open is called, and when it
     * will not be, connection_address_failed: now or later. 0; or a negative
     * errno, and nothing is called. */
    int (*open)(struct connection *c, const struct addrinfo *address);

    /* Of those opened by socket_open: the socket is connected. */
    void (*dialled)(struct connection *c);

    /* In kinds without a stream: sends all of it. 0 or a negative errno. */
    int (*send)(struct connection *c, const void *p, size_t n);

    void (*pause)(struct connection *c);
    void (*resume)(struct connection *c);
    void (*read_arrived)(struct connection *c);

    /* NULL in kinds that are not kept: nothing is left in it, and it can go on
     * listening; nothing has come that was not asked for. */
    bool (*keep)(struct connection *c);
    bool (*is_quiet)(struct connection *c);

    /* Closes and frees what the kind has, be it open or not. */
    void (*drop)(struct connection *c);
};

extern const struct connection_kind socket_kind, secure_kind, datagram_kind,
    query_kind, diskfile_kind;

/* --- What a kind tells the connection; in connection.c ------------------- */

/* True while the owner wants what comes. */
bool connection_is_readable(const struct connection *c);

/* The address at hand will not do, says a negative errno: the next one, or the
 * end. */
void connection_address_failed(struct connection *c, int error);

/* Has the event called at c->limit, if nothing calls it before; or a little too
 * soon, for libevent's clock lags behind. 0 or -ENOMEM. */
int connection_set_limit(struct connection *c);

/* It is open: the owner is told. */
void connection_is_open(struct connection *c);

/* If the connection is idle, whatever has come was not asked for, be it bytes
 * or the end: closes it, and is true. */
bool connection_drop_idle(struct connection *c);

#endif
