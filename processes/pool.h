/*
 * pool: forked workers, as their parent sees them.
 *
 * Workers are made as they are needed, up to a limit, and found again when
 * they are idle. A worker that dies is noticed, reaped and replaced in its
 * slot, when the slot is needed.
 *
 * How deaths are noticed: by SIGCHLD, read from a signalfd, and a loop of
 * waitpid. A pidfd for each worker would do as well, but costs a descriptor
 * for each, and of those a parent of thousands has none to spare. Signals of
 * one kind do not queue: one SIGCHLD may stand for many deaths; so, a loop.
 *
 * For the parent, which has one thread.
 */
#ifndef TRIPTYCH_POOL_H
#define TRIPTYCH_POOL_H

#include "nursery.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What a worker does, in the child; it does not return. */
typedef void pool_main(void *context, int slot, int jobs_fd, int results_fd);

/* One slot. A replacement has the same slot. */
struct pool_worker {
    pid_t pid; /* 0: the slot is vacant */
    int slot;  /* 0, 1, 2 ... */
    /* The parent's ends of the two pipes; non-blocking; -1: closed. */
    int jobs_fd;
    int results_fd;
    struct pool_worker *next; /* in the list of the idle, or of the vacant */
};

struct pool {
    struct pool_worker *workers; /* `limit` of them */
    size_t limit;
    size_t used; /* slots that have been used so far */
    size_t alive;
    size_t reaped; /* the slot whose worker was reaped last */
    struct pool_worker *idle;
    struct pool_worker *vacant;
    struct nursery nursery;
    int signal_fd; /* polls as readable when some worker may have died */
    sigset_t mask; /* the signal mask to go back to */
    pool_main *main;
    void *context;
    const int *kept_fds; /* POOL_KEPT descriptors that the workers need; each
                          * may be -1: none */
    /* What a results pipe is to hold, in bytes; 0: what it holds anyway. Made
     * smaller when the system does not allow it. */
    size_t capacity;
};

#define POOL_KEPT 3

/* Prepares a pool of at most `limit` workers; none is made yet. SIGCHLD is
 * blocked from now on. 0 or a negative errno. */
int pool_open(struct pool *pool, size_t limit, const int *kept_fds,
              pool_main *main, void *context);

/* Gets an idle worker, or makes one. 0; -EBUSY when all are at work or dying;
 * or the negative errno that making one met. */
int pool_get(struct pool *pool, struct pool_worker **worker);

/* The worker is idle again. */
void pool_release(struct pool *pool, struct pool_worker *worker);

/* Lets a worker go that has no job: it ends by itself, and is reaped. */
void pool_retire(struct pool_worker *worker);

/* The same with all that are idle. */
void pool_retire_idle(struct pool *pool);

/* Reaps one worker that has died. NULL when there is none (any more).
 * *status is waitpid's. Its results can still be read, until pool_vacate;
 * it is out of the list of the idle. */
struct pool_worker *pool_reap(struct pool *pool, int *status);

/* Closes what is left of a dead worker; its slot can be used again. */
void pool_vacate(struct pool *pool, struct pool_worker *worker);

/* Kills a worker, unless it is dead, and waits until it is; pool_vacate comes
 * next. */
void pool_kill(struct pool *pool, struct pool_worker *worker);

/* Asks all workers to end: closes their jobs pipes and sends SIGTERM, so that
 * each tidies up what it is at. They are reaped as ever. */
void pool_terminate(struct pool *pool);

/* Kills the workers that are left, and reaps them. */
void pool_end(struct pool *pool);

void pool_free(struct pool *pool);

#endif
