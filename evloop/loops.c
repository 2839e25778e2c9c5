/* loops: several event loops, for --loops. See loops.h. */
#include "loops.h"

#include "base.h"
#include "fetch.h"
#include "thread.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct neighbour {
    struct fetch fetch; /* first: one is the other */
    pthread_t thread;   /* of all but the first, which is the caller's */
    struct event bell;
    bool awake; /* behind the lock: the bell is there */
};

struct loops {
    pthread_mutex_t lock;
    struct neighbour *all;
    size_t count;
};

/* --- What a loop does because it is not alone --------------------------- */

static void lock(struct fetch *self)
{
    pthread_mutex_lock(&self->loops->lock);
}

static void unlock(struct fetch *self)
{
    pthread_mutex_unlock(&self->loops->lock);
}

static void ring(struct fetch *other)
{
    struct neighbour *one = (struct neighbour *)other;
    if (one->awake)
        event_active(&one->bell, EV_TIMEOUT, 1);
}

static void ring_all(struct fetch *self)
{
    struct loops *loops = self->loops;
    for (size_t i = 0; i < loops->count; i++) {
        if (i != self->number)
            ring(&loops->all[i].fetch);
    }
}

static void turn_moved(struct fetch *self, struct fetch *whose)
{
    struct loops *loops = self->loops;
    for (size_t i = 0; i < loops->count; i++) {
        struct fetch *other = &loops->all[i].fetch;
        if (other != self && (other == whose || other->awaits_turn))
            ring(other);
    }
}

static void want_input(struct fetch *self)
{
    struct fetch *reader = &self->loops->all[0].fetch;
    reader->input_wanted = true;
    ring(reader);
}

static const struct neighbours neighbours = {lock,     unlock,     ring,
                                             ring_all, turn_moved, want_input};

static void on_bell(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    fetch_look_around(arg);
}

static void set_awake(struct neighbour *one, bool awake)
{
    lock(&one->fetch);
    one->awake = awake;
    unlock(&one->fetch);
}

/* --- One of them, and all ----------------------------------------------- */

static int open_one(struct loops *loops, struct run *run,
                    struct flight *flight, size_t number)
{
    struct neighbour *one = &loops->all[number];
    int error = fetch_open(&one->fetch, run, flight, number, loops->count);
    if (error != 0)
        return error;
    one->fetch.neighbours = &neighbours;
    one->fetch.loops = loops;
    event_assign(&one->bell, one->fetch.loop.base, -1, 0, on_bell,
                 &one->fetch);
    set_awake(one, true);
    return 0;
}

static void close_one(struct neighbour *one)
{
    set_awake(one, false);
    event_del(&one->bell);
    fetch_close(&one->fetch);
}

static void *run_one(void *arg)
{
    struct neighbour *one = arg;
    fetch_run(&one->fetch);
    close_one(one);
    return NULL;
}

/* Makes the loops, as many as can be. All are made before one runs: it might
 * take the descriptors that base_open has just seen, and libevent would end
 * the program. 0 or the negative errno that the next one met. */
static int open_all(struct loops *loops, struct run *run,
                    struct flight *flight)
{
    size_t wanted = loops->count;
    size_t made = 0;
    int error = 0;
    while (made < wanted && error == 0) {
        error = open_one(loops, run, flight, made);
        made += error == 0;
    }
    loops->count = made;
    return error;
}

/* Starts a thread for each loop but the first. Loops whose thread cannot be
 * started are freed. 0 or a negative errno. */
static int start_threads(struct loops *loops, size_t *running)
{
    int error = 0;
    for (*running = 1; *running < loops->count && error == 0; (*running)++) {
        struct neighbour *one = &loops->all[*running];
        error = thread_start(&one->thread, 0, run_one, one);
    }
    if (error != 0)
        (*running)--;
    for (size_t i = *running; i < loops->count; i++)
        close_one(&loops->all[i]);
    return error;
}

static int run_all(struct loops *loops, struct run *run, struct flight *flight)
{
    size_t running;
    int error = open_all(loops, run, flight);
    if (loops->count == 0)
        return error;
    int no_thread = start_threads(loops, &running);
    if (no_thread != 0)
        error = no_thread;
    if (error != 0)
        run_warn(run, "no more loops than %zu can be made: %s", running,
                 strerror(-error));
    (void)run_one(&loops->all[0]);
    while (--running > 0)
        (void)pthread_join(loops->all[running].thread, NULL);
    return 0;
}

int loops_run(struct run *run, struct flight *flight, size_t count)
{
    struct loops loops = {.count = count};
    int error = base_prepare(true);
    if (error != 0)
        return error;
    loops.all = calloc(count, sizeof *loops.all);
    if (loops.all == NULL)
        return -ENOMEM;
    error = -pthread_mutex_init(&loops.lock, NULL);
    if (error == 0) {
        error = run_all(&loops, run, flight);
        (void)pthread_mutex_destroy(&loops.lock);
    }
    free(loops.all);
    return error;
}
