/*
 * fetch-processes: a pool of forked workers, jobs down a pipe, results up.
 *
 * The parent reads the URLs and sends each idle worker one job; the worker
 * (worker.c) drives it from connect to finish and sends the result back. The
 * parent never blocks on one child: it waits, by epoll, for all pipes that it
 * is willing to read.
 *
 * Bodies for standard output come up the pipe as well, and keep their order
 * by what the parent is willing to read: only the pipe of the request whose
 * turn it is. The others' pipes fill up, and their workers sleep in write.
 *
 * (epoll, and not poll, because a call that lists thousands of pipes each time
 * costs more than what it waits for.)
 */
#include "bytes.h"
#include "clock.h"
#include "frame.h"
#include "model.h"
#include "pool.h"
#include "run.h"
#include "worker.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

const char model_name[] = "processes";

/* Read at once from a pipe. */
#define CHUNK ((size_t)64 * 1024)

/* How long interrupted workers have for tidying up. */
#define GRACE_MS 500

/* What an event of epoll is about; above these: a worker's pipe. */
enum { ABOUT_STOP, ABOUT_INPUT, ABOUT_DEATH, ABOUT_OUTPUT, ABOUT_WORKERS };

/* What the parent knows about the request in a slot. */
struct request {
    struct pool_worker *worker;
    struct job *job; /* NULL: none */
    struct frame_reader reader;
    struct bytes outbox; /* of FRAME_JOB, what the pipe had no room for */
    struct bytes inbox;  /* read from the pipe; its parts, one by one: */
    size_t inbox_used;   /* what was taken out as frames, and the last ... */
    size_t inbox_body;   /* ... bytes of that: body, not yet delivered */
    uint64_t written;    /* body bytes that standard output took */
    size_t peak;         /* most body bytes in hand */
    bool watched;        /* epoll looks at the results pipe */
    bool ended;          /* that pipe is at its end */
    bool out_failed;     /* job->outcome says how standard output failed */
};

struct fetch {
    struct run *run;
    struct pool pool;
    struct request *requests; /* one a slot */
    int epoll_fd;
    uint64_t turn;   /* whose body may go to standard output */
    size_t limit;    /* requests in flight; a shortage lowers it */
    size_t in_flight;
    bool input_watched;
    bool output_watched; /* standard output is full */
};

static bool ordered(const struct fetch *fetch)
{
    return options_ordered(fetch->run->options);
}

static bool has_turn(const struct fetch *fetch, const struct request *r)
{
    return r->job != NULL && r->job->id == fetch->turn;
}

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

static uint64_t about_results(const struct request *r)
{
    return ABOUT_WORKERS + 2 * (uint64_t)r->worker->slot;
}

/* Looks at the pipe from now on. Without it nothing would ever come. */
static void watch_results(struct fetch *fetch, struct request *r)
{
    if (r->watched || r->ended)
        return;
    int error = watch(fetch, r->worker->results_fd, about_results(r), EPOLLIN);
    if (error != 0)
        run_fail(fetch->run, "epoll: %s", strerror(-error));
    r->watched = error == 0;
}

static void unwatch_results(struct fetch *fetch, struct request *r)
{
    if (r->watched)
        unwatch(fetch, r->worker->results_fd);
    r->watched = false;
}

/* --- A request's beginning and end -------------------------------------- */

/* Forgets what came of the job so far; the slot keeps its worker. */
static void clear_request(struct fetch *fetch, struct request *r)
{
    if (ordered(fetch))
        unwatch_results(fetch, r);
    if (r->outbox.length > 0)
        unwatch(fetch, r->worker->jobs_fd);
    frame_free(&r->reader);
    bytes_free(&r->outbox);
    bytes_free(&r->inbox);
    r->inbox_used = r->inbox_body = 0;
    r->written = 0;
    r->peak = 0;
    r->out_failed = false;
    r->job = NULL;
}

