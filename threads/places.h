/*
 * places: where a worker sleeps although its socket may be ready.
 *
 * Another worker's body stands before its own on standard output, or resources
 * have run out and it waits for a place. common/flight says who may go on.
 * Here is one lock around that, and how a worker sleeps and is woken: on a
 * condition of its own, or, in its I/O, by SIGUSR1 (see blocking_wait). No
 * worker holds the lock while it does I/O.
 *
 *     IDLE -- place_enter --> WAITING -- there is a place --> ACTIVE
 *       ^                                                       |
 *       +------------- place_leave, place_give_way -------------+
 *
 * A struct place is used by its own thread; the rest of this by any.
 */
#ifndef TRIPTYCH_PLACES_H
#define TRIPTYCH_PLACES_H

#include "flight.h"

#include <pthread.h>
#include <stdatomic.h>

/* One worker's. The lock guards all but `places` and `told`. */
struct place {
    struct flier flier; /* first: what flight knows of the worker's request */
    struct places *places;
    atomic_int *told; /* enum told, looked at by blocking_wait */
    pthread_t thread;
    pthread_cond_t wake;
    enum { PLACE_IDLE, PLACE_WAITING, PLACE_ACTIVE } state;
    struct place *next;
};

struct places {
    pthread_mutex_t lock; /* of all that follows */
    struct flight flight;
    struct place *all;
    size_t waiting; /* in the state WAITING */
};

/* Prepares for at most `limit` active workers. SIGUSR1 gets a handler and is
 * blocked in the calling thread, and so in all threads that it makes later. */
void places_open(struct places *places, size_t limit);

/* Adds the place of a worker, before its thread begins. `told` must live as
 * long. */
void place_add(struct places *places, struct place *place, atomic_int *told);

/* Sleeps until there is a place for request `id`, or the run is to stop. */
void place_enter(struct place *place, uint64_t id);

/* The request is finished, and the turn is now `turn`. Leaves its place, if it
 * has one. */
void place_leave(struct place *place, uint64_t turn);

/* True if it is the request's turn; once it is, it stays so. */
bool place_has_turn(struct place *place);

/* Sleeps until it is. 0; or -ECANCELED if told something before that. */
int place_wait_turn(struct place *place);

/* The request met a shortage (`starved`), or was told to give way to another
 * that did. It holds nothing any more, and leaves its place. False: it was the
 * only one, and there is nothing to wait for. *left: so many go on. */
bool place_give_way(struct place *place, bool starved, size_t *left);

/* Tells all workers to stop, wherever they sleep. */
void places_stop(struct places *places);

/* Frees it all; the threads must be at their end. */
void places_close(struct places *places);

#endif
