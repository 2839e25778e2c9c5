/*
 * fetch-evloop: one thread, one libevent loop, a bufferevent a connection.
 *
 * Nothing here waits. Each request is a struct that remembers how far it has
 * come; a callback translates what happened into a call of its exchange, and
 * then `advance` does what the exchange wants next, as far as that goes
 * without waiting. Callbacks touch nothing after that: the request may be gone.
 *
 * Bodies for standard output go through a stream of the request's own. It
 * sends only when it is the request's turn - before, every send is told "not
 * now" - so it fills up to the high-watermark, and then the request pauses
 * reading its connection until stream_drain says that the stash has sunk.
 * Nobody sleeps; the kernel's buffers fill, and the server stops.
 */
#include "clock.h"
#include "connection.h"
#include "exchange.h"
#include "model.h"
#include "run.h"
#include "stream.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char model_name[] = "evloop";

struct fetch {
    struct run *run;
    struct loop loop;
    struct request *first; /* in flight, by rising id */
    struct request *last;
    size_t in_flight;
    size_t limit;  /* of those; a shortage lowers it */
    uint64_t turn; /* whose body may go to standard output */
    struct event take;   /* a place is free */
    struct event input;  /* --input has something */
    struct event stop;   /* the run is to stop */
    struct event output; /* standard output takes something again */
    struct event tick;   /* the progress line */
};

struct request {
    struct fetch *fetch;
    struct request *next;
    struct request *previous;
    struct job *job;
    struct exchange *x;
    struct connection *connection; /* NULL: none */
    struct event timer;            /* for exchange_deadline */
    struct file file;              /* of --directory and --discard */
    struct stream *out;            /* of standard output */
    struct stream_waiter waiter;   /* for its drain, then for its close */
    uint64_t written;              /* body bytes that standard output took */
    size_t peak;                   /* most body bytes in hand */
    int64_t paused_us;             /* since when; -1: not paused */
    bool late; /* the limit has passed, and what had arrived is being read */
};

static void advance(struct request *r);

static bool ordered(const struct fetch *fetch)
{
    return options_ordered(fetch->run->options);
}

static bool has_turn(const struct request *r)
{
    return r->job->id == r->fetch->turn;
}

/* --- Standard output ---------------------------------------------------- */

/* What a request's stream stands on: standard output, in its turn. */

static ssize_t out_send(void *context, const struct iovec *parts, int n)
{
    struct request *r = context;
    if (!has_turn(r) || run_stopping(r->fetch->run))
        return -EAGAIN;
    ssize_t sent = output_send(&r->fetch->run->output, parts, n);
    if (sent > 0) {
        r->written += (size_t)sent;
        run_count(r->fetch->run, (size_t)sent);
    }
    return sent;
}

static void out_watch(void *context, bool on)
{
    struct request *r = context;
    if (!has_turn(r))
        return; /* pass_turn will call stream_writable */
    struct event *output = &r->fetch->output;
    if (!on)
        event_del(output);
    else if (r->fetch->run->output.kind == OUTPUT_DIRECT ||
             event_add(output, NULL) != 0)
        event_active(output, EV_WRITE, 1); /* a file: it is always ready */
}

static void out_shut(void *context)
{
    (void)context; /* standard output stays open */
}

static const struct stream_transport out_transport = {out_send, out_watch,
                                                      out_shut};

static void on_output(evutil_socket_t fd, short what, void *arg)
{
    struct fetch *fetch = arg;
    (void)fd;
    (void)what;
    if (fetch->first != NULL && has_turn(fetch->first) &&
        fetch->first->out != NULL)
        stream_writable(fetch->first->out);
}

/* The turn has moved on: the next request's stash may go out. */
static void pass_turn(struct fetch *fetch, uint64_t turn)
{
    event_del(&fetch->output);
    fetch->turn = turn;
    on_output(-1, 0, fetch);
}

static void free_out(struct request *r)
{
    if (r->out == NULL)
        return;
    stream_cancel(r->out, &r->waiter);
    stream_free(r->out);
    r->out = NULL;
}

/* --- Requests in flight ------------------------------------------------- */

static void link_request(struct fetch *fetch, struct request *r)
{
    struct request *before = fetch->last;
    while (before != NULL && before->job->id > r->job->id)
        before = before->previous;
    r->previous = before;
    r->next = before != NULL ? before->next : fetch->first;
    *(r->next != NULL ? &r->next->previous : &fetch->last) = r;
    *(before != NULL ? &before->next : &fetch->first) = r;
    fetch->in_flight++;
}