/* The slot's worker can take another job; or the slot another worker. */
static void free_slot(struct fetch *fetch, struct request *r)
{
    clear_request(fetch, r);
    if (r->worker->pid == 0) {
        unwatch_results(fetch, r);
        pool_vacate(&fetch->pool, r->worker);
        r->ended = false;
    } else if (!r->ended) {
        pool_release(&fetch->pool, r->worker);
    } /* else it is dying: its death frees the slot */
}

/* Step finish: records the result and passes the turn on. */
static void step_finish(struct fetch *fetch, struct request *r)
{
    struct outcome *outcome = &r->job->outcome;
    if (ordered(fetch)) {
        outcome->bytes = r->written;
        outcome->done_us = clock_us();
        outcome->peak_buffered += r->peak;
    } else {
        run_count(fetch->run, outcome->bytes);
    }
    outcome->attempts += r->job->crashes;
    fetch->in_flight--;
    fetch->turn = run_finish(fetch->run, r->job);
    free_slot(fetch, r);
}

/* The request starts over later, with nothing counted. */
static void give_back(struct fetch *fetch, struct request *r)
{
    sink_remove(&fetch->run->sink, r->job);
    run_given_back(fetch->run, r->job);
    jobs_give_back(&fetch->run->jobs, r->job);
    fetch->in_flight--;
    free_slot(fetch, r);
}

/* Ends the request and its worker, which is of no use any more. */
static void abandon(struct fetch *fetch, struct request *r,
                    enum result result, const char *cause)
{
    if (r->worker->pid != 0)
        pool_kill(&fetch->pool, r->worker);
    sink_remove(&fetch->run->sink, r->job);
    r->job->outcome = OUTCOME_NONE;
    r->job->outcome.attempts = 1;
    outcome_set(&r->job->outcome, result, "%s", cause);
    step_finish(fetch, r);
}

/* Step retry, when a worker died with its job: one new try, but not when a
 * part of the body is out already. (The retries after failures of the network
 * are in common/blocking.) */
static void step_retry(struct fetch *fetch, struct request *r, int status)
{
    char cause[60];
    if (r->written == 0 && r->job->crashes == 0) {
        r->job->crashes++;
        give_back(fetch, r);
        return;
    }
    if (WIFSIGNALED(status))
        snprintf(cause, sizeof cause, "the worker was killed by signal %d",
                 WTERMSIG(status));
    else
        snprintf(cause, sizeof cause, "the worker ended with status %d",
                 WEXITSTATUS(status));
    abandon(fetch, r, RESULT_WORKER_CRASHED, cause);
}

/* --- Shortages ---------------------------------------------------------- */

/* The newest request in flight, but not the one whose turn it is. */
static struct request *newest(struct fetch *fetch)
{
    struct request *found = NULL;
    for (size_t i = 0; i < fetch->pool.used; i++) {
        struct request *r = &fetch->requests[i];
        if (r->job != NULL && !has_turn(fetch, r) &&
            (found == NULL || r->job->id > found->job->id))
            found = r;
    }
    return found;
}

/* A worker ran out of memory, descriptors or ports: the newest request gives
 * way, with its worker; that may be the same one. False if it is the only one
 * in flight: then there is nothing to wait for. */
static bool give_way(struct fetch *fetch, struct request *starved)
{
    struct request *victim = newest(fetch);
    if (victim == NULL || starved->written > 0)
        return false;
    fetch->limit = fetch->in_flight > 1 ? fetch->in_flight - 1 : 1;
    if (victim->worker->pid != 0)
        pool_kill(&fetch->pool, victim->worker);
    if (victim != starved)
        give_back(fetch, starved); /* it is taken again at once */
    give_back(fetch, victim);
    return true;
}

/* --- Step receive ------------------------------------------------------- */

/* What came of a call that goes on as far as it can. */
enum progressed {
    NEEDS_INPUT,  /* everything that is there is used up */
    NEEDS_OUTPUT, /* standard output is full */
    IS_FINISHED   /* the request has left its slot */
};

