/*
 * fetch-processes: a pool of forked workers, jobs down a pipe, results up.
 *
 * The parent reads the URLs and sends each idle worker one job; the worker
 * (worker.c) drives it from connect to finish and sends the result back. The
 * parent never waits for what one child does: it waits, by epoll, for all pipes
 * it is willing to read, and for the news that a child has died (pool_reap).
 *
 * Bodies for standard output come up the pipe as well, and keep their order
 * by what the parent is willing to read: only the pipe of the request whose
 * turn it is. The others' pipes fill up, and their workers sleep in write.
 *
 * (epoll, not poll: each call of poll would list thousands of pipes.)
 */
#include "clock.h"
#include "database.h"
#include "model.h"
#include "request.h"
#include "watch.h"
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

const char model_name[] = "processes";

/* How long interrupted workers have for tidying up. They look for a signal
 * every few chunks, so they need little; a busy machine needs more. */
#define GRACE_MS 250

/* Jobs given out, and frames taken from the worker whose turn it is, before
 * deaths, results and a stop are looked at again. A worker as fast as standard
 * output would otherwise be served for ever. */
#define SHARE 64

/* What an event of epoll is about; below these: a worker's pipe (mailbox.h). */
enum { ABOUT_STOP = 1 << 30, ABOUT_INPUT, ABOUT_DEATH, ABOUT_OUTPUT };

struct fetch {
    struct shared shared;     /* with the requests */
    struct request *requests; /* one a slot */
    int epoll_fd;
    int kept_fds[POOL_KEPT]; /* that the workers need, too */
    bool output_full;        /* epoll tells when it is not any more */
};

/* --- Step take ---------------------------------------------------------- */

/* A body that waits for its turn waits in its worker's pipe. Warns when that
 * is the first one to hold less than it should. */
static void warn_of_capacity(struct run *run, size_t before, size_t now)
{
    size_t wanted = run->options->high_water;
    if (before != wanted || now == before)
        return;
    run_warn(run,
             "a pipe cannot hold %zu bytes here; the high-water mark is %zu",
             wanted, now);
}

/* Loads the library that the job needs before the fork: so workers share it
 * (tests/bench/MEASURED.md). After a redirect to https each loads its own. */
static void prepare(struct fetch *fetch, const struct job *job)
{
    if (strncasecmp(job->url, "https:", 6) == 0)
        tls_load(&fetch->shared.run->tls);
    else if (strncasecmp(job->url, "postgresql:", 11) == 0)
        database_load();
}

/* A worker cannot be made. True if the job may be tried again at once: the
 * newest request in flight has given way to the first in line. */
static bool lacks_worker(struct fetch *fetch, const struct job *job, int error)
{
    if (error == -EBUSY || error == -EPIPE)
        return false; /* one is dying; its death makes room */
    if (fetch->shared.pool.alive == 0) {
        run_fail(fetch->shared.run, "no worker can be made: %s",
                 strerror(-error));
        return false;
    }
    return request_make_room(&fetch->shared, job->id, strerror(-error));
}

/* Gives the job to an idle worker, or to a new one. False: the job waits. */
static bool give_out(struct fetch *fetch, struct job *job)
{
    struct shared *shared = &fetch->shared;
    struct pool *pool = &shared->pool;
    struct pool_worker *worker = NULL;
    size_t capacity = pool->capacity;
    trace_begin(&shared->lane, STEP_TAKE, job->id);
    prepare(fetch, job);
    int error = pool_get(pool, &worker);
    warn_of_capacity(shared->run, capacity, pool->capacity);
    if (error == 0) {
        struct request *r = &fetch->requests[worker->slot];
        r->shared = shared;
        error = mailbox_open(&r->mailbox, worker, fetch->epoll_fd);
        if (error == 0)
            error = request_send(r, job);
        if (error == 0)
            return true;
        if (error != -EPIPE)
            pool_release(pool, worker);
    }
    if (worker == NULL || error == -EPIPE || shared->flight.count > 0) {
        jobs_give_back(&shared->run->jobs, job);
        return lacks_worker(fetch, job, error);
    }
    /* No request is in flight whose end would free what is short. */
    job->outcome = OUTCOME_NONE;
    outcome_set(&job->outcome, RESULT_NO_RESOURCES, "%s", strerror(-error));
    (void)flight_pass_turn(&shared->flight, run_finish(shared->run, job));
    return true;
}

