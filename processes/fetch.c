/*
 * fetch-processes: a pool of forked workers, jobs down a pipe, results up.
 *
 * The parent reads the URLs and sends each idle worker one job; the worker
 * (worker.c) drives it from connect to finish and sends the result back. The
 * parent never blocks on one child: it waits, by epoll, for all pipes that it
 * is willing to read, and for the news that a child has died (pool_reap).
 *
 * Bodies for standard output come up the pipe as well, and keep their order
 * by what the parent is willing to read: only the pipe of the request whose
 * turn it is. The others' pipes fill up, and their workers sleep in write.
 *
 * (epoll, and not poll, because a call that lists thousands of pipes each time
 * costs more than what it waits for.)
 */
#include "clock.h"
#include "database.h"
#include "model.h"
#include "request.h"
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

const char model_name[] = "processes";

/* How long interrupted workers have for tidying up. They look for a signal
 * between any two chunks, so they need little; a busy machine needs more. */
#define GRACE_MS 250

/* Jobs given out, and requests finished in their turn, before deaths, results
 * and a stop are looked at again. */
#define TAKE_SHARE 64
#define TURN_SHARE 64

/* What an event of epoll is about; above these: a worker's pipe. */
enum { ABOUT_STOP, ABOUT_INPUT, ABOUT_DEATH, ABOUT_OUTPUT, ABOUT_WORKERS };

struct fetch {
    struct shared shared;     /* with the requests */
    struct request *requests; /* one a slot */
    int epoll_fd;
    int kept_fds[POOL_KEPT]; /* that the workers need, too */
    bool goes_on; /* there is more to be done, of which epoll tells nothing */
    bool input_watched;
    bool output_watched;     /* standard output is full */
    bool output_unwatchable; /* ... and epoll has no memory to watch it */
    bool warned; /* that pipes cannot hold as much as --high-water says */
};

/* --- Waiting ------------------------------------------------------------ */

static int watch(struct fetch *fetch, int fd, uint64_t about, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = about};
    if (epoll_ctl(fetch->epoll_fd, EPOLL_CTL_ADD, fd, &event) == -1)
        return -errno;
    return 0;
}

