/*
 * blocking: one request at a time, waiting for each step.
 *
 * This is what a worker does, be it a thread, a process or a coroutine: it
 * drives an exchange to its end, and for the network it sleeps in one place
 * only, blocking_wait. (Besides, it may sleep in the model's `deliver`, for its
 * turn or in a full pipe, and in blocking_call, for a disk.) Straight from top
 * to bottom - no callbacks, no states but those of the exchange.
 *
 * The five steps that these models share are here, under the names that the
 * event loop has them under too: connect, send, receive, expire, retry. What
 * becomes of the body is the model's: `deliver`. And so is what it means to
 * wait: struct blocking_waits. A thread and a process wait in the kernel,
 * which is the plain way; a coroutine lets its loop wait.
 *
 * A struct blocking belongs to one worker. Only `told` may be set by others.
 */
#ifndef TRIPTYCH_BLOCKING_H
#define TRIPTYCH_BLOCKING_H

#include "exchange.h"
#include "idle.h"
#include "options.h"
#include "tls.h"
#include "trace.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* What a worker may be told while it waits. */
enum told {
    TOLD_NOTHING,
    TOLD_GIVE_WAY, /* resources are short: drop this request for now */
    TOLD_STOP
};

/* Read at once, at most: large enough that system calls do not count, small
 * enough that what is in hand beyond the high mark does not. */
#define BLOCKING_CHUNK ((size_t)64 * 1024)

struct blocking;

/* All that can hold a worker up. */
struct blocking_waits {
    /* As blocking_wait, which see. */
    int (*wait)(struct blocking *blocking, int fd, short events,
                int64_t deadline);
    /* Calls f(arg), which may wait for a disk, or is long at work; returns
     * when that has. */
    void (*call)(struct blocking *blocking, void (*f)(void *arg), void *arg);
    /* A buffer of `buffer_size` bytes, BLOCKING_CHUNK or more, the worker's
     * own until it is put back. NULL: memory is short. */
    size_t buffer_size;
    char *(*take_buffer)(struct blocking *blocking);
    void (*put_buffer)(struct blocking *blocking, char *buffer);
    /* When no helper thread can be made, getaddrinfo may be called here. */
    bool may_look_up;
};

struct blocking {
    const struct options *options;
    const struct blocking_waits *waits; /* NULL: the plain way */
    struct idle *idle;
    struct tls *tls;
    struct lane lane;   /* of --trace */
    struct exchange *x; /* blocking_fetch drives it now */

    /* For the plain way: BLOCKING_CHUNK bytes, the caller's. */
    char *buffer;

    /* ... and the mask to wait with. After `told` is set a signal is sent
     * that is blocked everywhere but in this mask. So it is seen in
     * blocking_wait: at once, or when that is next called, but never missed
     * in between. */
    sigset_t wait_mask;
    atomic_int told; /* enum told */
    unsigned busy;   /* chunks that were read since the last wait */

    /* Takes all `n` bytes of the body; may wait. 0 or a negative errno;
     * -ECANCELED if it was told something. */
    int (*deliver)(struct blocking *blocking, const char *p, size_t n);

    /* A new attempt begins: forgets what was delivered. */
    void (*restart)(struct blocking *blocking);
};

/* For the thread that calls, and those that it makes. */
void blocking_prepare(void);

/* Drives the exchange until it is done. If it was told something, the result
 * is RESULT_CANCELLED and `told` says what. */
void blocking_fetch(struct blocking *blocking, struct exchange *x);

/* The same with a new exchange for the job, whose outcome it sets. */
void blocking_fetch_job(struct blocking *blocking, struct job *job);

/* Waits until `fd` (-1: nothing) has one of the poll events or the deadline
 * is past. Returns the events; 0 at the deadline; -ECANCELED when told
 * something. */
int blocking_wait(struct blocking *blocking, int fd, short events,
                  int64_t deadline);

/* Lets the signal in that comes with `told`, without waiting. True if it was
 * told something. For code that is long at work without blocking_wait. */
bool blocking_is_told(struct blocking *blocking);

/* Calls f(arg), which may wait for a disk; see struct blocking_waits. */
void blocking_call(struct blocking *blocking, void (*f)(void *arg), void *arg);

/* Closes an idle connection: for idle_open. */
void blocking_close_idle(struct idle_node *node);

#endif