/* True if --input can be read without a wait; else epoll tells when. */
static bool has_input(struct fetch *fetch)
{
    struct pollfd input = {.fd = fetch->shared.run->input, .events = POLLIN};
    if (input.fd == -1)
        return false;
    if (poll(&input, 1, 0) == 1)
        return true;
    (void)watch(fetch->epoll_fd, input.fd, ABOUT_INPUT, EPOLLIN);
    return false;
}

/* Step take: gives out a job; or reads --input, but only when a job is missing,
 * so its writer feels back-pressure, too. False if neither can be done now. */
static bool step_take(struct fetch *fetch)
{
    struct run *run = fetch->shared.run;
    struct flight *flight = &fetch->shared.flight;
    struct job *job;
    if (!flight_may_enter(flight, jobs_first(&run->jobs)) || run_stopping(run))
        return false;
    int got = run_next(run, &job);
    bool taken = got == 1 && give_out(fetch, job);
    trace_step(&fetch->shared.lane, STEP_NONE);
    if (got == 0 && has_input(fetch)) {
        got = run_read_input(run);
        taken = got == 0;
    }
    if (got == -ENOMEM && flight->count == 0)
        run_fail(run, "%s", strerror(ENOMEM));
    return taken; /* if not, it goes on when something has finished */
}

/* --- Step deliver ------------------------------------------------------- */

/* Takes a frame of the request whose turn it is; no other body is wanted
 * before. True if there may be more, of it or of the next. */
static bool serve_turn(struct fetch *fetch)
{
    const struct flight *flight = &fetch->shared.flight;
    struct run *run = fetch->shared.run;
    struct request *r = (struct request *)flight->first;
    if (!options_ordered(run->options) || fetch->output_full ||
        run_stopping(run) || r == NULL || !flight_has_turn(flight, r->job->id))
        return false;
    if (r->mailbox.watched && run->options->high_water != WATER_NONE)
        return false; /* epoll will tell */
    enum served served = request_serve(r);
    fetch->output_full = served == NEEDS_OUTPUT;
    if (fetch->output_full)
        (void)watch(fetch->epoll_fd, run->output.fd, ABOUT_OUTPUT, EPOLLOUT);
    return served == GOES_ON;
}

/* --- Events ------------------------------------------------------------- */

static void on_event(struct fetch *fetch, uint64_t about)
{
    struct pool_worker *dead;
    struct request *r;
    int status;
    switch (about) {
    case ABOUT_STOP:  /* run_stopping says so as well */
    case ABOUT_INPUT: /* it is read if a job is missing */
        break;
    case ABOUT_DEATH:
        while (!run_stopping(fetch->shared.run) &&
               (dead = pool_reap(&fetch->shared.pool, &status)) != NULL)
            request_bereft(&fetch->requests[dead->slot], status);
        (void)watch(fetch->epoll_fd, fetch->shared.pool.signal_fd, ABOUT_DEATH,
                    EPOLLIN);
        break;
    case ABOUT_OUTPUT:
        fetch->output_full = false;
        break;
    default:
        r = &fetch->requests[about / 2];
        if (about % 2 == 1)
            mailbox_writable(&r->mailbox);
        else if (r->mailbox.watched)
            request_readable(r);
    }
}

/* --- Steps start and stop ----------------------------------------------- */

/* Frees what step_start made; the workers are gone. */
static void tidy_up(struct fetch *fetch)
{
    struct pool *pool = &fetch->shared.pool;
    for (size_t i = 0; i < pool->used; i++)
        mailbox_clear(&fetch->requests[i].mailbox);
    nursery_free(&pool->nursery, fetch->requests, pool->limit,
                 sizeof *fetch->requests);
    (void)close(fetch->epoll_fd);
    pool_free(pool);
}