/* Takes the request out of flight, and gives back all that it holds but the
 * job. */
static struct job *end_request(struct request *r)
{
    struct fetch *fetch = r->fetch;
    struct job *job = r->job;
    *(r->next != NULL ? &r->next->previous : &fetch->last) = r->previous;
    *(r->previous != NULL ? &r->previous->next : &fetch->first) = r->next;
    fetch->in_flight--;
    event_del(&r->timer);
    free_out(r);
    sink_abort(&fetch->run->sink, &r->file, job); /* unless it is committed */
    if (r->connection != NULL)
        connection_close(r->connection);
    exchange_free(r->x);
    free(r);
    event_active(&fetch->take, EV_TIMEOUT, 1);
    return job;
}

/* Step finish: records the result and passes the turn on. */
static void step_finish(struct request *r)
{
    struct fetch *fetch = r->fetch;
    struct outcome *outcome = exchange_outcome(r->x);
    outcome->bytes = ordered(fetch) ? r->written : r->file.bytes;
    outcome->peak_buffered = r->peak;
    outcome->done_us = clock_us();
    r->job->outcome = *outcome;
    pass_turn(fetch, run_finish(fetch->run, end_request(r)));
}

/* The request starts over later, with nothing counted. */
static void give_back(struct request *r)
{
    struct fetch *fetch = r->fetch;
    struct job *job = end_request(r);
    run_given_back(fetch->run, job);
    jobs_give_back(&fetch->run->jobs, job);
}

/* Memory, descriptors or ports have run out: the newest request gives way, so
 * that the first in line never has to. False if `r` is the only one in flight:
 * then there is nothing to wait for. */
static bool give_way(struct request *r)
{
    struct fetch *fetch = r->fetch;
    struct request *newest = fetch->last;
    if (fetch->in_flight == 1 || r->written > 0)
        return false;
    fetch->limit = fetch->in_flight - 1;
    run_warn_shortage(fetch->run, exchange_outcome(r->x)->cause,
                      fetch->limit);
    if (newest != r)
        give_back(newest);
    give_back(r); /* it is taken again at once */
    return true;
}

/* --- Step deliver ------------------------------------------------------- */

static void set_timer(struct request *r);

/* Standard output takes no more. */
static void out_failed(struct request *r, int error)
{
    run_fail(r->fetch->run, "standard output: %s", strerror(-error));
    exchange_failed(r->x, RESULT_WRITE_FAILED, strerror(-error), clock_us());
}

/* The stash has sunk to the low mark, or standard output is broken. */
static void on_drained(void *arg, int error)
{
    struct request *r = arg;
    exchange_paused(r->x, clock_us() - r->paused_us);
    r->paused_us = -1;
    if (error != 0) {
        out_failed(r, error);
        advance(r);
        return;
    }
    set_timer(r);
    connection_resume(r->connection);
}

static int open_out(struct request *r)
{
    const struct options *options = r->fetch->run->options;
    r->out = stream_new_over(r->fetch->loop.base, &out_transport, r);
    if (r->out == NULL)
        return -ENOMEM;
    return stream_set_limits(r->out, (int64_t)options->high_water,
                             (int64_t)options->low_water);
}

/* To standard output: write, drain, and do not read on before it says so. */
static void deliver_ordered(struct request *r, struct span body)
{
    int error = r->out == NULL ? open_out(r) : 0;
    if (error == 0) {
        size_t in_hand = stream_buffered(r->out) + body.length;
        if (r->peak < in_hand)
            r->peak = in_hand;
        error = stream_write(r->out, body.at, body.length);
    }
    if (error != 0) {
        exchange_failed(r->x, RESULT_NO_RESOURCES, strerror(-error),
                        clock_us());
        return;
    }
    if (r->paused_us >= 0)
        return; /* these are the rest of a chunk read before the pause */
    r->waiter = (struct stream_waiter){.done = on_drained, .arg = r};
    error = stream_drain(r->out, &r->waiter);
    if (error == STREAM_WAITS) {
        r->paused_us = clock_us();
        connection_pause(r->connection);
    } else if (error != 0) {
        out_failed(r, error);
    }
}

/* Step deliver: to the file, or to standard output. */
static void step_deliver(struct request *r, struct span body)
{
    struct run *run = r->fetch->run;
    if (ordered(r->fetch)) {
        deliver_ordered(r, body);
        return;
    }
    int error =
        sink_write(&run->sink, &r->file, r->job, body.at, body.length);
    if (r->peak < body.length)
        r->peak = body.length;
    if (error == 0)
        run_count(run, body.length);
    else
        exchange_failed(r->x, sink_result(error), strerror(-error),
                        clock_us());
}

