/* Style: a table of handlers in place of the switch; recursion for loops */
/* request: one request of the event loop. See request.h. */
#include "request.h"

#include "clock.h"
#include "upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An upload is read and written in pieces of this size, and so many of them
 * in a row. */
#define UPLOAD_PIECE ((size_t)64 * 1024)
#define UPLOAD_SHARE 4

/* --- Step receive ------------------------------------------------------- */

/* Step receive: feeds what has come to the exchange, and delivers the body. */
static void step_receive(struct request *r, const char *p, size_t n)
{
    struct span body = {0};
    size_t used = n > 0 ? exchange_input(r->x, p, n, &body, clock_us()) : 0;
    if (used == 0)
        return; /* all is used, or it is not for this request */
    if (body.length > 0)
        step_deliver(r, body);
    step_receive(r, p + used, n - used);
}

static void on_readable(void *arg, const char *p, size_t n)
{
    struct request *r = arg;
    step_receive(r, p, n);
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
    struct loop *loop = &r->fetch->loop;
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

/* An upload waits for its drain, or for its turn. */
static bool is_sending(const struct request *r)
{
    return r->upload != NULL && (r->upload->sending.waits ||
                                 evtimer_pending(&r->upload->again, NULL));
}

/* The peer takes no more. It may have answered before that, which the reading
 * side will see; but there is nothing to be read when it is we who have no
 * memory to send. */
static void not_sent(struct request *r, int error)
{
    enum result result = net_result_of_transfer(-error, exchange_url(r->x));
    if (result == RESULT_NO_RESOURCES)
        exchange_failed(r->x, result, strerror(-error), clock_us());
    else
        exchange_unsendable(r->x);
}

/* The server has taken what was stashed of the piece, or takes no more. */
static void piece_is_sent(struct request *r, int error)
{
    if (exchange_want(r->x) != WANT_SEND)
        return; /* it has heard enough */
    if (error == 0)
        exchange_sent(r->x, r->upload->piece);
    else
        not_sent(r, error);
}

static void on_sendable(void *arg, int error)
{
    struct request *r = arg;
    piece_is_sent(r, error);
    request_advance(r);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    request_advance(arg);
}

/* One piece of the file: read, write, drain. What drain says, or, for the last
 * piece, when nothing of it is stashed: sent means with the kernel. */
static int send_piece(struct request *r)
{
    const struct options *options = r->fetch->run->options;
    struct stream *out = r->connection->stream;
    struct upload *upload = r->upload;
    char piece[UPLOAD_PIECE];
    uint64_t offset;
    uint64_t left = exchange_upload(r->x, &offset);
    upload->piece = upload_read(options, r->x, piece, sizeof piece);
    if (upload->piece == 0)
        return -EIO; /* the exchange has failed */
    bool last = upload->piece == left;
    int error = stream_set_limits(out, last ? 0 : (int64_t)options->high_water,
                                  last ? 0 : (int64_t)options->low_water);
    if (error == 0)
        error = stream_write(out, piece, upload->piece);
    if (error != 0) {
        exchange_failed(r->x, RESULT_NO_RESOURCES, strerror(-error),
                        clock_us());
        return error;
    }
    upload->sending = (struct stream_waiter){.done = on_sendable, .arg = r};
    return stream_drain(out, &upload->sending);
}

/* The file goes out piece by piece, each when drain says so. A server that
 * takes everything at once would keep the loop to itself, so after some pieces
 * the rest waits: behind a timer, because an event made active here would run
 * before the loop looks at the other connections. (Reading the file may wait
 * for the disk, and the loop with it.) */
static void send_upload(struct request *r)
{
    static const struct timeval at_once = {0, 0};
    for (int i = 0; i < UPLOAD_SHARE; i++) {
        int error = send_piece(r);
        if (error == STREAM_WAITS)
            return;
        piece_is_sent(r, error);
        if (exchange_want(r->x) != WANT_SEND)
            return;
    }
    if (event_add(&r->upload->again, &at_once) != 0)
        exchange_failed(r->x, RESULT_NO_RESOURCES, strerror(ENOMEM),
                        clock_us());
}

static void send_datagram(struct request *r, const char *p, size_t n)
{
    int error = connection_send_datagram(r->connection, p, n);
    if (error == 0)
        exchange_sent(r->x, n);
    else
        exchange_failed(r->x,
                        net_result_of_transfer(-error, exchange_url(r->x)),
                        strerror(-error), clock_us());
    request_set_timer(r); /* to send it again */
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
        send_upload(r);
        return;
    }
    error = stream_write(r->connection->stream, p, n);
    if (error == 0)
        error = stream_loss(r->connection->stream);
    if (error == 0)
        exchange_sent(r->x, n);
    else
        not_sent(r, error);
}