static void unwatch(struct fetch *fetch, int fd)
{
    (void)epoll_ctl(fetch->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* Waits for standard output, if the request was served until that was full. */
static enum served wait_for_output(struct fetch *fetch, enum served served)
{
    if (served == NEEDS_OUTPUT)
        fetch->output_watched = watch(fetch, fetch->shared.run->output.fd,
                                      ABOUT_OUTPUT, EPOLLOUT) == 0;
    fetch->output_unwatchable =
        served == NEEDS_OUTPUT && !fetch->output_watched;
    return served;
}

/* Begins to read the pipe of the request whose turn it is; no other body is
 * wanted before. IS_FINISHED: the turn has moved, and a worker is idle. */
static enum served serve_turn(struct fetch *fetch)
{
    const struct flight *flight = &fetch->shared.flight;
    struct request *r = (struct request *)flight->first;
    if (!options_ordered(fetch->shared.run->options) ||
        fetch->output_watched || run_stopping(fetch->shared.run) ||
        r == NULL || !flight_has_turn(flight, r->job->id))
        return NEEDS_INPUT;
    if (r->mailbox.watched && mailbox_held(&r->mailbox) == 0)
        return NEEDS_INPUT; /* epoll will tell */
    return wait_for_output(fetch, request_serve(r));
}

/* --- Step take ---------------------------------------------------------- */

/* A body that waits for its turn waits in its worker's pipe. */
static void warn_of_capacity(struct fetch *fetch)
{
    size_t wanted = fetch->shared.run->options->high_water;
    if (fetch->warned || fetch->shared.pool.capacity == 0 ||
        fetch->shared.pool.capacity >= wanted)
        return;
    fetch->warned = true;
    run_warn(fetch->shared.run,
             "a pipe cannot hold %zu bytes here; the high-water mark is %zu",
             wanted, fetch->shared.pool.capacity);
}

/* The parent lacks what it takes to send the job, and no request is in flight
 * whose end would free some. */
static void fail_job(struct fetch *fetch, struct job *job, int error)
{
    job->outcome = OUTCOME_NONE;
    outcome_set(&job->outcome, RESULT_NO_RESOURCES, "%s", strerror(-error));
    (void)flight_pass_turn(&fetch->shared.flight,
                           run_finish(fetch->shared.run, job));
}

/* Loads the library that the job needs, before the fork: so the workers share
 * it (tests/bench/MEASURED.md). After a redirect to https each loads its own.
 */
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
    struct run *run = fetch->shared.run;
    if (error == -EBUSY || error == -EPIPE)
        return false; /* one is dying; its death makes room */
    if (fetch->shared.pool.alive == 0) {
        run_fail(run, "no worker can be made: %s", strerror(-error));
        return false;
    }
    size_t left = fetch->shared.flight.count;
    bool again = request_make_room(&fetch->shared, job->id);
    run_warn_shortage(run, strerror(-error), left > 0 ? left : 1);
    return again;
}

/* Gives the job to an idle worker, or to a new one. False if there is none. */
static bool give_out(struct fetch *fetch, struct job *job)
{
    struct pool *pool = &fetch->shared.pool;
    struct pool_worker *worker = NULL;
    trace_begin(&fetch->shared.lane, STEP_TAKE, job->id);
    prepare(fetch, job);
    int error = pool_get(pool, &worker);
    warn_of_capacity(fetch);
    if (error == 0) {
        struct request *r = &fetch->requests[worker->slot];
        r->shared = &fetch->shared;
        r->mailbox.epoll_fd = fetch->epoll_fd;
        r->mailbox.about = ABOUT_WORKERS + 2 * (uint64_t)worker->slot;
        r->mailbox.worker = worker;
        error = request_send(r, job);
        if (error != 0 && error != -EPIPE)
            pool_release(pool, worker);
    }
    if (error == 0)
        return true;
    if (worker != NULL && error != -EPIPE && fetch->shared.flight.count == 0) {
        fail_job(fetch, job, error);
        return true;
    }
    jobs_give_back(&fetch->shared.run->jobs, job);
    return lacks_worker(fetch, job, error);
}

/* Waits for --input if that can be waited for. False for a regular file, or
 * /dev/null: epoll does not take them, for they are always ready. */
static bool watch_input(struct fetch *fetch)
{
    if (!fetch->input_watched)
        fetch->input_watched =
            watch(fetch, fetch->shared.run->input, ABOUT_INPUT, EPOLLIN) == 0;
    return fetch->input_watched;
}

static void unwatch_input(struct fetch *fetch)
{
    if (fetch->input_watched)
        unwatch(fetch, fetch->shared.run->input);
    fetch->input_watched = false;
}

/* Step take: jobs for all who are idle. --input is read only when a job is
 * missing, so its writer feels back-pressure, too. */
static void step_take(struct fetch *fetch)
{
    struct run *run = fetch->shared.run;
    int left = TAKE_SHARE;
    while (flight_may_enter(&fetch->shared.flight, jobs_first(&run->jobs)) &&
           !run_stopping(run)) {
        struct job *job;
        if (left-- == 0) {
            fetch->goes_on = true;
            break;
        }
        int got = run_next(run, &job);
        if (got == -EBUSY || (got == 1 && !give_out(fetch, job)))
            break; /* until something has finished */
        trace_step(&fetch->shared.lane, STEP_NONE);
        if (got == 0 && (run->input == -1 || watch_input(fetch)))
            return;
        if (got == 0)
            got = run_read_input(run);
        if (got == -ENOMEM) {
            if (fetch->shared.flight.count == 0)
                run_fail(run, "%s", strerror(ENOMEM));
            break; /* until something has finished */
        }
    }
    trace_step(&fetch->shared.lane, STEP_NONE);
    unwatch_input(fetch);
}

/* --- Events ------------------------------------------------------------- */

static void on_event(struct fetch *fetch, uint64_t about)
{
    struct pool_worker *dead;
    int status;
    switch (about) {
    case ABOUT_STOP:
        break; /* run_stopping says so as well */
    case ABOUT_INPUT:
        unwatch_input(fetch);
        /* -ENOMEM is tried again, but not in vain for ever. */
        if (run_read_input(fetch->shared.run) != 0 &&
            fetch->shared.flight.count == 0)
            run_fail(fetch->shared.run, "%s", strerror(ENOMEM));
        break;
    case ABOUT_DEATH:
        while (!run_stopping(fetch->shared.run) &&
               (dead = pool_reap(&fetch->shared.pool, &status)) != NULL)
            request_bereft(&fetch->requests[dead->slot], status);
        break;
    case ABOUT_OUTPUT:
        unwatch(fetch, fetch->shared.run->output.fd);
        fetch->output_watched = false;
        break;
    default: {
        uint64_t number = about - ABOUT_WORKERS;
        struct request *r = &fetch->requests[number / 2];
        if (number % 2 == 1 && r->mailbox.outbox_watched)
            mailbox_writable(&r->mailbox);
        if (number % 2 == 0 && r->mailbox.watched)
            (void)wait_for_output(fetch, request_readable(r));
    }
    }
}

/* --- Steps start and stop ----------------------------------------------- */

static void run_worker(void *context, int slot, int jobs_fd, int results_fd)
{
    struct fetch *fetch = context;
    struct worker_setting setting = {.run = fetch->shared.run,
                                     .slot = slot,
                                     .jobs_fd = jobs_fd,
                                     .results_fd = results_fd};
    worker_main(&setting);
}

/* Step start: prepares the pool; workers are forked as jobs come. */
static int step_start(struct fetch *fetch, struct run *run)
{
    size_t limit = run->options->jobs;
    *fetch = (struct fetch){.shared.run = run};
    flight_open(&fetch->shared.flight, limit);
    trace_name(&run->trace, &fetch->shared.lane, 0, "parent");
    trace_step(&fetch->shared.lane, STEP_START);
    fetch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (fetch->epoll_fd == -1)
        return -errno;
    fetch->kept_fds[0] = run->sink.directory;
    fetch->kept_fds[1] = run->options->upload_fd;
    fetch->kept_fds[2] = run->trace.fd;
    int error = pool_open(&fetch->shared.pool, limit, fetch->kept_fds,
                          run_worker, fetch);
    if (error != 0)
        goto no_pool;
    fetch->requests = nursery_calloc(&fetch->shared.pool.nursery, limit,
                                     sizeof *fetch->requests);
    if (fetch->requests == NULL)
        error = -ENOMEM;
    if (options_ordered(run->options) &&
        run->options->high_water != WATER_NONE)
        fetch->shared.pool.capacity = run->options->high_water;
    if (error == 0)
        error = watch(fetch, run->stop_fd, ABOUT_STOP, EPOLLIN);
    if (error == 0)
        error =
            watch(fetch, fetch->shared.pool.signal_fd, ABOUT_DEATH, EPOLLIN);
    if (error == 0)
        return 0;

    nursery_free(&fetch->shared.pool.nursery, fetch->requests, limit,
                 sizeof *fetch->requests);
    pool_free(&fetch->shared.pool);
no_pool:
    (void)close(fetch->epoll_fd);
    return error;
}

static void collect_all(struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->shared.pool.used; i++) {
        if (fetch->requests[i].job != NULL)
            request_collect(&fetch->requests[i]);
    }
}

