/*
 * places: where a worker sleeps although its socket may be ready.
 *
 * Another worker's body stands before its own on standard output, or resources
 * have run out and it waits for a place. Who may go on is for common/flight to
 * say; here is one lock around that, and how a worker sleeps and is woken: on
 * a condition of its own, or, in its I/O, by SIGUSR1 (see blocking_wait). No
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

enum place_state { PLACE_IDLE, PLACE_WAITING, PLACE_ACTIVE };

/* One worker's. All but `places` and `told` is behind the lock. */
struct place {
    struct flier flier; /* first: it is what flight knows of the worker */
    struct places *places;
    atomic_int *told; /* enum told, looked at by blocking_wait */
    pthread_t thread;
    pthread_cond_t wake;
    enum place_state state;
    uint64_t id; /* of its request */
    struct place *next;
};

struct places {
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t moved; /* the turn has */
    pthread_cond_t taken; /* so many jobs are as are waited for */
    uint64_t jobs_taken;
    uint64_t jobs_awaited;
    struct flight flight;
    struct place *all;
    size_t waiting; /* in the state WAITING */
    bool stopped;
};

/* Prepares for at most `limit` active workers. SIGUSR1 gets a handler and is
 * blocked in the calling thread, and so in all threads that it makes from now
 * on. 0 or a negative errno. */
int places_open(struct places *places, size_t limit);

/* Adds the place of a worker, before its thread begins. `told` must live as
 * long. */
void place_add(struct places *places, struct place *place, atomic_int *told);

/* Sleeps until there is a place for request `id`. False if the run is to stop;
 * the place is taken all the same. */
bool place_enter(struct place *place, uint64_t id);

/* A worker has taken a job. */
void places_took_job(struct places *places);

/* Sleeps at most `ms` milliseconds until `jobs` have been taken in all. Returns
 * how many have. For the one thread that hands them out. */
uint64_t places_wait_taken(struct places *places, uint64_t jobs, int ms);

/* The request is finished, and the turn is now `turn`. */
void place_leave(struct place *place, uint64_t turn);

/* True if it is the request's turn; once it is, it stays so. */
bool place_has_turn(struct place *place);

/* Sleeps until it is. 0, or -ECANCELED when told something before that. */
int place_wait_turn(struct place *place);

/* Sleeps at most `ms` milliseconds until the turn is beyond `turn`. For a
 * thread without a place. */
void places_wait_moved(struct places *places, uint64_t turn, int ms);

/* The request met a shortage (`starved`), or was told to give way to one that
 * did; it holds nothing any more. True if it is to start over, by place_enter;
 * false if there is nothing to wait for: it keeps its place. *left tells how
 * many go on. */
bool place_give_way(struct place *place, bool starved, size_t *left);

/* Tells all workers to stop, wherever they sleep. */
void places_stop(struct places *places);

/* Frees it all; the threads must be at their end. */
void places_close(struct places *places);

#endif
