/*
 * fetch-threads: a pool of threads, each blocking on its own socket.
 *
 * The main thread reads the URLs and puts jobs into a bounded queue; each
 * thread of the pool takes one, drives it from connect to finish, straight
 * down, and takes the next. What it waits for, it waits for alone.
 *
 * Bodies for standard output keep their order by a turn: the id of the first
 * request not finished. A worker whose turn it is writes through; any other
 * holds up to the high-watermark and then sleeps on its condition variable
 * until the worker ahead passes the turn on. It does not read meanwhile, so
 * the kernel's buffers fill and the server stops: back-pressure.
 *
 * What the workers share - the turn, and who gives way in a shortage - is in
 * places.c, behind one lock. SIGUSR1, let in by blocking_wait alone, is how
 * one is woken from its I/O.
 */
#include "blocking.h"
#include "bytes.h"
#include "clock.h"
#include "idle.h"
#include "model.h"
#include "places.h"
#include "pool.h"
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

const char model_name[] = "threads";

struct worker {
    struct blocking blocking; /* first: deliver is handed a pointer to it */
    struct place place;
    struct fetch *fetch; /* NULL until the slot's first job */
    struct job *job;
    struct file file;  /* of --directory and --discard */
    struct bytes held; /* body bytes that wait for the turn */
    uint64_t written;  /* body bytes that standard output took */
    size_t peak;       /* most body bytes in hand */
    char *buffers;     /* to read into, of this and the next BUFFERS - 1; NULL
                        * in those */
};

struct fetch {
    struct run *run;
    struct pool pool;
    struct places places;
    struct idle idle;
    struct lane lane;        /* the main thread's, of --trace */
    struct worker *workers;  /* one a slot of the pool */
    _Atomic(void *) reserve; /* for when there is no memory; NULL: used */
    _Atomic(uint64_t) total; /* jobs, once all are there; 0: not yet */
};

/* Threads are made until there is no memory for one more. What is freed then
 * is for the small needs of those that were made. */
#define RESERVE ((size_t)1024 * 1024)

static bool ordered(const struct worker *w)
{
    return options_ordered(w->fetch->run->options);
}

/* So many body bytes are in hand. */
static void in_hand(struct worker *w, size_t n)
{
    if (w->peak < n)
        w->peak = n;
    trace_buffered(&w->blocking.lane, n);
}

static void forget_body(struct worker *w)
{
    sink_abort(&w->fetch->run->sink, &w->file, w->job);
    bytes_free(&w->held);
    in_hand(w, 0);
}

/* --- Step deliver ------------------------------------------------------- */

/* Writes to standard output, waiting as long as the consumer likes. It is
 * this worker's turn, so no other does. */
static int write_out(struct worker *w, const char *p, size_t n)
{
    struct run *run = w->fetch->run;
    while (n > 0) {
        struct iovec part = {(void *)p, n};
        if (run_stopping(run)) /* perhaps by the body before this one */
            return -ECANCELED;
        in_hand(w, n);
        ssize_t sent = output_send(&run->output, &part, 1);
        if (sent == -EAGAIN) {
            int ready = blocking_wait(&w->blocking, run->output.fd, POLLOUT,
                                      CLOCK_NEVER);
            if (ready < 0)
                return ready;
        } else if (sent < 0) {
            run_fail(run, "standard output: %s", strerror((int)-sent));
            return (int)sent;
        } else {
            w->written += (size_t)sent;
            run_count(run, (size_t)sent);
            p += sent;
            n -= (size_t)sent;
        }
    }
    in_hand(w, 0);
    return 0;
}

/* Waits for the turn and writes what was held until then. */
static int flush_held(struct worker *w)
{
    int error = place_wait_turn(&w->place);
    if (error == 0)
        error = write_out(w, w->held.data, w->held.length);
    bytes_free(&w->held);
    return error;
}

