/*
 * pool: worker threads that serve one bounded queue; or one for each item.
 *
 * Threads are made as they are needed, up to a limit: a list of ten URLs makes
 * ten threads at most, whatever --jobs says. A thread that is waiting for work
 * is preferred to a new one. With `each`, a thread is made for each item and
 * ends with it: simple, and what making a thread costs is paid every time. The
 * pool knows nothing of what the work is.
 *
 * All but pool_alive are for the one thread that owns the pool.
 */
#ifndef TRIPTYCH_POOL_H
#define TRIPTYCH_POOL_H

#include "queue.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* Of a slot: no thread; one that runs; one that has ended, to be joined. */
enum pool_state { POOL_VACANT, POOL_RUNS, POOL_ENDED };

/* One thread of the pool, as the work sees it. */
struct pool_thread {
    struct pool *pool;
    pthread_t thread;
    size_t slot;           /* 0, 1, 2 ... in the order of their making */
    void *item;            /* with `each`: the one that it is for */
    enum pool_state state; /* behind the pool's lock */
};

struct pool {
    struct queue queue;
    struct pool_thread *threads;
    size_t limit;
    size_t count; /* slots used; a thread that ended is yet to be joined */
    bool each;
    int (*prepare)(size_t slot, void *context);
    void (*work)(struct pool_thread *thread, void *item, void *context);
    void *context;

    pthread_mutex_t lock;
    pthread_cond_t one_ended;
    size_t alive; /* behind `lock`: threads that have not ended */
};

/* Prepares a pool of at most `limit` threads; none is made yet. Before one is,
 * `prepare` gets what the slot needs besides a thread; a negative errno from
 * it means that no thread is made. Each item is handed to `work`, on the
 * thread that took it. 0 or a negative errno. */
int pool_open(struct pool *pool, size_t limit, bool each,
              int (*prepare)(size_t slot, void *context),
              void (*work)(struct pool_thread *thread, void *item,
                           void *context),
              void *context);

/* Hands an item in; makes a thread for it if all are busy and the limit
 * allows it. Waits at most `ms` milliseconds for room. 0; -ETIMEDOUT; or, if
 * there is no thread at all and none can be made, -EAGAIN or the error of
 * `prepare`. *short_of_threads says whether making one failed while there are
 * others: it is set or cleared by each call. Unless the result is 0, the item
 * is still the caller's. */
int pool_submit(struct pool *pool, void *item, int ms, bool *short_of_threads);

/* How many threads there are that have not ended. */
size_t pool_alive(struct pool *pool);

/* No more items will come: each thread ends when the queue is empty. */
void pool_finish(struct pool *pool);

/* Waits at most `ms` milliseconds for all threads to end. True: they have. */
bool pool_wait(struct pool *pool, int ms);

/* Joins all threads and frees the pool. pool_finish was called before: all
 * threads have ended or are about to. pool_wait need not have been. */
void pool_free(struct pool *pool);

#endif