/* Step stop: ends the workers. When jobs are still at hand they have a moment
 * to remove their files and to say how far they came. */
static void step_stop(struct fetch *fetch)
{
    int64_t deadline = clock_us() + GRACE_MS * INT64_C(1000);
    struct pollfd deaths = {.fd = fetch->shared.pool.signal_fd,
                            .events = POLLIN};
    int status;
    trace_step(&fetch->shared.lane, STEP_STOP);
    pool_terminate(&fetch->shared.pool);
    while (fetch->shared.pool.alive > 0 && clock_us() < deadline) {
        if (fetch->shared.flight.count > 0)
            collect_all(fetch); /* also: workers that sleep in write go on */
        (void)poll(&deaths, 1, 1);
        while (pool_reap(&fetch->shared.pool, &status) != NULL)
            ;
    }
    pool_end(&fetch->shared.pool);
    collect_all(fetch);
    for (size_t i = 0; i < fetch->shared.pool.used; i++) {
        if (fetch->requests[i].job != NULL)
            request_cancel(&fetch->requests[i]);
    }
    for (size_t i = 0; i < fetch->shared.pool.used; i++)
        mailbox_clear(&fetch->requests[i].mailbox);
    (void)close(fetch->epoll_fd);
    nursery_free(&fetch->shared.pool.nursery, fetch->requests,
                 fetch->shared.run->options->jobs, sizeof *fetch->requests);
    pool_free(&fetch->shared.pool);
    trace_step(&fetch->shared.lane, STEP_NONE);
}

/* Gives out jobs, and serves the turn, as far as that goes for now. */
static void go_on(struct fetch *fetch)
{
    enum served served = IS_FINISHED;
    fetch->goes_on = false;
    for (int i = 0; i < TURN_SHARE && served == IS_FINISHED; i++) {
        step_take(fetch);
        served = serve_turn(fetch);
    }
    if (served == IS_FINISHED || served == HAS_MORE)
        fetch->goes_on = true;
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
        go_on(&fetch);
        bool taken = jobs_done(&run->jobs);
        if (run_stopping(run) || (taken && fetch.shared.flight.count == 0))
            break;
        /* Workers without a further job go now, while others still wait for
         * their answers; if all went at the end, that would take longer. */
        if (taken)
            pool_retire_idle(&fetch.shared.pool);
        bool soon = run_ticks(run) || fetch.output_unwatchable;
        int ms = fetch.goes_on ? 0 : soon ? RUN_TICK_MS : -1;
        pool_settle(&fetch.shared.pool);
        int n = epoll_wait(fetch.epoll_fd, events, 64, ms);
        for (int i = 0; i < n && !run_stopping(run); i++)
            on_event(&fetch, events[i].data.u64);
        run_tick(run);
    }
    step_stop(&fetch);
}