/* Step deliver: to the file; or to standard output, if need be later. */
static int step_deliver(struct blocking *blocking, const char *p, size_t n)
{
    struct worker *w = (struct worker *)blocking;
    struct run *run = w->fetch->run;
    in_hand(w, w->held.length + n);
    if (!ordered(w)) {
        int error = sink_write(&run->sink, &w->file, w->job, p, n);
        if (error == 0)
            run_count(run, n);
        return error;
    }
    /* Up to the high mark a body may run ahead of its turn. */
    size_t room = run->options->high_water - w->held.length;
    if (n <= room && !place_has_turn(&w->place))
        return bytes_append(&w->held, p, n);
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
    struct run *run = w->fetch->run;
    struct outcome *outcome = &w->job->outcome;
    trace_step(&w->blocking.lane, STEP_DELIVER);
    if (outcome->result == RESULT_OK) {
        int error = ordered(w) ? flush_held(w)
                               : sink_commit(&run->sink, &w->file, w->job);
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

/* --- Steps take to finish, one job -------------------------------------- */

/* One go at the job: from connect to its body at the destination. */
static void go(struct worker *w)
{
    struct run *run = w->fetch->run;
    struct exchange *x = NULL;
    w->file = FILE_NONE;
    w->written = 0;
    w->peak = 0;
    w->job->outcome = OUTCOME_NONE;
    x = exchange_new(run->options, w->job->url, w->job->url_length,
                     clock_us());
    if (x == NULL) {
        outcome_set(&w->job->outcome, RESULT_NO_RESOURCES, "out of memory");
        return;
    }
    blocking_fetch(&w->blocking, x);
    w->job->outcome = *exchange_outcome(x);
    exchange_free(x);
    complete_body(w);
}

/* Step finish: records the result and passes the turn on. */
static void step_finish(struct worker *w)
{
    trace_finish(&w->blocking.lane, w->job);
    uint64_t turn = run_finish(w->fetch->run, w->job);
    place_leave(&w->place, turn);
    uint64_t total = atomic_load(&w->fetch->total);
    if (total > 0) /* all before the turn are finished */
        idle_expect(&w->fetch->idle, total - turn);
}

/* True if there was something left to be used. Any thread may ask. */
static bool use_reserve(struct fetch *fetch)
{
    void *had = atomic_exchange(&fetch->reserve, NULL);
    free(had);
    return had != NULL;
}

/* Step retry, when resources are short (the others are in blocking): true if
 * the request is to start over, with nothing counted. */
static bool starts_over(struct worker *w)
{
    struct run *run = w->fetch->run;
    enum result result = w->job->outcome.result;
    bool given = result == RESULT_CANCELLED && !run_stopping(run);
    size_t left;
    if ((result != RESULT_NO_RESOURCES && !given) || w->written > 0)
        return false;
    if (!place_give_way(&w->place, !given, &left))
        return false;
    if (!given)
        run_warn_shortage(run, w->job->outcome.cause, left);
    return true;
}

/* Buffers are allocated for so many workers at once. Each alone would lie on
 * the heap between the small things of two workers, with pages for each of
 * those (tests/bench/MEASURED.md). */
#define BUFFERS ((size_t)16)

/* A thread without a buffer would be of no use, and its stack would take the
 * memory that the others need. */
static int prepare(size_t slot, void *context)
{
    struct fetch *fetch = context;
    struct worker *first = &fetch->workers[slot - slot % BUFFERS];
    if (first->buffers == NULL)
        first->buffers = malloc(BUFFERS * BLOCKING_CHUNK);
    if (first->buffers == NULL)
        return -ENOMEM;
    fetch->workers[slot].blocking.buffer =
        first->buffers + slot % BUFFERS * BLOCKING_CHUNK;
    return 0;
}

/* The first job of a slot: what its worker needs for good. */
static void make_ready(struct worker *w, struct fetch *fetch, int slot)
{
    w->blocking.options = fetch->run->options;
    w->blocking.idle = &fetch->idle;
    w->blocking.tls = &fetch->run->tls;
    w->blocking.deliver = step_deliver;
    w->blocking.restart = restart;
    trace_name(&fetch->run->trace, &w->blocking.lane, slot + 1, "worker %d",
               slot);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &w->blocking.wait_mask);
    sigdelset(&w->blocking.wait_mask, SIGUSR1);
    place_add(&fetch->places, &w->place, &w->blocking.told);
    w->fetch = fetch;
}

/* What a thread of the pool does with each job. */
static void work(struct pool_thread *thread, void *item, void *context)
{
    struct fetch *fetch = context;
    struct worker *w = &fetch->workers[thread->slot];
    bool again = false;
    if (w->fetch == NULL)
        make_ready(w, fetch, (int)thread->slot);
    w->job = item;
    trace_get(&w->blocking.lane, STEP_TAKE, PARCEL_JOB, w->job->id);
    run_started(fetch->run, w->job, (int)thread->slot);
    do {
        if (!place_enter(&w->place, w->job->id) || run_stopping(fetch->run)) {
            outcome_set(&w->job->outcome, RESULT_CANCELLED,
                        "the run ended first");
            break;
        }
        go(w);
        /* The only request in flight cannot wait for another; it has the
         * reserve. */
        again = starts_over(w);
        if (!again && w->written == 0 &&
            w->job->outcome.result == RESULT_NO_RESOURCES &&
            use_reserve(fetch)) {
            go(w);
            again = starts_over(w);
        }
    } while (again);
    step_finish(w);
    trace_step(&w->blocking.lane, STEP_TAKE); /* until the next is here */
}

/* --- The main thread ---------------------------------------------------- */

/* Step start: prepares the pool; threads are made as jobs come. */
static int step_start(struct fetch *fetch, struct run *run)
{
    *fetch = (struct fetch){.run = run};
    trace_name(&run->trace, &fetch->lane, 0, "main");
    trace_step(&fetch->lane, STEP_START);
    blocking_prepare();
    fetch->workers = calloc(run->options->jobs, sizeof *fetch->workers);
    if (fetch->workers == NULL)
        return -ENOMEM;
    int error = places_open(&fetch->places, run->options->jobs);
    if (error != 0)
        goto no_places;
    error = idle_open(&fetch->idle, run->options->jobs, blocking_close_idle);
    if (error != 0)
        goto no_idle;
    error = pool_open(&fetch->pool, run->options->jobs,
                      run->options->spawn_each, prepare, work, fetch);
    if (error == 0) {
        fetch->reserve = malloc(RESERVE); /* without it: so be it */
        return 0;
    }

    idle_close(&fetch->idle);
no_idle:
    places_close(&fetch->places);
no_places:
    free(fetch->workers);
    return error;
}

/* Waits for --input, for a stop, or for a moment. True if there is input. */
static bool wait_for_input(struct run *run)
{
    struct pollfd fds[] = {{.fd = run->stop_fd, .events = POLLIN},
                           {.fd = run->input, .events = POLLIN}};
    (void)poll(fds, 2, RUN_TICK_MS);
    run_tick(run);
    return fds[1].revents != 0;
}

/* Step take, the main thread's half: the next job. NULL when there is none
 * left, or the run is to stop. Memory that is short may come back while
 * requests are in flight. */
static struct job *step_take(struct fetch *fetch)
{
    struct run *run = fetch->run;
    trace_step(&fetch->lane, STEP_NONE);
    trace_step(&fetch->lane, STEP_TAKE);
    while (!run_stopping(run)) {
        struct job *job;
        uint64_t turn = run_turn(run);
        int got = run_next(run, &job);
        if (got == 1) {
            trace_put(&fetch->lane, STEP_TAKE, PARCEL_JOB, job->id);
            return job;
        }
        if (got == 0 && jobs_done(&run->jobs))
            return NULL;
        if (got == -EBUSY) {
            places_wait_moved(&fetch->places, turn, RUN_TICK_MS);
            run_tick(run);
        }
        if (got == 0 && wait_for_input(run))
            got = run_read_input(run);
        if (got == -ENOMEM) {
            if (run_in_flight(run) == 0 && !use_reserve(fetch))
                run_fail(run, "%s", strerror(ENOMEM));
            (void)wait_for_input(run);
        }
    }
    return NULL;
}

/* Hands a job to the pool, waiting while its queue is full. False if the run
 * is to stop; then the job is back among the others. */
static bool submit(struct fetch *fetch, struct job *job)
{
    struct run *run = fetch->run;
    while (!run_stopping(run)) {
        bool short_of_threads;
        int error =
            pool_submit(&fetch->pool, job, RUN_TICK_MS, &short_of_threads);
        if (short_of_threads)
            (void)use_reserve(fetch);
        if (short_of_threads)
            run_warn_shortage(run, "no more threads can be made",
                              pool_alive(&fetch->pool));
        if (error == 0)
            return true;
        if (error != -ETIMEDOUT)
            run_fail(run, "no worker can be made: %s", strerror(-error));
        run_tick(run);
    }
    jobs_give_back(&run->jobs, job);
    return false;
}

/* Step stop: all jobs are submitted, or the run was interrupted; then what is
 * still in the queue is cancelled by the workers that take it. */
static void step_stop(struct fetch *fetch)
{
    struct run *run = fetch->run;
    trace_step(&fetch->lane, STEP_STOP);
    atomic_store(&fetch->total, run->jobs.next_id);
    pool_finish(&fetch->pool);
    do {
        run_tick(run);
        if (run_stopping(run))
            places_stop(&fetch->places);
    } while (!pool_wait(&fetch->pool, RUN_TICK_MS));
    pool_free(&fetch->pool);
    for (unsigned i = 0; i < run->options->jobs; i++) {
        trace_step(&fetch->workers[i].blocking.lane, STEP_NONE);
        free(fetch->workers[i].buffers);
    }
    places_close(&fetch->places);
    idle_close(&fetch->idle);
    (void)use_reserve(fetch);
    free(fetch->workers);
    trace_step(&fetch->lane, STEP_NONE);
}

void model_run(struct run *run)
{
    struct fetch fetch;
    struct job *job;
    int error = step_start(&fetch, run);
    if (error != 0) {
        run_fail(run, "%s", strerror(-error));
        return;
    }
    while ((job = step_take(&fetch)) != NULL) {
        if (!submit(&fetch, job))
            break;
    }
    step_stop(&fetch);
}
