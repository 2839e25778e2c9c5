/* worker: one request, by a coroutine. See worker.h. */
#include "worker.h"

#include "clock.h"

#include <errno.h>
#include <stdlib.h>

static bool has_turn(const struct worker *w)
{
    return flight_has_turn(&w->ground->flight, w->outlet.job->id);
}

/* --- What blocking_fetch waits by --------------------------------------- */

static int await(struct blocking *b, int fd, short events, int64_t deadline)
{
    const struct worker *w = (struct worker *)b;
    int64_t until = deadline == CLOCK_NEVER ? COROUTINE_NEVER
                                            : deadline + w->ground->epoch;
    for (;;) {
        int ready = await_fd(fd, events, until);
        if (ready == -ETIMEDOUT)
            return 0;
        /* No memory to wait for it: the others have had a turn meanwhile. */
        if (ready != -ENOMEM)
            return ready;
        if (clock_us() >= deadline)
            return 0;
    }
}

static void call_aside(struct blocking *b, void (*f)(void *arg), void *arg)
{
    struct worker *w = (struct worker *)b;
    await_call(&w->ground->aside, f, arg);
}

/* Only a worker that reads just now needs a buffer. One is enough for all,
 * unless bytes have to stay in it: while their coroutine awaits its turn, or a
 * disk. One more is kept for the request that has the turn: a body that is
 * partly out cannot start over when there is no memory. */
static char *take_buffer(struct blocking *b)
{
    struct worker *w = (struct worker *)b;
    struct ground *ground = w->ground;
    if (has_turn(w))
        return ground->turns_buffer;
    char *buffer = ground->buffer;
    ground->buffer = NULL;
    return buffer != NULL ? buffer : malloc(WORKER_BUFFER);
}

static void put_buffer(struct blocking *b, char *buffer)
{
    struct ground *ground = ((struct worker *)b)->ground;
    if (buffer == ground->turns_buffer)
        return;
    if (ground->buffer == NULL)
        ground->buffer = buffer;
    else
        free(buffer);
}

static const struct blocking_waits waits = {
    .wait = await,
    .call = call_aside,
    .buffer_size = WORKER_BUFFER,
    .take_buffer = take_buffer,
    .put_buffer = put_buffer,
};

/* --- Step deliver ------------------------------------------------------- */

static int await_turn(struct worker *w)
{
    int error = 0;
    while (error == 0 && !has_turn(w))
        error = await_condition(&w->turn, COROUTINE_NEVER);
    return error;
}

/* Step deliver: to the file; or to standard output, if need be later. */
static int step_deliver(struct blocking *blocking, const char *p, size_t n)
{
    struct worker *w = (struct worker *)blocking;
    if (!outlet_is_ordered(&w->outlet))
        return outlet_store(&w->outlet, p, n);
    /* Up to the high mark a body may run ahead of its turn. */
    if (outlet_has_room(&w->outlet, n) && !has_turn(w))
        return outlet_hold(&w->outlet, p, n);
    int error = await_turn(w);
    return error == 0 ? outlet_write(&w->outlet, p, n) : error;
}

/* --- From connect to finish --------------------------------------------- */

void worker_open(struct worker *w, struct ground *ground)
{
    w->ground = ground;
    w->outlet.blocking.waits = &waits;
    outlet_prepare(&w->outlet, ground->run, &ground->idle, step_deliver);
}

void worker_take(struct worker *w, struct job *job)
{
    outlet_open(&w->outlet, job);
    atomic_store(&w->outlet.blocking.told, TOLD_NOTHING);
}

void worker_await(struct worker *w)
{
    struct job *job = w->outlet.job;
    int error = 0;
    blocking_fetch_job(&w->outlet.blocking, job);
    if (job->outcome.result == RESULT_OK && outlet_is_ordered(&w->outlet))
        error = await_turn(w);
    outlet_complete(&w->outlet, error);
}
