/*
 * request: one request of the event loop, from connect to its body's end.
 *
 * A request is a struct that remembers how far it has come. Callbacks - the
 * connection's, the timer's, the stream's - translate what happened into a
 * call of its exchange, and then request_advance does what it wants next,
 * as far as that goes without waiting. They touch nothing after that: the
 * request may be gone.
 *
 *     waits for             and goes on in
 *     a connection          on_connected, on_failed
 *     bytes from the peer   on_readable, on_ended
 *     a limit, a retry      on_timer
 *     room for an upload    on_sendable
 *     a slow consumer       on_drained
 *     its turn, its end     on_flushed
 *
 * Bodies for standard output go through a stream of the request's own. It
 * sends only when it is the request's turn - before, every send is told "not
 * now" - so it fills up to the high-watermark, and then the request pauses
 * reading its connection until stream_drain says that the stash has sunk.
 * Nobody sleeps; the kernel's buffers fill, and the server stops.
 *
 * All of it belongs to the loop's thread.
 */
#ifndef TRIPTYCH_REQUEST_H
#define TRIPTYCH_REQUEST_H

#include "connection.h"
#include "exchange.h"
#include "loops.h"
#include "run.h"
#include "stream.h"

#include <event2/event_struct.h>

/* What the requests of one loop share. */
struct fetch {
    struct run *run;
    struct loops *loops; /* what it shares with the others */
    size_t number;       /* of the loop, from 0 */
    pthread_t thread;    /* of all loops but 0 */
    struct loop loop;
    struct request *first; /* in flight, by rising id */
    struct request *last;
    size_t in_flight;
    size_t share;              /* the most that may be in flight here */
    struct event take;         /* a place is free */
    bool taking;               /* step_take is at work */
    struct event input;        /* --input has something; loop 0 */
    struct event stop;         /* the run is to stop */
    struct event output;       /* standard output takes something again */
    struct event output_again; /* ... or is looked at without being told */
    struct event tick;         /* the progress line */
    struct lane lane;          /* the loop's, of --trace */
};

/* What only a request that uploads needs: for the others 160 bytes of the
 * 3.6 KiB that one takes while it waits for its answer. */
struct upload {
    size_t piece;                 /* being sent */
    struct stream_waiter sending; /* for its drain */
    struct event again;           /* it goes on after the others */
};

struct request {
    struct fetch *fetch;
    struct request *next;
    struct request *previous;
    struct job *job;
    struct lane lane; /* of --trace */
    struct exchange *x;
    struct connection *connection; /* NULL: none */
    struct event timer;            /* for exchange_deadline */
    int64_t timer_us;              /* when it goes off */
    struct upload *upload;         /* NULL: none */
    struct file file;              /* of --directory and --discard */
    struct stream *out;            /* of standard output */
    struct stream_waiter waiter;   /* for its drain, then for its close */
    uint64_t written;              /* body bytes that standard output took */
    size_t out_turn;               /* ... of the stash, in this turn */
    bool from_stash;               /* what is sent now comes from there */
    size_t peak;                   /* most body bytes in hand */
    int64_t paused_us;             /* since when; -1: not paused */
    int64_t deliver_us;            /* when the chunk came that paused it */
    bool late; /* the limit has passed, and what had arrived is being read */
};

/* Begins a job; it is in flight until step_finish or fetch_give_way. It may
 * be finished on return. 0 or -ENOMEM, with the job still the caller's. */
int request_begin(struct fetch *fetch, struct job *job);

/* Ends the request at once; its result is RESULT_CANCELLED. */
void request_cancel(struct request *r);

/* Frees all that it holds but the job, which is returned. */
struct job *request_free(struct request *r);

/* Does what the exchange wants, as far as that goes without waiting. The
 * request may be gone afterwards. */
void request_advance(struct request *r);

/* Arms the timer for the exchange's deadline, whatever that is about. */
void request_set_timer(struct request *r);

/* --- What deliver.c does with a request's body -------------------------- */

/* Step deliver: to the file, or to standard output. When more waits there
 * than the high mark, the connection is paused until it has sunk. */
void step_deliver(struct request *r, struct span body);

/* It is the request's turn, or standard output takes something again: what is
 * stashed may go out. */
void deliver_may_write(struct request *r);

/* Brings the whole body to its destination: true if that takes its time; then
 * the request is finished from there. */
bool deliver_end(struct request *r);

/* Frees what a body in hand takes. */
void deliver_free(struct request *r);

/* --- What fetch.c does for its requests --------------------------------- */

/* True if the request's body may go to standard output. */
bool fetch_has_turn(const struct request *r);

/* The request is in flight now, in a place of its own. */
void fetch_link(struct request *r);

/* Asks for deliver_may_write when standard output takes something. */
void fetch_watch_output(struct fetch *fetch, bool on);

/* Step finish: the outcome is complete; the request is gone. */
void step_finish(struct request *r);

/* Memory, descriptors or ports have run out: the newest request gives way, so
 * that the first in line never has to. False if `r` is the only one in flight:
 * then there is nothing to wait for. Else it is gone, to start over later. */
bool fetch_give_way(struct request *r);

#endif
