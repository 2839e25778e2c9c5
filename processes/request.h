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
    int out_error;          /* how standard output failed */
};

/* What came of serving a request. */
enum served {
    NEEDS_INPUT,  /* nothing more can be read: epoll will tell, or SIGCHLD */
    NEEDS_OUTPUT, /* standard output is full, and the frame waits */
    GOES_ON       /* there may be more; after a result, of another request */
};

/* Hands a job to the slot's worker, which is idle. 0; or a negative errno,
 * with the job still the caller's. -EPIPE: the worker is dead. */
int request_send(struct request *r, struct job *job);

/* Takes a frame, or a part of a body, that has come up the pipe. When the run
 * stops, bodies are thrown away. */
enum served request_serve(struct request *r);

/* epoll says that the pipe has something. If it goes to standard output it is
 * left to the turn; with --high-water none it is read into memory. */
void request_readable(struct request *r);

/* The slot's worker has died, with `status` from waitpid. Its result may be in
 * the pipe; else its job, if it has one, is tried again or has failed. */
void request_bereft(struct request *r, int status);

/* A request cannot begin for want of resources: if it is the first in line,
 * the newest in flight gives way. False if none does. Warns of the cause. */
bool request_make_room(struct shared *shared, uint64_t id, const char *cause);

/* The run stops, and the worker is dead: ends the request, with its result if
 * that has come. */
void request_cancel(struct request *r);

#endif
