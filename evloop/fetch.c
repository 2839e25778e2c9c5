/*
 * fetch-evloop: one thread, one libevent loop, a bufferevent a connection.
 *
 * Here is what the requests share: the loop, the places, the turn on standard
 * output, the events that belong to no request. What one request does from
 * connect to its body's end is in request.c. Nothing ever waits; callbacks
 * translate what happened into a step, and touch nothing after it.
 */
#include "clock.h"
#include "model.h"
#include "request.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

const char model_name[] = "evloop";

/* Of the descriptors that select can wait for: not for connections. */
#define SELECT_SPARE 32

/* --- The turn on standard output ---------------------------------------- */

bool fetch_has_turn(const struct request *r)
{
    return r->job->id == r->fetch->turn;
}

void fetch_watch_output(struct fetch *fetch, bool on)
{
    if (!on)
        event_del(&fetch->output);
    else if (fetch->run->output.kind == OUTPUT_DIRECT ||
             event_add(&fetch->output, NULL) != 0)
        event_active(&fetch->output, EV_WRITE, 1); /* a file: always ready */
}

static void on_output(evutil_socket_t fd, short what, void *arg)
{
    struct fetch *fetch = arg;
    (void)fd;
    (void)what;
    if (fetch->first != NULL && fetch_has_turn(fetch->first))
        deliver_may_write(fetch->first);
}

/* --- Requests in flight ------------------------------------------------- */

void fetch_link(struct request *r)
{
    struct fetch *fetch = r->fetch;
    struct request *before = fetch->last;
    while (before != NULL && before->job->id > r->job->id)
        before = before->previous;
    r->previous = before;
    r->next = before != NULL ? before->next : fetch->first;
    *(r->next != NULL ? &r->next->previous : &fetch->last) = r;
    *(before != NULL ? &before->next : &fetch->first) = r;
    fetch->in_flight++;
    run_started(fetch->run, r->job, 0);
}

/* Takes the request out of flight. Its place is free. */
static struct job *unlink_request(struct request *r)
{
    struct fetch *fetch = r->fetch;
    *(r->next != NULL ? &r->next->previous : &fetch->last) = r->previous;
    *(r->previous != NULL ? &r->previous->next : &fetch->first) = r->next;
    fetch->in_flight--;
    event_active(&fetch->take, EV_TIMEOUT, 1);
    return request_free(r);
}

void step_finish(struct request *r)
{
    struct fetch *fetch = r->fetch;
    struct outcome *outcome = exchange_outcome(r->x);
    bool ordered = options_ordered(fetch->run->options);
    outcome->bytes = ordered ? r->written : r->file.bytes;
    outcome->peak_buffered = r->peak;
    outcome->done_us = clock_us();
    r->job->outcome = *outcome;
    trace_step(&r->lane, STEP_FINISH);
    trace_finish(&r->lane, r->job);
    event_del(&fetch->output);
    fetch->turn = run_finish(fetch->run, unlink_request(r));
    on_output(-1, 0, fetch); /* the next in line may write */
}

/* The request starts over later, with nothing counted. */
static void give_back(struct request *r)
{
    struct fetch *fetch = r->fetch;
    struct job *job = unlink_request(r);
    run_given_back(fetch->run, job);
    jobs_give_back(&fetch->run->jobs, job);
}

bool fetch_give_way(struct request *r)
{
    struct fetch *fetch = r->fetch;
    struct request *newest = fetch->last;
    if (fetch->in_flight == 1 || r->written > 0)
        return false;
    fetch->limit = fetch->in_flight - 1;
    run_warn_shortage(fetch->run, exchange_outcome(r->x)->cause, fetch->limit);
    if (newest != r)
        give_back(newest);
    give_back(r); /* it is taken again at once */
    return true;
}

/* --- Step take ---------------------------------------------------------- */

/* There is not even the memory to begin. */
static void begin_later(struct fetch *fetch, struct job *job)
{
    if (job != NULL)
        jobs_give_back(&fetch->run->jobs, job);
    if (fetch->in_flight == 0) {
        run_fail(fetch->run, "%s", strerror(ENOMEM));
        return;
    }
    fetch->limit = fetch->in_flight;
    run_warn_shortage(fetch->run, strerror(ENOMEM), fetch->limit);
}

/* Step take: jobs for all places. --input is read only when a job is missing,
 * so its writer feels back-pressure, too. */
static void step_take(struct fetch *fetch)
{
    struct run *run = fetch->run;
    trace_step(&fetch->lane, STEP_TAKE);
    while (fetch->in_flight < fetch->limit && !run_stopping(run)) {
        struct job *job = NULL;
        int got = jobs_next(&run->jobs, &job);
        if (got == 1)
            got = request_begin(fetch, job);
        else if (got == 0 && run->input == -1)
            break;
        else if (got == 0 && event_add(&fetch->input, NULL) == 0)
            break; /* on_input goes on */
        else if (got == 0)
            got = run_read_input(run); /* a file: it is always ready */
        if (got < 0) {
            begin_later(fetch, job);
            break;
        }
    }
    if (run_stopping(run) || (fetch->in_flight == 0 && jobs_done(&run->jobs)))
        event_base_loopbreak(fetch->loop.base);
    trace_step(&fetch->lane, STEP_NONE);
}

