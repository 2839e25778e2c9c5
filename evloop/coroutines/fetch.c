/*
 * fetch-coroutines: the threads' source at the loop's price.
 *
 * A coroutine for each request drives it from connect to finish, straight
 * down, by the very function that threads and processes run: blocking_fetch.
 * What it waits for, it awaits; who waits is one libevent loop, in one thread.
 * So nothing here has a lock, and a coroutine costs so little that there is no
 * pool of them: one is made for each request, in the places that are free.
 *
 * The first coroutine takes the jobs. Beside it are one that reads --input,
 * one that waits for the end of the run, and one for messages: what
 * are events in the loop's model are coroutines here, all in one group.
 *
 * Bodies for standard output keep their order as with threads: a request whose
 * turn it is writes through; any other holds up to the high-watermark and then
 * awaits its turn. It does not read meanwhile, so the server stops.
 */
#include "aside.h"
#include "base.h"
#include "blocking.h"
#include "bytes.h"
#include "clock.h"
#include "coroutine.h"
#include "flight.h"
#include "group.h"
#include "model.h"
#include "run.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

const char model_name[] = "coroutines";

/* So many requests are begun in one turn of the loop; then those that are
 * connected may send, or the first would send when the last is connected. */
#define TAKE_SHARE 64

/* So much goes to standard output before the others have a turn. */
#define OUT_SHARE ((size_t)1024 * 1024)

struct worker {
    struct blocking blocking; /* first: deliver is handed a pointer to it */
    struct flier flier;       /* what flight knows of it */
    struct fetch *fetch;      /* NULL until the slot's first job */
    struct coroutine *self;   /* NULL: it has not begun */
    struct job *job;
    struct file file;      /* of --directory and --discard */
    struct bytes held;     /* body bytes that wait for the turn */
    struct condition turn; /* woken when it is this one's */
    uint64_t written;      /* body bytes that standard output took */
    size_t peak;           /* most body bytes in hand */
    struct worker *next;   /* of the free ones */
};

struct fetch {
    struct run *run;
    struct event_base *base;
    struct coroutines *coroutines;
    struct coroutine_group group; /* all but the first coroutine */
    struct aside aside;           /* for files */
    struct flight flight;
    struct idle idle;
    struct lane lane; /* the first coroutine's, of --trace */
    struct worker *workers;
    size_t used;            /* of those have had a job */
    struct worker *free;    /* ... and have none now */
    struct condition moved; /* a place, the turn or the input has */
    struct condition asked; /* input is wanted */
    bool wants_input;
    char *buffer;  /* to read into, when nobody does just now */
    int64_t epoch; /* the zero of clock.h, as coroutine_now has it */
};

static bool ordered(const struct worker *w)
{
    return options_ordered(w->fetch->run->options);
}

static bool has_turn(const struct worker *w)
{
    return flight_has_turn(&w->fetch->flight, w->job->id);
}

/* --- What blocking_fetch waits by --------------------------------------- */

static int await(struct blocking *b, int fd, short events, int64_t deadline)
{
    const struct worker *w = (struct worker *)b;
    int64_t until =
        deadline == CLOCK_NEVER ? COROUTINE_NEVER : deadline + w->fetch->epoch;
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
    await_call(&w->fetch->aside, f, arg);
}

/* Only who reads just now needs a buffer. One is enough, unless bytes have to
 * stay in theirs: while their coroutine awaits its turn, or a disk. */
static char *take_buffer(struct blocking *b)
{
    struct fetch *fetch = ((struct worker *)b)->fetch;
    char *buffer = fetch->buffer;
    fetch->buffer = NULL;
    return buffer != NULL ? buffer : malloc(BLOCKING_CHUNK);
}

static void put_buffer(struct blocking *b, char *buffer)
{
    struct fetch *fetch = ((struct worker *)b)->fetch;
    if (fetch->buffer == NULL)
        fetch->buffer = buffer;
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
    sink_abort(&w->fetch->run->sink, &w->file, w->job);
    bytes_free(&w->held);
    trace_buffered(&w->blocking.lane, 0);
}

/* Writes to standard output, waiting as long as the consumer likes. It is
 * this request's turn, so no other does. */
