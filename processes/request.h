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

#include "mailbox.h"
#include "run.h"

/* What the parent knows about the request in a slot. */
struct request {
    struct mailbox mailbox; /* its worker's */
    struct job *job;        /* NULL: none */
    uint64_t written;       /* body bytes that standard output took */
    size_t peak;            /* most body bytes in hand */
    bool out_failed;        /* job->outcome says how standard output failed */
};

struct fetch {
    struct run *run;
    struct pool pool;
    struct request *requests; /* one a slot */
    struct lane lane;         /* the parent's, of --trace */
    int epoll_fd;
    int kept_fds[POOL_KEPT]; /* that the workers need, too */
    uint64_t turn;           /* whose body may go to standard output */
    size_t limit;            /* requests in flight; a shortage lowers it */
    size_t in_flight;
    bool goes_on; /* there is more to be done, of which epoll tells nothing */
    bool input_watched;
    bool output_watched;     /* standard output is full */
    bool output_unwatchable; /* ... and epoll has no memory to watch it */
    bool warned; /* that pipes cannot hold as much as --high-water says */
};

/* What came of a call that goes on as far as it can. */
enum served {
    NEEDS_INPUT,  /* everything that is there is used up */
    NEEDS_OUTPUT, /* standard output is full */
    HAS_MORE,     /* it could go on; but the others have their turn first */
    IS_FINISHED   /* the request has left its slot */
};

/* True if the request's body may go to standard output. */
bool request_has_turn(const struct fetch *fetch, const struct request *r);

/* Hands a job to the slot's worker, which is idle. 0; or a negative errno,
 * with the job still the caller's. -EPIPE: the worker is dead. */
int request_send(struct fetch *fetch, struct request *r, struct job *job);

/* Takes what has come up the pipe, as far as that goes, and sees to it that
 * epoll tells when it goes on; for NEEDS_OUTPUT that is the caller's to do. */
enum served request_serve(struct fetch *fetch, struct request *r);

/* epoll says that the pipe has something: serves the request; or, with
 * --high-water none, takes it all into memory, whosever turn it is. */
enum served request_readable(struct fetch *fetch, struct request *r);

/* The slot's worker has died, with `status` from waitpid. Either its result is
 * in the pipe, or the job is tried again. */
void request_bereft(struct fetch *fetch, struct request *r, int status);

/* The newest request in flight gives everything back, and starts over later.
 * False if there is none but the one whose turn it is. */
bool request_displace(struct fetch *fetch);

/* The run stops: takes some of what comes up the pipe, or all if the worker is
 * dead; a result ends the request. */
void request_collect(struct fetch *fetch, struct request *r);

/* Ends the request without a result from its worker, which is dead. */
void request_cancel(struct fetch *fetch, struct request *r);

#endif
