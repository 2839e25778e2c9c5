/*
 * places: which workers are in flight, and whose turn it is.
 *
 * Two things make a worker sleep although its socket would be ready: another
 * one's body stands before its own on standard output, or resources - memory,
 * descriptors, ports - have run out. Both are a matter between workers, so
 * both are here, behind one lock; no worker holds it while it does I/O.
 *
 * The turn is the id of the first request that is not finished. In a shortage
 * the newest request gives everything back and starts over later; the one
 * whose turn it is never has to, and always has a place: the others wait for
 * it, so it must not wait for them.
 *
 *     IDLE --> WAITING --> ACTIVE <--> STARVED
 *       ^        ^           |  |
 *       |        +- place_yield |
 *       +-------- place_leave --+
 *
 *     state     is left by
 *     IDLE      place_enter
 *     WAITING   place_enter, when there is a place
 *     ACTIVE    place_leave; place_yield
 *     STARVED   place_yield, when another has given back
 *
 * A struct place is used by its own thread; the rest of this by any.
 */
#ifndef TRIPTYCH_PLACES_H
#define TRIPTYCH_PLACES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum place_state { PLACE_IDLE, PLACE_WAITING, PLACE_ACTIVE, PLACE_STARVED };

/* One worker's. All but `places` and `told` is behind the lock. */
struct place {
    struct places *places;
    atomic_int *told; /* enum told, looked at by blocking_wait */
    pthread_t thread;
    pthread_cond_t wake;
    enum place_state state;
    uint64_t id; /* of its request */
    struct place *next;
};

struct places {
    pthread_mutex_t lock;
    pthread_cond_t moved; /* the turn has */
    struct place *all;
    uint64_t turn;
    size_t limit;    /* of the active; a shortage lowers it */
    size_t active;   /* in the states ACTIVE and STARVED */
    size_t waiting;  /* in the states WAITING and STARVED */
    size_t sleeping; /* in place_wait_turn */
    uint64_t freed;  /* how often somebody left or gave back */
    bool stopped;
};

/* Prepares for at most `limit` active workers. SIGUSR1, which ends a worker's
 * blocking_wait, gets a handler and is blocked in the calling thread, and so
 * in all threads that it makes from now on. 0 or a negative errno. */
int places_open(struct places *places, size_t limit);

/* Adds the calling thread's place. `told` must live as long. 0 or a negative
 * errno. */
int place_add(struct places *places, struct place *place, atomic_int *told);

/* Waits for a place for request `id`. Places are given out by rising id. False
 * if the run is to stop; the place is taken all the same. */
bool place_enter(struct place *place, uint64_t id);

/* The request is finished, and the turn is now `turn`. */
void place_leave(struct place *place, uint64_t turn);

/* True if it is the request's turn; once it is, it stays so. */
bool place_has_turn(struct place *place);

/* Waits at most `ms` milliseconds for the turn to move beyond `turn`. For a
 * thread without a place. */
void places_wait_moved(struct places *places, uint64_t turn, int ms);

/* Sleeps until it is. 0, or -ECANCELED when told something before that. */
int place_wait_turn(struct place *place);

/*
 * The request met a shortage, or (`given`) was told to give back because
 * another one did; it holds nothing any more. True if it is to start over, by
 * place_enter; false if it is the only one in flight: then there is nothing
 * to wait for, and the place is kept. *left tells how many go on.
 */
bool place_yield(struct place *place, bool given, size_t *left);

/* Tells all workers to stop, wherever they sleep. */
void places_stop(struct places *places);

/* Frees it all; the threads must be at their end. */
void places_close(struct places *places);

#endif