/* A result has come: the whole body is at its destination. */
static void take_result(struct fetch *fetch, struct request *r,
                        const struct frame *frame)
{
    struct outcome outcome;
    memcpy(&outcome, frame->at, sizeof outcome);
    r->job->outcome = outcome;
    if (outcome.result == RESULT_NO_RESOURCES && give_way(fetch, r))
        run_warn_shortage(fetch->run, outcome.cause, fetch->limit);
    else
        step_finish(fetch, r);
}

/* Step deliver: body bytes to standard output, as many as it takes. */
static enum progressed step_deliver(struct fetch *fetch, struct request *r)
{
    const char *p = r->inbox.data + r->inbox_used - r->inbox_body;
    struct iovec part = {(void *)p, r->inbox_body};
    if (r->peak < r->inbox_body)
        r->peak = r->inbox_body;
    ssize_t sent = output_send(&fetch->run->output, &part, 1);
    if (sent == -EAGAIN)
        return NEEDS_OUTPUT;
    if (sent < 0) {
        const char *cause = strerror((int)-sent);
        run_fail(fetch->run, "standard output: %s", cause);
        outcome_set(&r->job->outcome, RESULT_WRITE_FAILED, "%s", cause);
        r->out_failed = true;
        return NEEDS_OUTPUT; /* for ever: the run is to stop */
    }
    r->written += (size_t)sent;
    r->inbox_body -= (size_t)sent;
    run_count(fetch->run, (size_t)sent);
    return NEEDS_INPUT;
}

/* Takes frames out of the inbox, and deals with them. */
static enum progressed use_inbox(struct fetch *fetch, struct request *r)
{
    struct frame frame;
    while (r->inbox_body > 0 || r->inbox_used < r->inbox.length) {
        if (r->inbox_body > 0) {
            enum progressed progressed = step_deliver(fetch, r);
            if (progressed != NEEDS_INPUT)
                return progressed;
            continue;
        }
        r->inbox_used +=
            frame_feed(&r->reader, r->inbox.data + r->inbox_used,
                       r->inbox.length - r->inbox_used, &frame);
        if (frame.type == FRAME_BODY) {
            r->inbox_body = frame.length;
        } else if (frame.type == FRAME_RESULT &&
                   frame.length == sizeof(struct outcome)) {
            take_result(fetch, r, &frame);
            return IS_FINISHED;
        } else if (frame.type != FRAME_NONE) {
            abandon(fetch, r, RESULT_WORKER_CRASHED,
                    "the worker wrote what is no frame");
            return IS_FINISHED;
        }
    }
    return NEEDS_INPUT;
}

/* Reads once from the pipe. 1; 0 when nothing is there now, or never will be
 * again (r->ended); or -ENOMEM. */
static int fill_inbox(struct fetch *fetch, struct request *r)
{
    size_t size = ordered(fetch) ? CHUNK : sizeof(struct outcome) * 2;
    if (r->inbox_used == r->inbox.length)
        r->inbox_used = r->inbox.length = 0;
    if (bytes_reserve(&r->inbox, size) != 0)
        return -ENOMEM;
    ssize_t n;
    do
        n = read(r->worker->results_fd, r->inbox.data + r->inbox.length, size);
    while (n == -1 && errno == EINTR);
    if (n > 0) {
        r->inbox.length += (size_t)n;
        return 1;
    }
    if (n == 0 || errno != EAGAIN) {
        r->ended = true; /* why, its death will tell */
        unwatch_results(fetch, r);
    }
    return 0;
}

/* Step receive: takes what comes up the pipe, as far as it goes. */
static enum progressed step_receive(struct fetch *fetch, struct request *r)
{
    for (;;) {
        enum progressed progressed = use_inbox(fetch, r);
        if (progressed != NEEDS_INPUT || r->ended)
            return progressed;
        int filled = fill_inbox(fetch, r);
        if (filled == 0)
            return NEEDS_INPUT;
        if (filled < 0) {
            abandon(fetch, r, RESULT_NO_RESOURCES, "out of memory");
            return IS_FINISHED;
        }
    }
}

