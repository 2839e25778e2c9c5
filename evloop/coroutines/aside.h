/*
 * aside: calls that would hold the loop up, made in helper threads.
 *
 * A disk cannot be waited for by a loop: epoll refuses regular files, poll and
 * select call them ready at any time, and the read then waits, and all that
 * the loop serves with it. So a function that reads, writes or syncs a file is
 * called by one of a few threads, while its coroutine waits. (Python:
 * asyncio.to_thread; aiofiles does no other.)
 *
 *     await_call --> queue --> a thread: f(arg) --> done, an eventfd --> loop
 *
 * The function works on the caller's memory, so the caller is there until it
 * has returned: a call is not cancelled, and not given up at a deadline. It
 * must do nothing that is the loop's: no await, no libevent.
 */
#ifndef TRIPTYCH_ASIDE_H
#define TRIPTYCH_ASIDE_H

#include "coroutine.h"

#include <event2/event_struct.h>
#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

/* At most so many threads. One makes all calls, until one of them waits for
 * its disk; then another thread goes on with the others. */
#define ASIDE_THREADS 4

struct call;

struct aside {
    struct event event; /* a thread has told something */
    int told;           /* the eventfd; -1: the module is not open */
    pthread_t threads[ASIDE_THREADS];
    size_t count;

    /* Behind `lock`: */
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct call *first; /* to be made, in this order */
    struct call *last;  /* no meaning while there is no first */
    struct call *done;  /* to be told */
    size_t idle;        /* threads that wait for work */
    bool stop;
};

/* Prepares; no thread is made yet. 0 or a negative errno. */
int aside_open(struct aside *aside, struct event_base *base);

/* Ends the threads. No call may be under way. */
void aside_close(struct aside *aside);

/* Has f(arg) called, and waits until it has returned. When there is no thread
 * and none can be made it is called here, and the loop stands still: that is
 * better than not at all. */
void await_call(struct aside *aside, void (*f)(void *arg), void *arg);

#ifdef __cplusplus
}
#endif

#endif
