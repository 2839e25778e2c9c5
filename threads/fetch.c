/*
 * fetch-threads: a pool of threads, each blocking on its own socket.
 *
 * The main thread reads the URLs and puts jobs into a bounded queue. Each
 * thread of the pool takes one, drives it from connect to finish, straight
 * down, and takes the next. What a thread waits for, it waits for alone.
 *
 * Bodies for standard output keep their order by a turn: the id of the first
 * request not finished. A worker whose turn it is writes through. Any other
 * holds up to the high-watermark, and then sleeps on its condition variable
 * until the worker ahead passes the turn on (places.h). Meanwhile it does not
 * read, so the kernel's buffers fill and the server stops: back-pressure.
 */
#include "clock.h"
#include "model.h"
#include "outlet.h"
#include "places.h"
#include "pool.h"

#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

const char model_name[] = "threads";

struct worker {
    struct outlet outlet; /* first: deliver is handed a pointer to it */
    struct place place;
    struct fetch *fetch; /* NULL until the slot's first thread */
};

struct fetch {
    struct run *run;
    struct pool pool;
    struct places places;
    struct idle idle;
    struct lane lane;        /* the main thread's, of --trace */
    struct worker *workers;  /* one a slot of the pool */
    char *buffers;           /* of the last BUFFERS of them */
    _Atomic(void *) reserve; /* for when there is no memory; NULL: used */
    _Atomic(uint64_t) total; /* jobs, once all are there; 0: not yet */

    /* Jobs go to the pool in batches of half a queue: to wake the main thread
     * for each would cost two switches a request (tests/bench/MEASURED.md). */
    uint64_t batch; /* jobs in one */
    sem_t begun;    /* a batch is: the first of its jobs was taken */
    uint64_t room;  /* jobs that the main thread may still hand over */
};

/* Threads are made until there is no memory for one more. What is freed then
 * is for the small needs of those that were made. */
#define RESERVE ((size_t)1024 * 1024)

/* --- A worker: steps take to finish ------------------------------------- */

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

/* Step finish: records the result and passes the turn on. */
static void step_finish(struct worker *w, struct job *job)
{
    trace_finish(&w->outlet.blocking.lane, job);
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
 * the request is to start over, with nothing counted. The only one in flight
 * has no other to wait for; it has the reserve. */
static bool starts_over(struct worker *w)
{
    enum shortage shortage = outlet_shortage(&w->outlet);
    size_t left;
    if (shortage == SHORTAGE_NONE)
        return false;
    if (!place_give_way(&w->place, shortage == SHORTAGE_MET, &left))
        return use_reserve(w->fetch);
    if (shortage == SHORTAGE_MET)
        run_warn_shortage(w->fetch->run, w->outlet.job->outcome.cause, left);
    return true;
}

/* Buffers are allocated for so many workers at once. Each alone would lie on
 * the heap between the small things of two workers, with pages for each of
 * those (tests/bench/MEASURED.md). */
#define BUFFERS ((size_t)16)

/* What the worker of a slot needs for good, before its first thread. */
static int prepare(size_t slot, void *context)
{
    struct fetch *fetch = context;
    struct worker *w = &fetch->workers[slot];
    struct blocking *blocking = &w->outlet.blocking;
    if (w->fetch != NULL)
        return 0;
    if (slot % BUFFERS == 0)
        fetch->buffers = malloc(BUFFERS * BLOCKING_CHUNK);
    if (fetch->buffers == NULL)
        return -ENOMEM;
    blocking->buffer = fetch->buffers + slot % BUFFERS * BLOCKING_CHUNK;
    w->fetch = fetch;
    outlet_prepare(&w->outlet, fetch->run, &fetch->idle, step_deliver);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &blocking->wait_mask);
    sigdelset(&blocking->wait_mask, SIGUSR1);
    place_add(&fetch->places, &w->place, &blocking->told);
    trace_name(&fetch->run->trace, &blocking->lane, (int)slot + 1,
               "worker %zu", slot);
    return 0;
}

/* What a thread of the pool does with each job, straight down. */
static void work(struct pool_thread *thread, void *item, void *context)
{
    struct fetch *fetch = context;
    struct worker *w = &fetch->workers[thread->slot];
    struct lane *lane = &w->outlet.blocking.lane;
    struct job *job = item;
    if (job->id % fetch->batch == 0)
        (void)sem_post(&fetch->begun);
    trace_get(lane, STEP_TAKE, PARCEL_JOB, job->id);
    run_started(fetch->run, job, (int)thread->slot);
    do {
        int error = 0;
        place_enter(&w->place, job->id);
        if (run_stopping(fetch->run)) {
            outcome_cancel(&job->outcome);
            break;
        }
        outlet_open(&w->outlet, job);
        blocking_fetch_job(&w->outlet.blocking, job);
        if (job->outcome.result == RESULT_OK && outlet_is_ordered(&w->outlet))
            error = place_wait_turn(&w->place);
        outlet_complete(&w->outlet, error);
    } while (starts_over(w));
    step_finish(w, job);
    trace_step(lane, STEP_TAKE); /* until the next is here */
}