/* Receives from the request whose turn it is, and arranges to be told when
 * that can go on. */
static enum progressed serve(struct fetch *fetch, struct request *r)
{
    enum progressed progressed = step_receive(fetch, r);
    if (progressed == NEEDS_INPUT)
        watch_results(fetch, r);
    if (progressed == NEEDS_OUTPUT) {
        unwatch_results(fetch, r);
        fetch->output_watched = watch(fetch, fetch->run->output.fd,
                                      ABOUT_OUTPUT, EPOLLOUT) == 0;
    }
    return progressed;
}

/* Begins to read the pipe of the request whose turn it is. Nobody else's body
 * is wanted before that one is finished. True if it is: the turn has moved, and
 * a worker is idle. */
static bool serve_turn(struct fetch *fetch)
{
    if (!ordered(fetch) || fetch->output_watched || run_stopping(fetch->run))
        return false;
    for (size_t i = 0; i < fetch->pool.used; i++) {
        struct request *r = &fetch->requests[i];
        if (has_turn(fetch, r))
            return !r->watched && serve(fetch, r) == IS_FINISHED;
    }
    return false;
}

/* --- Step take ---------------------------------------------------------- */

/* Sends what is left of a job. A worker that is dead cannot take it; that it
 * is, SIGCHLD tells. */
static void flush_outbox(struct fetch *fetch, struct request *r, bool watched)
{
    int fd = r->worker->jobs_fd;
    ssize_t n = write(fd, r->outbox.data, r->outbox.length);
    if (n > 0)
        bytes_drop(&r->outbox, (size_t)n);
    else if (errno != EAGAIN && errno != EINTR)
        r->outbox.length = 0;
    if (r->outbox.length > 0 && !watched &&
        watch(fetch, fd, about_results(r) + 1, EPOLLOUT) != 0)
        run_fail(fetch->run, "epoll: %s", strerror(errno));
    if (r->outbox.length == 0 && watched)
        unwatch(fetch, fd);
}

/* Hands a job to a worker. 0 or -ENOMEM. */
static int send_job(struct fetch *fetch, struct pool_worker *worker,
                    struct job *job)
{
    struct request *r = &fetch->requests[worker->slot];
    /* A name that no file can have need not be sent whole. */
    size_t name = job->name != NULL ? strnlen(job->name, NAME_MAX + 1) : 0;
    struct frame_job fixed = {.id = job->id,
                              .url_length = (uint32_t)job->url_length,
                              .name_length = (uint32_t)name};
    struct iovec parts[] = {{&fixed, sizeof fixed},
                            {job->url, job->url_length},
                            {job->name, name}};
    if (frame_append(&r->outbox, FRAME_JOB, parts, 3) != 0)
        return -ENOMEM;
    r->worker = worker;
    r->job = job;
    fetch->in_flight++;
    run_started(fetch->run, job, worker->slot);
    if (!ordered(fetch))
        watch_results(fetch, r);
    flush_outbox(fetch, r, false);
    return 0;
}

/* Gives the job to an idle worker, or to a new one. False if there is none. */
static bool dispatch(struct fetch *fetch, struct job *job)
{
    struct run *run = fetch->run;
    struct pool_worker *worker = NULL;
    int error = pool_get(&fetch->pool, &worker);
    if (error == 0) {
        error = send_job(fetch, worker, job);
        if (error != 0)
            pool_release(&fetch->pool, worker);
    }
    if (error == 0)
        return true;
    jobs_give_back(&run->jobs, job);
    if (error == -EBUSY)
        return false; /* one is dying; its death makes room */
    if (fetch->in_flight == 0) {
        run_fail(run, "no worker can be made: %s", strerror(-error));
        return false;
    }
    fetch->limit = fetch->in_flight;
    run_warn_shortage(run, strerror(-error), fetch->limit);
    return false;
}

/* Waits for --input if that can be waited for. False for a regular file, or
 * /dev/null: epoll does not take them, for they are always ready. */