static int write_out(struct worker *w, const char *p, size_t n)
{
    struct run *run = w->fetch->run;
    size_t share = OUT_SHARE;
    while (n > 0) {
        struct iovec part = {(void *)p, n < share ? n : share};
        if (run_stopping(run)) /* perhaps by the body before this one */
            return -ECANCELED;
        trace_buffered(&w->blocking.lane, n);
        ssize_t sent = output_send(&run->output, &part, 1);
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
        if (share == 0) { /* a file takes gigabytes without a wait */
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
        sink_write(&w->fetch->run->sink, &w->file, w->job, disk->p, disk->n);
}

static void commit_disk(void *arg)
{
    struct disk *disk = arg;
    struct worker *w = disk->worker;
    disk->error = sink_commit(&w->fetch->run->sink, &w->file, w->job);
}

/* To or at the disk, in a helper thread; with --discard there is none. */
static int at_disk(struct worker *w, void (*f)(void *arg), const char *p,
                   size_t n)
{
    struct disk disk = {.worker = w, .p = p, .n = n};
    if (w->fetch->run->options->directory == NULL)
        f(&disk);
    else
        await_call(&w->fetch->aside, f, &disk);
    return disk.error;
}

/* Step deliver: to the file; or to standard output, if need be later. */
static int step_deliver(struct blocking *blocking, const char *p, size_t n)
{
    struct worker *w = (struct worker *)blocking;
    struct run *run = w->fetch->run;
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

/* --- In flight ---------------------------------------------------------- */

static struct worker *worker_of(struct flier *flier)
{
    return (struct worker *)(void *)((char *)flier -
                                     offsetof(struct worker, flier));
}

/* Tells a request something, wherever it waits. */
static void tell(struct worker *w, enum told what)
{
    atomic_store(&w->blocking.told, what);
    if (w->self != NULL)
        coroutine_cancel(w->self);
}

/* The turn may have come to the first in flight. What that was told a moment
 * before is void, or a body would be cut in its midst. */
static void pass_turn(struct fetch *fetch, uint64_t turn)
{
    (void)flight_pass_turn(&fetch->flight, turn);
    struct flier *first = fetch->flight.first;
    if (first == NULL || !flight_has_turn(&fetch->flight, first->id))
        return;
    struct worker *w = worker_of(first);
    if (atomic_load(&w->blocking.told) == TOLD_GIVE_WAY) {
        atomic_store(&w->blocking.told, TOLD_NOTHING);
        if (w->self != NULL)
            coroutine_uncancel(w->self);
    }
    condition_wake(&w->turn);
}

/* Its place is free. */
static void leave(struct worker *w)
{
    struct fetch *fetch = w->fetch;
    flight_leave(&fetch->flight, &w->flier);
    w->next = fetch->free;
    fetch->free = w;
    condition_wake_all(&fetch->moved);
}

/* Step finish: records the result and passes the turn on. */
static void step_finish(struct worker *w)
{
    trace_step(&w->blocking.lane, STEP_FINISH);
    trace_finish(&w->blocking.lane, w->job);
    uint64_t turn = run_finish(w->fetch->run, w->job);
    trace_step(&w->blocking.lane, STEP_NONE);
    leave(w);
    pass_turn(w->fetch, turn);
}

/* Step retry, when resources are short (the others are in blocking): true if
 * the request has given back all that it had, to start over later with
 * nothing counted. */
static bool starts_over(struct worker *w)
{
    struct fetch *fetch = w->fetch;
    struct outcome *outcome = &w->job->outcome;
    bool given =
        outcome->result == RESULT_CANCELLED && !run_stopping(fetch->run);
    if ((outcome->result != RESULT_NO_RESOURCES && !given) || w->written > 0)
        return false;
    if (!given) {
        bool trimmed = coroutines_trim(fetch->coroutines);
        struct flier *newest = flight_give_way(&fetch->flight, &w->flier);
        if (newest == NULL && !trimmed)
            return false; /* the only one has nobody to wait for */
        run_warn_shortage(fetch->run, outcome->cause, fetch->flight.limit);
        if (newest != NULL && newest != &w->flier)
            tell(worker_of(newest), TOLD_GIVE_WAY);
    }
    trace_step(&w->blocking.lane, STEP_NONE);
    run_given_back(fetch->run, w->job);
    jobs_give_back(&fetch->run->jobs, w->job);
    leave(w);
    return true;
}

/* --- One request -------------------------------------------------------- */

/* From connect to its body at the destination. */
static void go(struct worker *w)
{
    struct run *run = w->fetch->run;
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

/* A coroutine. */
static int work(void *arg)
{
    struct worker *w = arg;
    w->self = coroutine_self();
    trace_step(&w->blocking.lane, STEP_TAKE);
    trace_about(&w->blocking.lane, w->job->id);
    trace_take_over(&w->blocking.lane, PARCEL_JOB, w->job->id);
    go(w);
    w->self = NULL;
    if (!starts_over(w))
        step_finish(w);
    return 0;
}

/* --- The first coroutine ------------------------------------------------ */

/* A free slot, which there is: one for each place, and one more for the first
 * in line, which needs no free place. */
static struct worker *take_slot(struct fetch *fetch)
{
    struct worker *w = fetch->free;
    if (w != NULL) {
        fetch->free = w->next;
        return w;
    }
    size_t slot = fetch->used++;
    w = &fetch->workers[slot];
    w->blocking.waits = &waits;
    w->blocking.options = fetch->run->options;
    w->blocking.idle = &fetch->idle;
    w->blocking.tls = &fetch->run->tls;
    w->blocking.deliver = step_deliver;
    w->blocking.restart = restart;
    trace_name(&fetch->run->trace, &w->blocking.lane, (int)slot + 1,
               "coroutine %zu", slot);
    w->fetch = fetch;
    return w;
}

/* There is not even the memory to begin. With nothing in flight there is
 * nothing to wait for: the job fails. */
static void begin_later(struct fetch *fetch, struct job *job)
{
    struct run *run = fetch->run;
    struct flier *newest = flight_make_room(&fetch->flight, job->id);
    if (fetch->flight.count == 0) {
        job->outcome = OUTCOME_NONE;
        outcome_set(&job->outcome, RESULT_NO_RESOURCES, "%s",
                    strerror(ENOMEM));
        pass_turn(fetch, run_finish(run, job));
        return;
    }
    jobs_give_back(&run->jobs, job);
    run_warn_shortage(run, strerror(ENOMEM), fetch->flight.count);
    if (newest != NULL)
        tell(worker_of(newest), TOLD_GIVE_WAY);
    (void)await_condition(&fetch->moved, COROUTINE_NEVER);
}

/* Has a coroutine made for the job. */
static void begin(struct fetch *fetch, struct job *job)
{
    struct worker *w = take_slot(fetch);
    w->job = job;
    w->job->outcome = OUTCOME_NONE;
    w->file = FILE_NONE;
    w->written = 0;
    w->peak = 0;
    atomic_store(&w->blocking.told, TOLD_NOTHING);
    if (group_start(&fetch->group, work, w) != 0) {
        w->next = fetch->free;
        fetch->free = w;
        begin_later(fetch, job);
        return;
    }
    flight_enter(&fetch->flight, &w->flier, job->id);
    run_started(fetch->run, job, (int)(w - fetch->workers));
    trace_about(&fetch->lane, job->id);
    trace_hand_over(&fetch->lane, PARCEL_JOB, job->id);
}

/* Awaits what a further job needs: a place, input, memory. */
static void await_moved(struct fetch *fetch, int got)
{
    struct run *run = fetch->run;
    int64_t until = COROUTINE_NEVER;
    if (got == 0 && !jobs_done(&run->jobs)) {
        fetch->wants_input = true;
        condition_wake(&fetch->asked);
    } else if (got == 0) {
        idle_expect(&fetch->idle, fetch->flight.count);
    } else if (got == -ENOMEM) {
        if (fetch->flight.count == 0)
            run_fail(run, "%s", strerror(ENOMEM));
        until = coroutine_now() + RUN_TICK_MS * INT64_C(1000);
    }
    trace_step(&fetch->lane, STEP_NONE);
    (void)await_condition(&fetch->moved, until);
    trace_step(&fetch->lane, STEP_TAKE);
}

/* Step take: the next job for which there is a place. NULL when there will be
 * none any more, or the run is to stop. */
static struct job *step_take(struct fetch *fetch)
{
    struct run *run = fetch->run;
    while (!run_stopping(run)) {
        struct job *job;
        int got = run_next(run, &job);
        if (got == 1 && flight_may_enter(&fetch->flight, job->id))
            return job;
        if (got == 1) /* perhaps an earlier one comes back meanwhile */
            jobs_give_back(&run->jobs, job);
        if (got == 0 && jobs_done(&run->jobs) && fetch->flight.count == 0)
            return NULL;
        await_moved(fetch, got);
    }
    return NULL;
}

/* --- Coroutines beside it ----------------------------------------------- */

/* Reads --input, only when a job is missing: so its writer feels
 * back-pressure, too. */
static int read_input(void *arg)
{
    struct fetch *fetch = arg;
    struct run *run = fetch->run;
    int ready = 0;
    while (run->input != -1 && ready != -ECANCELED) {
        ready = fetch->wants_input
                    ? await_fd(run->input, POLLIN, COROUTINE_NEVER)
                    : await_condition(&fetch->asked, COROUTINE_NEVER);
        if (ready <= 0)
            continue;
        fetch->wants_input = false;
        /* -ENOMEM is tried again, but not in vain for ever. */
        if (run_read_input(run) != 0 && fetch->flight.count == 0)
            run_fail(run, "%s", strerror(ENOMEM));
        condition_wake_all(&fetch->moved);
    }
    return 0;
}

/* Waits for the end of the run, and tells all who are in flight. */
static int await_stop(void *arg)
{
    struct fetch *fetch = arg;
    int ready;
    do
        ready = await_fd(fetch->run->stop_fd, POLLIN, COROUTINE_NEVER);
    while (ready == -ENOMEM);
    if (ready < 0)
        return 0;
    for (struct flier *at = fetch->flight.first; at != NULL; at = at->after)
        tell(worker_of(at), TOLD_STOP);
    condition_wake_all(&fetch->moved);
    return 0;
}

/* The progress line, and what a stalled reader has not taken. */
static int tick(void *arg)
{
    struct fetch *fetch = arg;
    while (await_time(coroutine_now() + RUN_TICK_MS * INT64_C(1000)) !=
           -ECANCELED) {
        if (!run_ticks(fetch->run))
            continue;
        run_tick(fetch->run);
        condition_wake_all(&fetch->moved); /* a request may begin again */
    }
    return 0;
}

/* --- Steps start and stop ----------------------------------------------- */

/* The first coroutine: takes job after job, and has each done. */
static int run_all(void *arg)
{
    struct fetch *fetch = arg;
    struct job *job;
    int left = TAKE_SHARE;
    group_open(&fetch->group);
    int error = group_start(&fetch->group, await_stop, fetch);
    if (error == 0)
        error = group_start(&fetch->group, read_input, fetch);
    if (error == 0)
        error = group_start(&fetch->group, tick, fetch);
    trace_step(&fetch->lane, STEP_TAKE);
    while (error == 0 && (job = step_take(fetch)) != NULL) {
        begin(fetch, job);
        if (--left == 0) {
            (void)await_others();
            left = TAKE_SHARE;
        }
    }
    trace_step(&fetch->lane, STEP_STOP);
    /* Those beside it. Requests are left only when the run is to stop. */
    group_end(&fetch->group, -ECANCELED);
    (void)await_group(&fetch->group, COROUTINE_NEVER);
    trace_step(&fetch->lane, STEP_NONE);
    return error;
}

/* Step start: the loop and all that the coroutines share. */
static int step_start(struct fetch *fetch, struct run *run)
{
    *fetch = (struct fetch){.run = run, .epoch = coroutine_now() - clock_us()};
    trace_name(&run->trace, &fetch->lane, 0, "first coroutine");
    trace_step(&fetch->lane, STEP_START);
    size_t limit = base_most(run, run->options->jobs);
    flight_open(&fetch->flight, limit);
    fetch->workers = calloc(limit + 1, sizeof *fetch->workers);
    if (fetch->workers == NULL)
        return -ENOMEM;
    int error = base_prepare(false);
    if (error == 0)
        error = base_open(&fetch->base, run->options);
    if (error != 0)
        goto no_base;
    error = aside_open(&fetch->aside, fetch->base);
    if (error != 0)
        goto no_aside;
    error = idle_open(&fetch->idle, run->options->jobs, blocking_close_idle);
    if (error != 0)
        goto no_idle;
    error = coroutines_open(&fetch->coroutines, fetch->base);
    if (error == 0)
        return 0;

    idle_close(&fetch->idle);
no_idle:
    aside_close(&fetch->aside);
no_aside:
    event_base_free(fetch->base);
no_base:
    free(fetch->workers);
    return error;
}

/* Step stop: no coroutine is left. */
static void step_stop(struct fetch *fetch)
{
    coroutines_close(fetch->coroutines);
    idle_close(&fetch->idle);
    aside_close(&fetch->aside);
    event_base_free(fetch->base);
    free(fetch->buffer);
    free(fetch->workers);
}

void model_run(struct run *run)
{
    struct fetch fetch;
    int error = step_start(&fetch, run);
    if (error == 0) {
        error = coroutines_run(fetch.coroutines, run_all, &fetch);
        step_stop(&fetch);
    }
    if (error != 0)
        run_fail(run, "%s", strerror(-error));
    libevent_global_shutdown();
}
