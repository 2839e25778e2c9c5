/*
 * worker: one request, by a coroutine: what blocking_fetch waits by here, and
 * where the body goes.
 *
 * What the workers share is a struct ground. It has no lock: between two
 * awaits no other worker runs.
 */
#ifndef TRIPTYCH_COROUTINES_WORKER_H
#define TRIPTYCH_COROUTINES_WORKER_H

#include "aside.h"
#include "coroutine.h"
#include "flight.h"
#include "outlet.h"

/* More than a chunk is of use in uploads only, each piece of which is read by
 * a helper thread (tests/bench/MEASURED.md). */
#define WORKER_BUFFER (2 * BLOCKING_CHUNK)

struct ground {
    struct run *run;
    struct flight flight;
    struct aside aside; /* for files */
    struct idle idle;
    char *buffer;       /* to read into, by one worker at a time */
    char *turns_buffer; /* ... for the request that has the turn */
    int64_t epoch;      /* the zero of clock.h, as coroutine_now has it */
};

struct worker {
    struct outlet outlet; /* first: deliver is handed a pointer to it; it knows
                           * the job, too */
    struct flier flier;   /* what flight knows of it */
    struct ground *ground;
    struct coroutine *self; /* NULL: it has not begun */
    struct condition turn;  /* woken when it is this one's */
    struct fetch *fetch;    /* the owner's, and ... */
    struct worker *next;    /* ... of the free ones */
};

/* Sets what a worker needs for good. */
void worker_open(struct worker *worker, struct ground *ground);

/* Gives it a new job, of which nothing has been done. */
void worker_take(struct worker *worker, struct job *job);

/* From connect to the body at its destination. The outcome is the job's; the
 * coroutine that calls may switch wherever there is something to wait for. */
void worker_await(struct worker *worker);

#endif
