/*
 * request: one request of the processes model, as the parent sees it.
 *
 * The worker does the fetching (worker.c); here is what the parent does with
 * what comes up the pipe: bodies to standard output, results to the report,
 * and a new try for what a dead worker was at.
 *
 *     IDLE --- request_send ---> IN FLIGHT --- FRAME_RESULT ---> finished
 *      ^                           |   |                            |
 *      |                           |   +-- its worker died,         |
 *      |                           |       resources are short      |
 *      +---- given back -----------+                                |
 *      +------------------------------------------------------------+
 *
 * For the parent, which has one thread.
 */
#ifndef TRIPTYCH_REQUEST_H
#define TRIPTYCH_REQUEST_H

#include "flight.h"
#include "mailbox.h"
#include "run.h"

/* What all requests share. */
struct shared {
    struct run *run;
    struct pool pool;
    struct flight flight;
    struct lane lane; /* the parent's, of --trace */
};

/* What the parent knows about the request in a slot. */
struct request {
    struct flier flier; /* first: flight knows the request by it */
    struct shared *shared;
    struct mailbox mailbox; /* its worker's */
    struct job *job;        /* NULL: none */
    uint64_t written;       /* body bytes that standard output took */
    size_t peak;            /* most body bytes in hand */
    bool out_failed;        /* job->outcome says how standard output failed */
};

/* What came of a call that goes on as far as it can. */
enum served {
    NEEDS_INPUT,  /* everything that is there is used up */
    NEEDS_OUTPUT, /* standard output is full */
    HAS_MORE,     /* it could go on; but the others have their turn first */
    IS_FINISHED   /* the request has left its slot */
};

/* Hands a job to the slot's worker, which is idle. 0; or a negative errno,
 * with the job still the caller's. -EPIPE: the worker is dead. */
int request_send(struct request *r, struct job *job);

/* Takes what has come up the pipe, as far as that goes, and sees to it that
 * epoll tells when it goes on; for NEEDS_OUTPUT that is the caller's to do. */
enum served request_serve(struct request *r);

/* epoll says that the pipe has something: serves the request; or, with
 * --high-water none, takes it all into memory, whosever turn it is. */
enum served request_readable(struct request *r);

/* The slot's worker has died, with `status` from waitpid. Either its result is
 * in the pipe, or the job is tried again. */
void request_bereft(struct request *r, int status);

/* A request cannot begin for want of resources: if it is the first in line,
 * the newest in flight gives way. False if none does. */
bool request_make_room(struct shared *shared, uint64_t id);

/* The run stops: takes some of what comes up the pipe, or all if the worker is
 * dead; a result ends the request. */
void request_collect(struct request *r);

/* Ends the request without a result from its worker, which is dead. */
void request_cancel(struct request *r);

#endif