/* --- Step receive ------------------------------------------------------- */

static void on_readable(void *arg, const char *p, size_t n)
{
    struct request *r = arg;
    while (n > 0) {
        struct span body;
        size_t used = exchange_input(r->x, p, n, &body, clock_us());
        if (used == 0)
            break; /* left over: not for this request */
        p += used;
        n -= used;
        if (body.length > 0)
            step_deliver(r, body);
    }
    advance(r);
}

static void on_ended(void *arg, int error)
{
    struct request *r = arg;
    if (error == 0)
        exchange_eof(r->x, clock_us());
    else
        exchange_failed(r->x, net_result_of_transfer(-error),
                        strerror(-error), clock_us());
    advance(r);
}

/* --- Step connect ------------------------------------------------------- */

static void on_connected(void *arg)
{
    struct request *r = arg;
    exchange_connected(r->x, false, clock_us());
    advance(r);
}

static void on_failed(void *arg, enum result result, const char *cause)
{
    struct request *r = arg;
    exchange_failed(r->x, result, cause, clock_us());
    advance(r);
}

static const struct connection_owner connection_owner = {
    on_connected, on_failed, on_readable, on_ended};

/* Step connect: an idle connection if there is one, else a new one. */
static void step_connect(struct request *r)
{
    struct loop *loop = &r->fetch->loop;
    const struct url *url = exchange_url(r->x);
    if (exchange_may_reuse(r->x)) {
        r->connection = connection_reuse(loop, url, &connection_owner, r);
        if (r->connection != NULL) {
            exchange_connected(r->x, true, clock_us());
            return;
        }
    }
    r->connection = connection_open(loop, url, &connection_owner, r);
    if (r->connection == NULL)
        exchange_failed(r->x, RESULT_NO_RESOURCES, strerror(ENOMEM),
                        clock_us());
}

/* --- Steps send, expire, retry ------------------------------------------ */

/* Step send: what the kernel does not take, the stream keeps. */
static void step_send(struct request *r)
{
    const char *p;
    size_t n = exchange_output(r->x, &p);
    int error = stream_write(r->connection->stream, p, n);
    if (error == 0)
        exchange_sent(r->x, n);
    else
        exchange_failed(r->x, RESULT_NO_RESOURCES, strerror(-error),
                        clock_us());
}

/* Steps expire and retry: the time has come. What had arrived by then is read
 * first: after a SIGCONT the answer may be here although the time is over. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct request *r = arg;
    (void)fd;
    (void)what;
    if (r->paused_us >= 0)
        return; /* the consumer is slow: time stands still */
    if (clock_us() < exchange_deadline(r->x)) {
        set_timer(r);
        return;
    }
    if (exchange_want(r->x) == WANT_WAIT) {
        exchange_waited(r->x, clock_us());
    } else if (!r->late && r->connection != NULL &&
               r->connection->state == OPEN) {
        /* It may be finished by that, so: first come back here. */
        r->late = true;
        event_active(&r->timer, EV_TIMEOUT, 1);
        connection_read_arrived(r->connection);
        return;
    } else {
        exchange_expired(r->x, clock_us());
    }
    advance(r);
}

/* Arms the timer for the exchange's deadline, whatever it is about. */
static void set_timer(struct request *r)
{
    int64_t left = exchange_deadline(r->x) - clock_us();
    if (left < 0)
        left = 0;
    struct timeval time = {.tv_sec = left / CLOCK_SECOND,
                           .tv_usec = left % CLOCK_SECOND};
    r->late = false;
    if (event_add(&r->timer, &time) != 0)
        event_active(&r->timer, EV_TIMEOUT, 1);
}

/* Step retry: lets the time pass, keeping the place. */
static void step_retry(struct request *r)
{
    sink_abort(&r->fetch->run->sink, &r->file, r->job);
    set_timer(r);
}

/* --- The end of an exchange --------------------------------------------- */

/* Standard output has all of the body, or will never have it. */
static void on_flushed(void *arg, int error)
{
    struct request *r = arg;
    if (error != 0)
        out_failed(r, error);
    step_finish(r);
}