/* Step start: prepares the pool; workers are forked as jobs come. */
static int step_start(struct fetch *fetch, struct run *run)
{
    const struct options *options = run->options;
    struct pool *pool = &fetch->shared.pool;
    *fetch = (struct fetch){
        .shared.run = run,
        .kept_fds = {run->sink.directory, options->upload_fd, run->trace.fd}};
    flight_open(&fetch->shared.flight, options->jobs);
    trace_name(&run->trace, &fetch->shared.lane, 0, "parent");
    trace_step(&fetch->shared.lane, STEP_START);
    int error =
        pool_open(pool, options->jobs, fetch->kept_fds, worker_main, run);
    if (error != 0)
        return error;
    pool->nursery.stop_fd = run->stop_fd;
    if (options_ordered(options) && options->high_water != WATER_NONE)
        pool->capacity = options->high_water;
    fetch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (fetch->epoll_fd == -1)
        error = -errno;
    fetch->requests =
        nursery_calloc(&pool->nursery, options->jobs, sizeof *fetch->requests);
    if (fetch->requests == NULL)
        error = -ENOMEM;
    if (error == 0)
        error = watch(fetch->epoll_fd, run->stop_fd, ABOUT_STOP, EPOLLIN);
    if (error == 0)
        error = watch(fetch->epoll_fd, pool->signal_fd, ABOUT_DEATH, EPOLLIN);
    if (error == 0)
        error = watch(fetch->epoll_fd, run->input, ABOUT_INPUT, 0);
    if (error == 0)
        error = watch(fetch->epoll_fd, run->output.fd, ABOUT_OUTPUT, 0);
    if (error != 0)
        tidy_up(fetch);
    return error;
}

/* Step stop: ends the workers. When jobs are still at hand they have a moment
 * to remove their files and to say how far they came. */
static void step_stop(struct fetch *fetch)
{
    struct pool *pool = &fetch->shared.pool;
    int64_t deadline = clock_us() + GRACE_MS * INT64_C(1000);
    struct pollfd deaths = {.fd = pool->signal_fd, .events = POLLIN};
    int status;
    trace_step(&fetch->shared.lane, STEP_STOP);
    pool_terminate(pool);
    while (pool->alive > 0 && clock_us() < deadline) {
        for (size_t i = 0; i < pool->used; i++) {
            struct request *r = &fetch->requests[i];
            while (r->job != NULL && request_serve(r) == GOES_ON)
                ; /* so a worker that sleeps in write goes on, too */
        }
        trace_step(&fetch->shared.lane, STEP_STOP); /* after step finish */
        (void)poll(&deaths, 1, 1);
        while (pool_reap(pool, &status) != NULL)
            ;
    }
    pool_end(pool);
    for (size_t i = 0; i < pool->used; i++)
        request_cancel(&fetch->requests[i]);
    tidy_up(fetch);
    trace_step(&fetch->shared.lane, STEP_NONE);
}

/* Gives out jobs and serves the turn, as far as that goes. True if its share
 * was used up before. */
static bool go_on(struct fetch *fetch)
{
    for (int left = SHARE; left > 0; left--) {
        bool taken = step_take(fetch);
        if (!serve_turn(fetch) && !taken)
            return false;
    }
    return true;
}

void model_run(struct run *run)
{
    struct fetch fetch;
    struct epoll_event events[64];
    int error = step_start(&fetch, run);
    if (error != 0) {
        run_fail(run, "%s", strerror(-error));
        return;
    }
    for (;;) {
        bool more = go_on(&fetch);
        bool taken = jobs_done(&run->jobs);
        if (run_stopping(run) || (taken && fetch.shared.flight.count == 0))
            break;
        /* Workers without a further job go now, while others still wait for
         * their answers; if all went at the end, that would take longer. */
        if (taken)
            pool_retire_idle(&fetch.shared.pool);
        int ms = more ? 0 : run_ticks(run) ? RUN_TICK_MS : -1;
        nursery_settle(&fetch.shared.pool.nursery);
        int n = epoll_wait(fetch.epoll_fd, events, 64, ms);
        for (int i = 0; i < n && !run_stopping(run); i++)
            on_event(&fetch, events[i].data.u64);
        run_tick(run);
    }
    step_stop(&fetch);
}