static void on_take(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    step_take(arg);
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
    struct fetch *fetch = arg;
    (void)fd;
    (void)what;
    (void)run_read_input(fetch->run); /* -ENOMEM: tried again */
    step_take(fetch);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    struct fetch *fetch = arg;
    (void)fd;
    (void)what;
    event_base_loopbreak(fetch->loop.base);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct fetch *fetch = arg;
    (void)fd;
    (void)what;
    run_tick(fetch->run);
}

/* --- Steps start and stop ----------------------------------------------- */

/* libevent's own words on standard error; every call that can fail is checked
 * here, and said in ours. */
static void discard_log(int severity, const char *message)
{
    (void)severity;
    (void)message;
}

/* A new loop takes four descriptors. libevent 2.1.12 ends the whole program
 * when one of them cannot be had, so we look before. */
static int has_descriptors_for_a_loop(void)
{
    int first[2];
    int second[2];
    if (pipe2(first, O_CLOEXEC) == -1)
        return -errno;
    int error = pipe2(second, O_CLOEXEC) == -1 ? -errno : 0;
    if (error == 0) {
        (void)close(second[0]);
        (void)close(second[1]);
    }
    (void)close(first[0]);
    (void)close(first[1]);
    return error;
}

/* A set of select(2) has room for so many descriptors; libevent would write
 * past its end. With the process's limit there, the next one cannot be had:
 * a shortage like any other. */
static void heed_limit_of_select(struct fetch *fetch)
{
    struct rlimit limit;
    size_t most = FD_SETSIZE - SELECT_SPARE;
    if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur < FD_SETSIZE)
        return;
    limit.rlim_cur = FD_SETSIZE;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (fetch->limit <= most)
        return;
    run_warn(fetch->run,
             "select can wait for %d descriptors only: no more "
             "than %zu requests are in flight",
             FD_SETSIZE, most);
    fetch->limit = most;
}

/* Makes a loop that waits as --backend says. NULL: it cannot be had. */
static struct event_base *make_base(const char *backend)
{
    static const char *const methods[] = {"epoll", "poll", "select"};
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;
    if (config == NULL)
        return NULL;
    for (size_t i = 0; i < 3; i++) {
        if (backend != NULL && strcmp(methods[i], backend) != 0)
            (void)event_config_avoid_method(config, methods[i]);
    }
    base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

/* Step start: makes the loop and the events that are not a request's. */
static int step_start(struct fetch *fetch, struct run *run)
{
    struct timeval tick = {.tv_usec = RUN_TICK_MS * 1000L};
    *fetch = (struct fetch){.run = run, .limit = run->options->jobs};
    trace_name(&run->trace, &fetch->lane, 0, "loop");
    trace_step(&fetch->lane, STEP_START);
    event_set_log_callback(discard_log);
    int error = has_descriptors_for_a_loop();
    if (error != 0)
        return error;
    const char *backend = run->options->backend;
    if (backend != NULL && strcmp(backend, "select") == 0)
        heed_limit_of_select(fetch);
    struct event_base *base = make_base(backend);
    if (base == NULL)
        return -ENOMEM;
    fetch->loop =
        (struct loop){.base = base,
                      .tls = &run->tls,
                      .trace = &run->trace,
                      .connect_timeout_us = run->options->connect_timeout_us};
    error = loop_open(&fetch->loop, run->options->jobs);
    if (error != 0) {
        event_base_free(base);
        fetch->loop.base = NULL;
        return error;
    }
    event_assign(&fetch->take, base, -1, 0, on_take, fetch);
    event_assign(&fetch->input, base, run->input, EV_READ, on_input, fetch);
    event_assign(&fetch->stop, base, run->stop_fd, EV_READ, on_stop, fetch);
    event_assign(&fetch->output, base, run->output.fd, EV_WRITE, on_output,
                 fetch);
    event_assign(&fetch->tick, base, -1, EV_PERSIST, on_tick, fetch);
    event_active(&fetch->take, EV_TIMEOUT, 1);
    if (event_add(&fetch->stop, NULL) != 0 ||
        (run->shows_progress && event_add(&fetch->tick, &tick) != 0))
        return -ENOMEM; /* step_stop frees it all */
    return 0;
}

/* Step stop: cancels what is in flight and frees the loop. */
static void step_stop(struct fetch *fetch)
{
    struct event *const events[] = {&fetch->take, &fetch->input, &fetch->stop,
                                    &fetch->output, &fetch->tick};
    trace_step(&fetch->lane, STEP_STOP);
    while (fetch->first != NULL)
        request_cancel(fetch->first);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        event_del(events[i]);
    loop_close(&fetch->loop);
    event_base_free(fetch->loop.base);
    libevent_global_shutdown();
    trace_step(&fetch->lane, STEP_NONE);
}

void model_run(struct run *run)
{
    struct fetch fetch;
    int error = step_start(&fetch, run);
    if (error == 0 && event_base_dispatch(fetch.loop.base) == -1)
        error = -EIO;
    if (error != 0)
        run_fail(run, "the event loop: %s", strerror(-error));
    if (fetch.loop.base != NULL)
        step_stop(&fetch);
}