/* Brings the body to its destination: true if that takes its time. */
static bool complete_body(struct request *r)
{
    struct run *run = r->fetch->run;
    int error = 0;
    if (!ordered(r->fetch)) {
        error = sink_commit(&run->sink, &r->file, r->job);
        if (error != 0)
            exchange_failed(r->x, sink_result(error), strerror(-error),
                            clock_us());
    } else if (r->out != NULL) {
        stream_cancel(r->out, &r->waiter);
        r->waiter = (struct stream_waiter){.done = on_flushed, .arg = r};
        stream_close(r->out);
        error = stream_wait_closed(r->out, &r->waiter);
        if (error == STREAM_WAITS)
            return true;
        if (error != 0)
            out_failed(r, error);
    }
    return false;
}

static void exchange_is_done(struct request *r)
{
    event_del(&r->timer);
    const struct outcome *outcome = exchange_outcome(r->x);
    if (outcome->result == RESULT_OK && complete_body(r))
        return; /* on_flushed goes on */
    if (outcome->result == RESULT_NO_RESOURCES && give_way(r))
        return;
    step_finish(r);
}

/* The want has left the connection behind. */
static void leave_connection(struct request *r)
{
    if (exchange_reusable(r->x))
        connection_keep(r->connection);
    else
        connection_close(r->connection);
    r->connection = NULL;
}

/* Does what the exchange wants, as far as it goes without waiting. The request
 * may be gone afterwards. */
static void advance(struct request *r)
{
    for (;;) {
        enum want want = exchange_want(r->x);
        if (r->connection != NULL &&
            (want == WANT_CONNECT || want == WANT_WAIT || want == WANT_DONE))
            leave_connection(r);
        switch (want) {
        case WANT_CONNECT:
            set_timer(r);
            step_connect(r);
            if (exchange_want(r->x) == WANT_CONNECT)
                return; /* on_connected or on_failed goes on */
            break;
        case WANT_SEND:
            step_send(r);
            break;
        case WANT_SHUT:
            stream_write_eof(r->connection->stream);
            exchange_shut(r->x);
            break;
        case WANT_RECEIVE:
            return; /* on_readable or on_ended goes on */
        case WANT_WAIT:
            step_retry(r);
            return; /* on_timer goes on */
        case WANT_DONE:
            exchange_is_done(r);
            return;
        }
    }
}

/* --- Step take ---------------------------------------------------------- */

/* Begins a request. 0 or -ENOMEM. */
static int begin(struct fetch *fetch, struct job *job)
{
    struct request *r = calloc(1, sizeof *r);
    if (r == NULL)
        return -ENOMEM;
    r->x = exchange_new(fetch->run->options, job->url, job->url_length,
                        clock_us());
    if (r->x == NULL) {
        free(r);
        return -ENOMEM;
    }
    r->fetch = fetch;
    r->job = job;
    r->file = FILE_NONE;
    r->paused_us = -1;
    evtimer_assign(&r->timer, fetch->loop.base, on_timer, r);
    link_request(fetch, r);
    run_started(fetch->run, job, 0);
    advance(r);
    return 0;
}

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
    while (fetch->in_flight < fetch->limit && !run_stopping(run)) {
        struct job *job = NULL;
        int got = jobs_next(&run->jobs, &job);
        if (got == 1)
            got = begin(fetch, job);
        else if (got == 0 && run->input == -1)
            break;
        else if (got == 0 && event_add(&fetch->input, NULL) == 0)
            return;
        else if (got == 0)
            got = run_read_input(run); /* a file: it is always ready */
        if (got < 0) {
            begin_later(fetch, job);
            break;
        }
    }
    if (run_stopping(run) || (fetch->in_flight == 0 && jobs_done(&run->jobs)))
        event_base_loopbreak(fetch->loop.base);
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

/* Step start: makes the loop and the events that are not a request's. */
static int step_start(struct fetch *fetch, struct run *run)
{
    struct timeval tick = {.tv_usec = RUN_TICK_MS * 1000L};
    *fetch = (struct fetch){.run = run, .limit = run->options->jobs};
    event_set_log_callback(discard_log);
    int error = has_descriptors_for_a_loop();
    if (error != 0)
        return error;
    struct event_base *base = event_base_new();
    if (base == NULL)
        return -ENOMEM;
    error = loop_open(&fetch->loop, base, run->options->connect_timeout_us,
                          run->options->jobs);
    if (error != 0) {
        event_base_free(base);
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
    while (fetch->first != NULL) {
        struct request *r = fetch->first;
        exchange_failed(r->x, RESULT_CANCELLED, "the run ended first",
                        clock_us());
        step_finish(r);
    }
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        event_del(events[i]);
    loop_close(&fetch->loop);
    event_base_free(fetch->loop.base);
    libevent_global_shutdown();
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