static bool watch_input(struct fetch *fetch)
{
    if (!fetch->input_watched)
        fetch->input_watched =
            watch(fetch, fetch->run->input, ABOUT_INPUT, EPOLLIN) == 0;
    return fetch->input_watched;
}

static void unwatch_input(struct fetch *fetch)
{
    if (fetch->input_watched)
        unwatch(fetch, fetch->run->input);
    fetch->input_watched = false;
}

/* Step take: jobs for all who are idle. --input is read only when a job is
 * missing, so its writer feels back-pressure, too. */
static void step_take(struct fetch *fetch)
{
    struct run *run = fetch->run;
    while (fetch->in_flight < fetch->limit && !run_stopping(run)) {
        struct job *job;
        int got = jobs_next(&run->jobs, &job);
        if (got == 1 && !dispatch(fetch, job))
            break;
        if (got == 0 && (run->input == -1 || watch_input(fetch)))
            return;
        if (got == 0)
            got = run_read_input(run);
        if (got == -ENOMEM) {
            if (fetch->in_flight == 0)
                run_fail(run, "%s", strerror(ENOMEM));
            break; /* until something has finished */
        }
    }
    unwatch_input(fetch);
}

/* --- Events ------------------------------------------------------------- */

/* True if the worker had written its result before it died. */
static bool has_result(const struct request *r)
{
    struct frame_reader reader = r->reader;
    struct frame frame = {.type = FRAME_NONE};
    size_t used = r->inbox_used;
    reader.message = (struct bytes){0};
    while (used < r->inbox.length && frame.type != FRAME_RESULT &&
           frame.type != FRAME_BROKEN)
        used += frame_feed(&reader, r->inbox.data + used,
                           r->inbox.length - used, &frame);
    frame_free(&reader);
    return frame.type == FRAME_RESULT;
}

/* A worker has died. What it wrote before is still in the pipe, a pipeful at
 * most: either the result is there, or the job is tried again. */
static void on_death(struct fetch *fetch, struct pool_worker *worker,
                     int status)
{
    struct request *r = &fetch->requests[worker->slot];
    if (r->job == NULL) {
        r->worker = worker;
        free_slot(fetch, r);
        return;
    }
    while (!r->ended && fill_inbox(fetch, r) > 0)
        ;
    r->ended = true;
    unwatch_results(fetch, r);
    if (!has_result(r))
        step_retry(fetch, r, status);
    else if (!ordered(fetch))
        (void)step_receive(fetch, r);
    /* else it is delivered in its turn */
}

static void on_event(struct fetch *fetch, uint64_t about)
{
    struct pool_worker *dead;
    int status;
    switch (about) {
    case ABOUT_STOP:
        break; /* run_stopping says so as well */
    case ABOUT_INPUT:
        unwatch_input(fetch);
        (void)run_read_input(fetch->run); /* -ENOMEM: tried again */
        break;
    case ABOUT_DEATH:
        while ((dead = pool_reap(&fetch->pool, &status)) != NULL)
            on_death(fetch, dead, status);
        break;
    case ABOUT_OUTPUT:
        unwatch(fetch, fetch->run->output.fd);
        fetch->output_watched = false;
        break;
    default: {
        uint64_t number = about - ABOUT_WORKERS;
        struct request *r = &fetch->requests[number / 2];
        if (number % 2 == 1 && r->outbox.length > 0)
            flush_outbox(fetch, r, true);
        if (number % 2 == 0 && r->watched)
            (void)serve(fetch, r);
    }
    }
}

/* --- Steps start and stop ----------------------------------------------- */

static void work(void *context, int jobs_fd, int results_fd)
{
    struct fetch *fetch = context;
    struct worker_setting setting = {.options = fetch->run->options,
                                     .sink = &fetch->run->sink,
                                     .jobs_fd = jobs_fd,
                                     .results_fd = results_fd};
    worker_main(&setting);
}

