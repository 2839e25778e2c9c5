/*
 * fetch: one event loop and the requests in flight on it. For loops.c, which
 * has several; a program that has one needs nothing of this.
 */
#ifndef TRIPTYCH_FETCH_H
#define TRIPTYCH_FETCH_H

#include "connection.h"
#include "flight.h"
#include "run.h"

#include <event2/event_struct.h>

struct fetch;

/* What a loop does because it is not alone. */
struct neighbours {
    /* Around all that loops share: the flight, the jobs, and the fields below
     * that say so. Never during I/O. */
    void (*lock)(struct fetch *self);
    void (*unlock)(struct fetch *self);
    /* With the lock held. They have fetch_look_around called: in another loop;
     * in all others; in those that await the turn, and in the one whose
     * request has it (which may be `self`, or NULL); in the one that reads
     * --input, which then has input_wanted. */
    void (*ring)(struct fetch *other);
    void (*ring_all)(struct fetch *self);
    void (*turn_moved)(struct fetch *self, struct fetch *whose);
    void (*want_input)(struct fetch *self);
};

struct fetch {
    struct run *run;
    struct flight *flight;               /* of all loops; shared */
    const struct neighbours *neighbours; /* NULL: this is the only loop */
    struct loops *loops;                 /* theirs */
    size_t number;                       /* from 0 */
    bool awaits_turn;  /* shared: it gets no job before the turn has moved */
    bool input_wanted; /* shared; loop 0 alone reads --input */

    struct loop loop;
    size_t in_flight;          /* here */
    size_t share;              /* the most that may be */
    struct event take;         /* a place is free */
    bool taking;               /* step_take is at work */
    struct event input;        /* --input has something */
    struct event stop;         /* the run is to stop */
    struct event output;       /* standard output takes something again */
    struct event output_again; /* ... or is looked at without being told */
    struct event tick;         /* the progress line */
    struct lane lane;          /* the loop's, of --trace */
};

/* Step start: makes loop `number` of `count`. 0 or a negative errno. */
int fetch_open(struct fetch *fetch, struct run *run, struct flight *flight,
               size_t number, size_t count);

/* Runs it, until all is done or the run is to stop. */
void fetch_run(struct fetch *fetch);

/* Step stop: cancels what is in flight there and frees the loop. */
void fetch_close(struct fetch *fetch);

/* Another loop has done something that concerns this one. For its thread. */
void fetch_look_around(struct fetch *fetch);

#endif
