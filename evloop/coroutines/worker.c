/* worker: one request, by a coroutine. See worker.h. */
#include "worker.h"

#include "clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* So much goes to standard output before the others have a turn. */
#define OUT_SHARE ((size_t)1024 * 1024)

static bool ordered(const struct worker *w)
{
    return options_ordered(w->ground->run->options);
}

static bool has_turn(const struct worker *w)
{
    return flight_has_turn(&w->ground->flight, w->job->id);
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

/* Only who reads just now needs a buffer. One is enough, unless bytes have to
 * stay in theirs: while their coroutine awaits its turn, or a disk. */
static char *take_buffer(struct blocking *b)
{
    struct ground *ground = ((struct worker *)b)->ground;
    char *buffer = ground->buffer;
    ground->buffer = NULL;
    return buffer != NULL ? buffer : malloc(BLOCKING_CHUNK);
}

static void put_buffer(struct blocking *b, char *buffer)
{
    struct ground *ground = ((struct worker *)b)->ground;
    if (ground->buffer == NULL)
        ground->buffer = buffer;
    else
        free(buffer);
}

static const struct blocking_waits waits = {
    .wait = await,
    .call = call_aside,
    .take_buffer = take_buffer,
    .put_buffer = put_buffer,
};

/* --- Step deliver ------------------------------------------------------- */

static void forget_body(struct worker *w)
{
    sink_abort(&w->ground->run->sink, &w->file, w->job);
    bytes_free(&w->held);
    trace_buffered(&w->blocking.lane, 0);
}

/* What goes to standard output, and how much was taken. */
struct portion {
    struct output *output;
    struct iovec part;
    ssize_t sent;
};

static void send_portion(void *arg)
{
    struct portion *portion = arg;
    portion->sent = output_send(portion->output, &portion->part, 1);
}

/* Writes to standard output, waiting as long as the consumer likes. It is
 * this request's turn, so no other does. */
static int write_out(struct worker *w, const char *p, size_t n)
{
    struct run *run = w->ground->run;
    size_t share = OUT_SHARE;
    while (n > 0) {
        struct portion portion = {
            &run->output, {(void *)p, n < share ? n : share}, 0};
        if (run_stopping(run)) /* perhaps by the body before this one */
            return -ECANCELED;
        trace_buffered(&w->blocking.lane, n);
        if (run->output.saves)
            await_call(&w->ground->aside, send_portion, &portion);
        else
            send_portion(&portion);
        ssize_t sent = portion.sent;
        int ready = 1;
        if (sent == -EAGAIN) {
            ready = blocking_wait(&w->blocking, run->output.fd, POLLOUT,
                                  CLOCK_NEVER);
        } else if (sent < 0) {
            run_fail(run, "standard output: %s", strerror((int)-sent));
            return (int)sent;
        } else {
            w->written += (size_t)sent;
            run_count(run, (size_t)sent);
            p += sent;
            n -= (size_t)sent;
            share -= (size_t)sent;
        }
        if (share == 0) { /* /dev/null takes gigabytes without a wait */
            ready = await_others();
            share = OUT_SHARE;
        }
        if (ready < 0)
            return ready;
    }
    trace_buffered(&w->blocking.lane, 0);
    return 0;
}

/* Awaits the turn and writes what was held until then. */
static int flush_held(struct worker *w)
{
    int error = 0;
    while (error == 0 && !has_turn(w))
        error = await_condition(&w->turn, COROUTINE_NEVER);
    if (error == 0)
        error = write_out(w, w->held.data, w->held.length);
    bytes_free(&w->held);
    return error;
}

/* What a call that may wait for the disk is about, and what came of it. */
struct disk {
    struct worker *worker;
    const char *p;
    size_t n;
    int error;
};

static void write_disk(void *arg)
{
    struct disk *disk = arg;
    struct worker *w = disk->worker;
    disk->error =
        sink_write(&w->ground->run->sink, &w->file, w->job, disk->p, disk->n);
}

static void commit_disk(void *arg)
{
    struct disk *disk = arg;
    struct worker *w = disk->worker;
    disk->error = sink_commit(&w->ground->run->sink, &w->file, w->job);
}

/* To or at the disk, in a helper thread; with --discard there is none. */
static int at_disk(struct worker *w, void (*f)(void *arg), const char *p,
                   size_t n)
{
    struct disk disk = {.worker = w, .p = p, .n = n};
    if (w->ground->run->options->directory == NULL)
        f(&disk);
    else
        await_call(&w->ground->aside, f, &disk);
    return disk.error;
}

/* Step deliver: to the file; or to standard output, if need be later. */
static int step_deliver(struct blocking *blocking, const char *p, size_t n)
{
    struct worker *w = (struct worker *)blocking;
    struct run *run = w->ground->run;
    if (w->peak < w->held.length + n)
        w->peak = w->held.length + n;
    if (!ordered(w)) {
        int error = at_disk(w, write_disk, p, n);
        if (error == 0)
            run_count(run, n);
        return error;
    }
    /* Up to the high mark a body may run ahead of its turn. */
    size_t room = run->options->high_water - w->held.length;
    if (n <= room && !has_turn(w)) {
        trace_buffered(&w->blocking.lane, w->held.length + n);
        return bytes_append(&w->held, p, n);
    }
    int error = flush_held(w);
    return error == 0 ? write_out(w, p, n) : error;
}

static void restart(struct blocking *blocking)
{
    forget_body((struct worker *)blocking);
}

/* The exchange is over: brings the body to its destination, or forgets it. */
static void complete_body(struct worker *w)
{
    struct outcome *outcome = &w->job->outcome;
    trace_step(&w->blocking.lane, STEP_DELIVER);
    if (outcome->result == RESULT_OK) {
        int error =
            ordered(w) ? flush_held(w) : at_disk(w, commit_disk, NULL, 0);
        if (error == -ECANCELED)
            outcome_set(outcome, RESULT_CANCELLED, "the run ended first");
        else if (error != 0)
            outcome_set(outcome, result_of_writing(error), "%s",
                        strerror(-error));
        outcome->done_us = clock_us();
    }
    outcome->bytes = ordered(w) ? w->written : w->file.bytes;
    outcome->peak_buffered = w->peak;
    if (outcome->result != RESULT_OK)
        forget_body(w);
}

/* --- From connect to finish --------------------------------------------- */

void worker_open(struct worker *w, struct ground *ground)
{
    w->ground = ground;
    w->blocking.waits = &waits;
    w->blocking.options = ground->run->options;
    w->blocking.idle = &ground->idle;
    w->blocking.tls = &ground->run->tls;
    w->blocking.deliver = step_deliver;
    w->blocking.restart = restart;
}

void worker_take(struct worker *w, struct job *job)
{
    w->job = job;
    w->job->outcome = OUTCOME_NONE;
    w->file = FILE_NONE;
    w->written = 0;
    w->peak = 0;
    atomic_store(&w->blocking.told, TOLD_NOTHING);
}

void worker_await(struct worker *w)
{
    struct run *run = w->ground->run;
    struct exchange *x = exchange_new(run->options, w->job->url,
                                      w->job->url_length, clock_us());
    if (x == NULL) {
        outcome_set(&w->job->outcome, RESULT_NO_RESOURCES, "out of memory");
        return;
    }
    blocking_fetch(&w->blocking, x);
    w->job->outcome = *exchange_outcome(x);
    exchange_free(x);
    complete_body(w);
}
