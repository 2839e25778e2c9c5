/* Style: a table of handlers in place of the switch; recursion for loops */
/* request: one request of the event loop. See request.h. */
#include "request.h"

#include "base.h"
#include "clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void set_timer(struct request *r);

/* --- Steps receive (its reading is the connection's) and deliver --------- */

/* Step deliver: hands a piece of the body on. When more waits there than the
 * high mark, the connection is paused until it has sunk. */
static int step_deliver(void *arg, const char *p, size_t n)
{
    struct request *r = arg;
    int64_t before = trace_now(&r->lane);
    int error = body_write(&r->body, p, n);
    if (error == STREAM_WAITS && r->paused_us < 0) {
        r->paused_us = clock_us();
        r->deliver_us = before; /* on_drained says how long it took */
        connection_pause(r->connection);
        return 0;
    }
    trace_within(&r->lane, STEP_DELIVER, before);
    return error == STREAM_WAITS ? 0 : error;
}

/* The body could not be handed on. */
static void not_delivered(struct request *r, int error)
{
    exchange_failed(r->x, result_of_writing(error), strerror(-error),
                    clock_us());
}

/* The stash has sunk to the low mark, or standard output is broken. */
static void on_drained(void *arg, int error)
{
    struct request *r = arg;
    exchange_paused(r->x, clock_us() - r->paused_us);
    trace_within(&r->lane, STEP_DELIVER, r->deliver_us);
    r->paused_us = -1;
    if (error != 0) {
        not_delivered(r, error);
        request_advance(r);
        return;
    }
    set_timer(r);
    connection_resume(r->connection);
}

static void on_readable(void *arg, const char *p, size_t n)
{
    struct request *r = arg;
    exchange_feed(r->x, p, n, step_deliver, r, clock_us());
    if (exchange_deadline(r->x) < r->timer_us)
        set_timer(r); /* what comes is of no use, and gets less time */
    request_advance(r);
}

static void on_ended(void *arg, int error)
{
    struct request *r = arg;
    if (error == 0)
        exchange_eof(r->x, clock_us());
    else if (error == -TLS_CUT)
        exchange_cut(r->x, clock_us());
    else
        exchange_failed(r->x,
                        net_result_of_transfer(-error, exchange_url(r->x)),
                        tls_cause(r->connection->tls, -error), clock_us());
    request_advance(r);
}

/* --- Step connect ------------------------------------------------------- */

static void on_connected(void *arg)
{
    struct request *r = arg;
    exchange_connected(r->x, false, clock_us());
    request_advance(r);
}

static void on_failed(void *arg, enum result result, const char *cause)
{
    struct request *r = arg;
    exchange_failed(r->x, result, cause, clock_us());
    request_advance(r);
}

static const struct connection_owner connection_owner = {
    on_connected, on_failed, on_readable, on_ended};

/* Step connect: an idle connection if there is one, else a new one. */
static void step_connect(struct request *r)
{
    struct loop *loop = r->loop;
    const struct url *url = exchange_url(r->x);
    if (exchange_may_reuse(r->x)) {
        r->connection = connection_reuse(loop, url, &connection_owner, r);
        if (r->connection != NULL) {
            exchange_connected(r->x, true, clock_us());
            return;
        }
    }
    r->connection = connection_open(loop, url, exchange_tried(r->x),
                                    &connection_owner, r, &r->lane);
    if (r->connection == NULL)
        exchange_failed(r->x, RESULT_NO_RESOURCES, strerror(ENOMEM),
                        clock_us());
}

/* --- Steps send, expire, retry ------------------------------------------ */

static void send_datagram(struct request *r, const char *p, size_t n)
{
    int error = connection_send(r->connection, p, n);
    if (error == 0)
        exchange_sent(r->x, n);
    else
        exchange_failed(r->x,
                        net_result_of_transfer(-error, exchange_url(r->x)),
                        strerror(-error), clock_us());
    set_timer(r); /* to send it again */
}

/* Step send: the head, all at once, and then what is uploaded. */
static void step_send(struct request *r)
{
    const char *p;
    size_t n = exchange_output(r->x, &p);
    int error = 0;
    if (r->connection->stream == NULL) {
        send_datagram(r, p, n);
        return;
    }
    if (n == 0) {
        sending_go_on(r->sending, r->connection->stream);
        return;
    }
    error = stream_write(r->connection->stream, p, n);
    if (error == 0)
        error = stream_loss(r->connection->stream);
    if (error == 0)
        exchange_sent(r->x, n);
    else
        sending_failed(r->x, error);
}

/* True if what had arrived when the limit passed is read first: after a SIGCONT
 * the answer may be here although the time is over. Then the timer comes back.
 */
static bool reads_first(struct request *r)
{
    if (r->late || r->connection == NULL || r->connection->state != OPEN)
        return false;
    r->late = true;
    base_next_turn(&r->timer); /* first, for the request may end by this */
    connection_read_arrived(r->connection);
    return true;
}

/* Step expire: the limit has passed, and nothing that had arrived by then is
 * left to be read. */
static void step_expire(struct request *r)
{
    if (r->connection != NULL && connection_tells_more(r->connection))
        return;
    trace_moment(&r->lane, STEP_EXPIRE, r->job->id);
    exchange_expired(r->x, clock_us());
    request_advance(r);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct request *r = arg;
    int64_t now = clock_us();
    bool passed = now >= exchange_deadline(r->x);
    bool paused = r->paused_us != -1;
    (void)fd;
    (void)what;
    if (!paused && !passed)
        set_timer(r); /* it was moved, or we came too early */
    if (paused || !passed)
        return;
    if (exchange_want(r->x) == WANT_WAIT) {
        exchange_waited(r->x, now);
        request_advance(r);
        return;
    }
    if (!reads_first(r))
        step_expire(r);
}