/* Step expire: the limit has passed. What had arrived by then is read first:
 * after a SIGCONT the answer may be here although the time is over. */
static void step_expire(struct request *r)
{
    if (!r->late && r->connection != NULL && r->connection->state == OPEN) {
        /* It may be finished by that, so: first come back here. */
        r->late = true;
        event_active(&r->timer, EV_TIMEOUT, 1);
        connection_read_arrived(r->connection);
        return;
    }
    trace_within(&r->lane, STEP_EXPIRE, trace_now(&r->lane));
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
        request_set_timer(r); /* it was moved, or we came too early */
    if (paused || !passed)
        return;
    if (exchange_want(r->x) != WANT_WAIT) {
        step_expire(r);
        return;
    }
    exchange_waited(r->x, now);
    request_advance(r);
}

void request_set_timer(struct request *r)
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
    request_set_timer(r);
}

/* --- The end of an exchange ---------------------------------------------- */

static void exchange_is_done(struct request *r)
{
    event_del(&r->timer);
    const struct outcome *outcome = exchange_outcome(r->x);
    if (outcome->result == RESULT_OK && deliver_end(r))
        return; /* on_flushed goes on */
    if (outcome->result == RESULT_NO_RESOURCES && fetch_give_way(r))
        return;
    step_finish(r);
}

/* The want has left the connection behind. */
static void leave_connection(struct request *r)
{
    if (r->upload != NULL) {
        if (r->connection->stream != NULL)
            stream_cancel(r->connection->stream, &r->upload->sending);
        event_del(&r->upload->again);
    }
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
    request_set_timer(r);
    step_connect(r);
    return exchange_want(r->x) != WANT_CONNECT;
}

static bool want_send(struct request *r)
{
    if (is_sending(r))
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

int request_begin(struct fetch *fetch, struct job *job)
{
    const struct options *options = fetch->run->options;
    bool uploads = options->upload != NULL;
    struct request *r = calloc(1, sizeof *r);
    if (r == NULL)
        return -ENOMEM;
    r->x = exchange_new(options, job->url, job->url_length, clock_us());
    if (uploads)
        r->upload = calloc(1, sizeof *r->upload);
    if (r->x == NULL || (uploads && r->upload == NULL)) {
        exchange_free(r->x);
        free(r->upload);
        free(r);
        return -ENOMEM;
    }
    r->fetch = fetch;
    r->job = job;
    trace_lend(&fetch->run->trace, &r->lane, "place");
    trace_about(&r->lane, job->id);
    trace_step(&r->lane, STEP_TAKE);
    r->file = FILE_NONE;
    r->paused_us = -1;
    evtimer_assign(&r->timer, fetch->loop.base, on_timer, r);
    if (r->upload != NULL)
        evtimer_assign(&r->upload->again, fetch->loop.base, on_again, r);
    fetch_link(r);
    request_advance(r);
    return 0;
}

struct job *request_free(struct request *r)
{
    struct job *job = r->job;
    trace_return(&r->lane);
    event_del(&r->timer);
    if (r->upload != NULL)
        event_del(&r->upload->again);
    deliver_free(r);
    sink_abort(&r->fetch->run->sink, &r->file, job); /* if not committed */
    if (r->connection != NULL)
        connection_close(r->connection);
    exchange_free(r->x);
    free(r->upload);
    free(r);
    return job;
}

void request_cancel(struct request *r)
{
    exchange_failed(r->x, RESULT_CANCELLED, "the run ended first", clock_us());
    step_finish(r);
}