/* --- The main thread ---------------------------------------------------- */

/* Step start: prepares the pool; threads are made as jobs come. */
static int step_start(struct fetch *fetch, struct run *run)
{
    size_t jobs = run->options->jobs;
    *fetch = (struct fetch){.run = run, .batch = (jobs + 1) / 2};
    trace_name(&run->trace, &fetch->lane, 0, "main");
    trace_step(&fetch->lane, STEP_START);
    blocking_prepare();
    places_open(&fetch->places, jobs);
    (void)sem_init(&fetch->begun, 0, 1);
    int error = idle_open(&fetch->idle, jobs, blocking_close_idle);
    if (error != 0)
        return error;
    fetch->workers = calloc(jobs, sizeof *fetch->workers);
    error = fetch->workers == NULL
                ? -ENOMEM
                : pool_open(&fetch->pool, jobs, run->options->spawn_each,
                            prepare, work, fetch);
    if (error == 0) {
        fetch->reserve = malloc(RESERVE); /* NULL: then without it */
        return 0;
    }
    free(fetch->workers);
    idle_close(&fetch->idle);
    return error;
}

/* Sleeps for a moment: until the run stops, or `fd` (-1: nothing) has input.
 * True if it has. */
static bool wait_for_input(struct run *run, int fd)
{
    struct pollfd fds[] = {{.fd = run->stop_fd, .events = POLLIN},
                           {.fd = fd, .events = POLLIN}};
    (void)poll(fds, 2, RUN_TICK_MS);
    run_tick(run);
    return fds[1].revents != 0;
}

/* Sleeps for a moment, if the queue may be full, until the first job of the
 * last batch is taken: then there is room for another batch. */
static bool wait_for_room(struct fetch *fetch)
{
    struct timespec until = clock_in_ms(RUN_TICK_MS);
    if (fetch->room > 0)
        return true;
    if (sem_clockwait(&fetch->begun, CLOCK_MONOTONIC, &until) == 0)
        fetch->room = fetch->batch;
    else
        run_tick(fetch->run);
    return fetch->room > 0;
}

/* Step take, the main thread's half. NULL: none is left, or the run stops. */
static struct job *step_take(struct fetch *fetch)
{
    struct run *run = fetch->run;
    trace_step(&fetch->lane, STEP_NONE);
    trace_step(&fetch->lane, STEP_TAKE);
    while (!run_stopping(run)) {
        struct job *job;
        if (!wait_for_room(fetch))
            continue;
        int got = run_next(run, &job);
        if (got == 1) {
            fetch->room--;
            trace_put(&fetch->lane, STEP_TAKE, PARCEL_JOB, job->id);
            return job;
        }
        if (got == 0 && jobs_done(&run->jobs))
            return NULL;
        if (got == 0 && wait_for_input(run, run->input))
            got = run_read_input(run);
        /* Those that wait for their thread will give back memory, too. */
        if (got == -ENOMEM && run_turn(run) == run->jobs.next_id &&
            !use_reserve(fetch))
            run_fail(run, "%s", strerror(ENOMEM));
        if (got < 0) /* what it lacks comes back when requests finish */
            (void)wait_for_input(run, -1);
    }
    return NULL;
}

/* Hands a job to the pool. False if the run is to stop: it is given back. */
static bool submit(struct fetch *fetch, struct job *job)
{
    struct run *run = fetch->run;
    while (!run_stopping(run)) {
        bool short_of_threads;
        int error =
            pool_submit(&fetch->pool, job, RUN_TICK_MS, &short_of_threads);
        if (short_of_threads) {
            (void)use_reserve(fetch);
            run_warn_shortage(run, "no more threads can be made",
                              pool_alive(&fetch->pool));
        }
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
        trace_step(&fetch->workers[i].outlet.blocking.lane, STEP_NONE);
        if (i % BUFFERS == 0)
            free(fetch->workers[i].outlet.blocking.buffer);
    }
    places_close(&fetch->places);
    idle_close(&fetch->idle);
    (void)sem_destroy(&fetch->begun);
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
    while ((job = step_take(&fetch)) != NULL && submit(&fetch, job))
        ;
    step_stop(&fetch);
}