/* Step start: prepares the pool; workers are forked as jobs come. */
static int step_start(struct fetch *fetch, struct run *run)
{
    size_t limit = run->options->jobs;
    *fetch = (struct fetch){.run = run, .limit = limit};
    fetch->requests = calloc(limit, sizeof *fetch->requests);
    if (fetch->requests == NULL)
        return -ENOMEM;
    fetch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int error = fetch->epoll_fd == -1 ? -errno : 0;
    if (error != 0)
        goto no_epoll;
    error = pool_open(&fetch->pool, limit, run->sink.directory, work, fetch);
    if (error != 0)
        goto no_pool;
    error = watch(fetch, run->stop_fd, ABOUT_STOP, EPOLLIN);
    if (error == 0)
        error = watch(fetch, fetch->pool.signal_fd, ABOUT_DEATH, EPOLLIN);
    if (error == 0)
        return 0;

    pool_free(&fetch->pool);
no_pool:
    (void)close(fetch->epoll_fd);
no_epoll:
    free(fetch->requests);
    return error;
}

/* Takes what comes up the pipe while the run stops: the outcome is of
 * interest, a body no more. */
static void collect(struct fetch *fetch, struct request *r)
{
    struct outcome before = r->job->outcome;
    struct frame frame = {.type = FRAME_NONE};
    for (;;) {
        while (r->inbox_used < r->inbox.length && frame.type != FRAME_RESULT)
            r->inbox_used +=
                frame_feed(&r->reader, r->inbox.data + r->inbox_used,
                           r->inbox.length - r->inbox_used, &frame);
        if (frame.type == FRAME_RESULT || r->ended ||
            fill_inbox(fetch, r) <= 0)
            break;
    }
    if (frame.type != FRAME_RESULT || frame.length != sizeof before)
        return;
    memcpy(&r->job->outcome, frame.at, sizeof before);
    if (r->out_failed)
        outcome_set(&r->job->outcome, before.result, "%s", before.cause);
    else if (ordered(fetch)) /* the worker may have thought otherwise */
        outcome_set(&r->job->outcome, RESULT_CANCELLED, "the run ended first");
    step_finish(fetch, r);
}

static void collect_all(struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->pool.used; i++) {
        if (fetch->requests[i].job != NULL)
            collect(fetch, &fetch->requests[i]);
    }
}

/* Step stop: ends the workers. When jobs are still at hand they have a moment
 * to remove their files and to say how far they came. */
static void step_stop(struct fetch *fetch)
{
    int64_t deadline = clock_us() + GRACE_MS * INT64_C(1000);
    struct pollfd deaths = {.fd = fetch->pool.signal_fd, .events = POLLIN};
    int status;
    pool_terminate(&fetch->pool);
    while (fetch->pool.alive > 0 && clock_us() < deadline) {
        collect_all(fetch); /* also: whoever sleeps in write goes on */
        if (pool_reap(&fetch->pool, &status) == NULL)
            (void)poll(&deaths, 1, 10);
    }
    pool_end(&fetch->pool);
    collect_all(fetch);
    for (size_t i = 0; i < fetch->pool.used; i++) {
        struct request *r = &fetch->requests[i];
        if (r->job != NULL && r->out_failed)
            abandon(fetch, r, RESULT_WRITE_FAILED, r->job->outcome.cause);
        else if (r->job != NULL)
            abandon(fetch, r, RESULT_CANCELLED, "the run ended first");
    }
    (void)close(fetch->epoll_fd);
    pool_free(&fetch->pool);
    free(fetch->requests);
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
        do
            step_take(&fetch);
        while (serve_turn(&fetch));
        if (run_stopping(run) ||
            (fetch.in_flight == 0 && jobs_done(&run->jobs)))
            break;
        int n = epoll_wait(fetch.epoll_fd, events, 64,
                           run->shows_progress ? RUN_TICK_MS : -1);
        for (int i = 0; i < n && !run_stopping(run); i++)
            on_event(&fetch, events[i].data.u64);
        run_tick(run);
    }
    step_stop(&fetch);
}