static void set_timer(struct request *r)
{
    r->timer_us = exchange_deadline(r->x);
    int64_t left = r->timer_us - clock_us();
    if (left < 0)
        left = 0;
    struct timeval time = {.tv_sec = left / CLOCK_SECOND,
                           .tv_usec = left % CLOCK_SECOND};
    r->late = false;
    if (event_add(&r->timer, &time) != 0)
        base_next_turn(&r->timer); /* it looks at the clock, and comes back */
}

/* Step retry: lets the time pass, keeping the place. */
static void step_retry(struct request *r)
{
    body_restart(&r->body);
    set_timer(r);
}

/* --- The end of an exchange ---------------------------------------------- */

static void exchange_is_done(struct request *r)
{
    int error = 0;
    event_del(&r->timer);
    if (exchange_outcome(r->x)->result == RESULT_OK)
        error = complete_body(&r->body);
    if (error == STREAM_WAITS)
        return; /* on_flushed goes on */
    if (error != 0)
        not_delivered(r, error);
    if (exchange_outcome(r->x)->result != RESULT_NO_RESOURCES ||
        !r->owner->give_way(r))
        r->owner->finished(r);
}

static void on_flushed(void *arg, int error)
{
    struct request *r = arg;
    if (error != 0)
        not_delivered(r, error);
    r->owner->finished(r);
}

/* The want has left the connection behind. */
static void leave_connection(struct request *r)
{
    sending_leave(r->sending);
    if (exchange_reusable(r->x))
        connection_keep(r->connection);
    else
        connection_close(r->connection);
    r->connection = NULL;
}

/* --- A handler for each want -------------------------------------------- */

/* Each does what its want asks for, and is true if the next want can be dealt
 * with now. If it is false, the request may be gone. */

static bool want_connect(struct request *r)
{
    set_timer(r);
    step_connect(r);
    return exchange_want(r->x) != WANT_CONNECT;
}

static bool want_send(struct request *r)
{
    if (sending_is_busy(r->sending))
        return false;
    step_send(r);
    return true;
}

static bool want_shut(struct request *r)
{
    stream_write_eof(r->connection->stream);
    exchange_shut(r->x);
    return true;
}

static bool want_receive(struct request *r)
{
    (void)r; /* on_readable, on_ended */
    return false;
}

static bool want_wait(struct request *r)
{
    step_retry(r);
    return false;
}

static bool want_done(struct request *r)
{
    exchange_is_done(r);
    return false;
}

static bool (*const handlers[])(struct request *r) = {
    [WANT_CONNECT] = want_connect, [WANT_SEND] = want_send,
    [WANT_SHUT] = want_shut,       [WANT_RECEIVE] = want_receive,
    [WANT_WAIT] = want_wait,       [WANT_DONE] = want_done};

static bool ends_connection(enum want want)
{
    return want == WANT_CONNECT || want == WANT_WAIT || want == WANT_DONE;
}

void request_advance(struct request *r)
{
    enum want want = exchange_want(r->x);
    trace_want(&r->lane, want);
    if (r->connection != NULL && ends_connection(want))
        leave_connection(r);
    if (handlers[want](r))
        request_advance(r);
}

/* --- Beginning and freeing ---------------------------------------------- */

static bool body_has_turn(void *arg)
{
    struct request *r = arg;
    return r->owner->has_turn(r);
}

static void body_watches_output(void *arg, bool on)
{
    struct request *r = arg;
    r->owner->watch_output(r, on);
}

static bool body_makes_room(void *arg)
{
    struct request *r = arg;
    return r->owner->make_room(r);
}

static const struct body_owner body_owner = {body_has_turn,
                                             body_watches_output,
                                             body_makes_room, on_drained,
                                             on_flushed};

/* A piece of the upload. */
static void on_sent(void *arg)
{
    request_advance(arg);
}

int request_open(struct request *r, struct job *job)
{
    const struct options *options = r->run->options;
    r->x = exchange_new(options, job->url, job->url_length, clock_us());
    if (r->x == NULL)
        return -ENOMEM;
    if (options->upload != NULL) {
        r->sending =
            sending_new(r->loop, options, r->x, job->id, on_sent, r);
        if (r->sending == NULL) {
            exchange_free(r->x);
            return -ENOMEM;
        }
    }
    r->job = job;
    trace_lend(&r->run->trace, &r->lane, "place", job->id);
    body_open(&r->body, &(struct body){.run = r->run,
                                       .base = r->loop->base,
                                       .job = job,
                                       .lane = &r->lane,
                                       .owner = &body_owner,
                                       .arg = r});
    r->paused_us = -1;
    evtimer_assign(&r->timer, r->loop->base, on_timer, r);
    return 0;
}

void request_may_write(struct request *r)
{
    body_may_write(&r->body);
}

struct job *request_close(struct request *r)
{
    trace_return(&r->lane);
    event_del(&r->timer);
    body_close(&r->body);
    sending_close(r->sending);
    if (r->connection != NULL)
        connection_close(r->connection);
    exchange_free(r->x);
    return r->job;
}

void request_cancel(struct request *r)
{
    exchange_failed(r->x, RESULT_CANCELLED, "the run ended first", clock_us());
    r->owner->finished(r);
}
