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
 * What the workers share - the turn, and who gives way in a shortage - is said
 * by common/flight.c, and told to sleepers by places.c, behind one lock. SIGUSR1, let in by blocking_wait alone, is how
 * one is woken from its I/O.
 */
#include "clock.h"
#include "model.h"
#include "outlet.h"
#include "places.h"
#include "pool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

const char model_name[] = "threads";

struct worker {
    struct blocking blocking; /* first: deliver is handed a pointer to it */
    struct place place;
    struct outlet outlet;
    struct fetch *fetch; /* NULL until the slot's first thread */
    char *buffers; /* to read into, of this and the next BUFFERS - 1; NULL in
                    * those */
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

    /* The main thread's: */
    uint64_t submitted; /* jobs */
    uint64_t room;      /* the queue has, at least */
};

/* Threads are made until there is no memory for one more. What is freed then
 * is for the small needs of those that were made. */
#define RESERVE ((size_t)1024 * 1024)

/* --- Step deliver ------------------------------------------------------- */

/* Step deliver: to the file; or to standard output, if need be later. */
static int step_deliver(struct blocking *blocking, const char *p, size_t n)
{
    struct worker *w = (struct worker *)blocking;
    if (!outlet_is_ordered(&w->outlet))
        return outlet_store(&w->outlet, p, n);
    /* Up to the high mark a body may run ahead of its turn. */
    if (outlet_has_room(&w->outlet, n) && !place_has_turn(&w->place))
        return outlet_hold(&w->outlet, p, n);
    int error = place_wait_turn(&w->place);
    return error == 0 ? outlet_write(&w->outlet, p, n) : error;
}

static void restart(struct blocking *blocking)
{
    outlet_forget(&((struct worker *)blocking)->outlet);
}

/* --- Steps take to finish, one job -------------------------------------- */

/* One go at the job: from connect to its body at the destination. */
static void go(struct worker *w, struct job *job)
{
    int error = 0;
    outlet_open(&w->outlet, job);
    blocking_fetch_job(&w->blocking, job);
    if (job->outcome.result == RESULT_OK && outlet_is_ordered(&w->outlet))
        error = place_wait_turn(&w->place);
    outlet_complete(&w->outlet, error);
}

/* Step finish: records the result and passes the turn on. */
static void step_finish(struct worker *w, struct job *job)
{
    trace_finish(&w->blocking.lane, job);
    uint64_t turn = run_finish(w->fetch->run, job);
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
    const struct outcome *outcome = &w->outlet.job->outcome;
    bool given = outcome->result == RESULT_CANCELLED && !run_stopping(run);
    size_t left;
    if ((outcome->result != RESULT_NO_RESOURCES && !given) ||
        w->outlet.written > 0)
        return false;
    if (!place_give_way(&w->place, !given, &left))
        return false;
    if (!given)
        run_warn_shortage(run, outcome->cause, left);
    return true;
}

/* Buffers are allocated for so many workers at once. Each alone would lie on
 * the heap between the small things of two workers, with pages for each of
 * those (tests/bench/MEASURED.md). */
#define BUFFERS ((size_t)16)

/* What the worker of a slot needs for good, before its first thread. A thread
 * without a buffer would be of no use, and its stack would take the memory
 * that the others need. */
static int prepare(size_t slot, void *context)
{
    struct fetch *fetch = context;
    struct worker *w = &fetch->workers[slot];
    struct worker *first = &fetch->workers[slot - slot % BUFFERS];
    if (w->fetch != NULL)
        return 0;
    if (first->buffers == NULL)
        first->buffers = malloc(BUFFERS * BLOCKING_CHUNK);
    if (first->buffers == NULL)
        return -ENOMEM;
    w->blocking.buffer = first->buffers + slot % BUFFERS * BLOCKING_CHUNK;
    w->blocking.options = fetch->run->options;
    w->blocking.idle = &fetch->idle;
    w->blocking.tls = &fetch->run->tls;
    w->blocking.deliver = step_deliver;
    w->blocking.restart = restart;
    trace_name(&fetch->run->trace, &w->blocking.lane, (int)slot + 1,
               "worker %zu", slot);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &w->blocking.wait_mask);
    sigdelset(&w->blocking.wait_mask, SIGUSR1);
    place_add(&fetch->places, &w->place, &w->blocking.told);
    w->outlet.blocking = &w->blocking;
    w->outlet.run = fetch->run;
    w->fetch = fetch;
    return 0;
}

/* What a thread of the pool does with each job. */
static void work(struct pool_thread *thread, void *item, void *context)
{
    struct fetch *fetch = context;
    struct worker *w = &fetch->workers[thread->slot];
    struct job *job = item;
    bool again = false;
    places_took_job(&fetch->places);
    trace_get(&w->blocking.lane, STEP_TAKE, PARCEL_JOB, job->id);
    run_started(fetch->run, job, (int)thread->slot);
    do {
        if (!place_enter(&w->place, job->id) || run_stopping(fetch->run)) {
            outcome_set(&job->outcome, RESULT_CANCELLED,
                        "the run ended first");
            break;
        }
        go(w, job);
        /* The only request in flight cannot wait for another; it has the
         * reserve. */
        again = starts_over(w);
        if (!again && w->outlet.written == 0 &&
            job->outcome.result == RESULT_NO_RESOURCES && use_reserve(fetch)) {
            go(w, job);
            again = starts_over(w);
        }
    } while (again);
    step_finish(w, job);
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
    fetch->room = run->options->jobs;
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

/* When the queue is full, waits until half of it has been taken. To be woken
 * for each job would cost two switches a request (tests/bench/MEASURED.md).
 * True if there is room. */
static bool wait_for_room(struct fetch *fetch)
{
    const struct options *options = fetch->run->options;
    if (fetch->room > 0 || options->spawn_each) /* which has no queue */
        return true;
    uint64_t taken = places_wait_taken(
        &fetch->places, fetch->submitted - options->jobs / 2, RUN_TICK_MS);
    fetch->room = options->jobs - (fetch->submitted - taken);
    return fetch->room > 0;
}

/* Hands a job to the pool, waiting while its queue is full. False if the run
 * is to stop; then the job is back among the others. */
static bool submit(struct fetch *fetch, struct job *job)
{
    struct run *run = fetch->run;
    while (!run_stopping(run)) {
        bool short_of_threads;
        if (!wait_for_room(fetch)) {
            run_tick(run);
            continue;
        }
        int error =
            pool_submit(&fetch->pool, job, RUN_TICK_MS, &short_of_threads);
        if (short_of_threads)
            (void)use_reserve(fetch);
        if (short_of_threads)
            run_warn_shortage(run, "no more threads can be made",
                              pool_alive(&fetch->pool));
        if (error == 0) {
            fetch->submitted++;
            fetch->room--;
            return true;
        }
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
    uint64_t total = run->jobs.next_id;
    atomic_store(&fetch->total, total);
    idle_expect(&fetch->idle, total - run_turn(run)); /* others: step_finish */
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
