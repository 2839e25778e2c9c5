/*
 * helper: a thread that does what would hold the loop up.
 *
 * A loop can wait for sockets and pipes, but not for a disk: epoll refuses
 * regular files (EPERM), poll and select call them ready at any time, and the
 * read or write then waits for the disk, and everything else in the loop waits
 * with it. So opening, reading, writing, syncing and renaming are errands: one
 * thread runs them in order, and tells the loop through an eventfd. (Python's
 * asyncio has no files for the same reason; aiofiles hands them to a pool of
 * threads.)
 *
 *     helper_do --> queue --> the thread: run --> eventfd --> the loop: done
 *
 * An errand is the caller's memory, and must live until `done` is called. It
 * is not taken back: who has lost interest remembers that until then.
 *
 * All functions are for the loop's thread.
 */
#ifndef TRIPTYCH_HELPER_H
#define TRIPTYCH_HELPER_H

#include "trace.h"

#include <event2/event_struct.h>
#include <pthread.h>
#include <stdbool.h>

struct event_base;

struct errand {
    void (*run)(void *arg); /* in the thread */
    /* In the loop. `was_run` is false if the helper stops, and has not begun
     * with it. */
    void (*done)(void *arg, bool was_run);
    void *arg;
    uint64_t id; /* of the request, for --trace */

    /* The helper's, behind its lock: */
    struct errand *next;
    bool is_run;
};

/* In order; *last means nothing while there is no first. */
struct errands {
    struct errand *first;
    struct errand *last;
};

struct helper {
    struct event_base *base;
    struct trace *trace;
    const char *name; /* of its lane, and ... */
    enum step step;   /* ... what it does, for --trace */
    struct lane lane;
    struct event event; /* the thread has told something */
    int told;           /* the eventfd; -1: there is no thread */
    pthread_t thread;

    /* Behind `lock`: */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct errands queue; /* to be run */
    struct errands run;   /* to be told */
    bool stops;           /* there will be no thread any more */
};

/* Prepares a helper, of which the first four fields are set. The thread is
 * made when it is first needed. 0 or a negative errno. */
int helper_open(struct helper *helper);

/* Has the errand run. 0; or a negative errno when there is no thread and none
 * can be made: then nothing will be called. */
int helper_do(struct helper *helper, struct errand *errand);

/* Waits until the errand, which is under way, has been run; the loop stands
 * still. `done` will be called later as usual. */
void helper_wait(struct helper *helper, struct errand *errand);

/* Ends the thread after the errand that it is at, and then has all `done`
 * called. helper_do fails from now on. */
void helper_stop(struct helper *helper);

/* Stops it and frees what it has. */
void helper_close(struct helper *helper);

#endif
