/*
 * request: one request of the event loop, from connect to its body's end.
 *
 * A request is a struct that remembers how far it has come. Callbacks - the
 * connection's, the timer's, the stream's - translate what happened into a
 * call of its exchange. Then request_advance does what the exchange wants
 * next, as far as that goes without waiting. The callbacks touch nothing after
 * that: the request may be gone.
 *
 *     waits for             and goes on in
 *     a connection          on_connected, on_failed
 *     bytes from the peer   on_readable, on_ended
 *     a limit, a retry      on_timer
 *     room for an upload    on_sent (sending.h)
 *     a slow consumer       on_drained
 *     its turn, its end     on_flushed
 *
 * While its body cannot be handed on (body.h) the request pauses reading its
 * connection, and its time stands still.
 *
 * All of it belongs to the loop's thread.
 */
#ifndef TRIPTYCH_REQUEST_H
#define TRIPTYCH_REQUEST_H

#include "body.h"
#include "connection.h"
#include "exchange.h"
#include "flight.h"
#include "sending.h"

#include <event2/event_struct.h>

struct request;

/* The user of a request. After give_way (if true) and finished, the request is
 * gone. */
struct request_owner {
    /* True if its body may go to standard output. */
    bool (*has_turn)(const struct request *r);
    /* Whether request_may_write is to be called when that takes something. */
    void (*watch_output)(struct request *r, bool on);
    /* Memory, descriptors or ports have run out. True if the request is to
     * start over later; false if there is nothing to wait for. */
    bool (*give_way)(struct request *r);
    /* The same, of a request that cannot start over. True if another has given
     * its own back. */
    bool (*make_room)(struct request *r);
    /* Its outcome is complete. */
    void (*finished)(struct request *r);
};

struct request {
    struct flier
        flier; /* first: flight knows the request by it; the owner's */

    /* Set by the owner: */
    const struct request_owner *owner;
    void *arg; /* the owner's own */
    struct run *run;
    struct loop *loop;

    struct job *job;
    struct lane lane; /* of --trace */
    struct exchange *x;
    struct connection *connection; /* NULL: none */
    struct event timer;            /* for exchange_deadline */
    int64_t timer_us;              /* when it goes off */
    struct sending *sending;       /* what it uploads; NULL: nothing */
    struct body body;
    int64_t paused_us;  /* since when; -1: not paused */
    int64_t deliver_us; /* when the chunk came that paused it */
    bool late; /* the limit has passed, and what had arrived is being read */
};

/* Prepares a request, of which the owner's part is set, for a job; nothing is
 * done yet. 0 or -ENOMEM, with the request and the job still the caller's. */
int request_open(struct request *r, struct job *job);

/* Does what the exchange wants, as far as that goes without waiting. The
 * request may be gone afterwards. */
void request_advance(struct request *r);

/* It is the request's turn, or standard output takes something again. */
void request_may_write(struct request *r);

/* Ends the request at once; its result is RESULT_CANCELLED. */
void request_cancel(struct request *r);

/* Frees all that it holds but itself and the job, which is returned. */
struct job *request_close(struct request *r);

#endif
