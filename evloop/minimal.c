/*
 * minimal-evloop: many URLs at once, all in one thread, by callbacks.
 *
 * Who sleeps: the loop alone, in event_base_loop; no callback may. What wakes
 * it: a descriptor that is ready, or a time that is up. What a thread has on
 * its stack, a request keeps in its struct from one callback to the next.
 *
 * Left out: looking a name up without sleeping, its other addresses, keep-
 * alive, retries, uploads, a limit on the whole request (connection.c,
 * request.c); files, https, the report (common/sink.c, tls.c, run.c).
 */
#include "minimal.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <limits.h>
#include <stdlib.h>

#define HIGH 65536 /* so far is a body read ahead of its turn */
#define LOW  16384 /* standard output is full from HIGH down to here */

static struct request {
    struct job *job;
    struct exchange *x;         /* NULL: the place is free */
    struct bufferevent *source; /* its connection, and bytes not yet fed */
    int ended; /* how that ended, as for minimal_ended; -1: it has not */
} requests[MINIMAL_JOBS];
static struct minimal m; /* options, list of URLs, messages, exit status */
static struct event_base *base;
static struct bufferevent *out; /* standard output */
static struct evbuffer *rest;   /* what `out` has still to write */
static bool full;               /* `out` holds too much */
static uint64_t turn; /* the id of the job whose body is fed; not with -n */

/* `out` has come down to LOW; or the whole request has left. */
static void on_written(struct bufferevent *bev, void *request)
{
    struct request *r = request;
    if (r == NULL)
        full = false;
    else
        minimal_shut(r->x, bufferevent_getfd(bev));
}

/* Gives libevent the request to send. */
static void step_send(struct request *r)
{
    const char *p;
    exchange_connected(r->x, false, clock_us());
    size_t n = exchange_output(r->x, &p);
    minimal_check(&m, "sending", bufferevent_write(r->source, p, n));
    minimal_check(&m, "reading", bufferevent_enable(r->source, EV_READ));
    if (n > 0)
        exchange_sent(r->x, n);
    else
        on_written(r->source, r);
}

/* Connected, or ended: the exchange hears of that after the last byte. */
static void on_event(struct bufferevent *bev, short what, void *request)
{
    struct request *r = request;
    int error = EVUTIL_SOCKET_ERROR();
    (void)bev;
    if (r == NULL)
        minimal_fail(&m, "standard output", error);
    if ((what & BEV_EVENT_CONNECTED) != 0)
        step_send(r);
    else if ((what & BEV_EVENT_EOF) != 0)
        r->ended = 0;
    else if ((what & BEV_EVENT_READING) != 0 ||
             exchange_want(r->x) == WANT_CONNECT)
        r->ended = (what & BEV_EVENT_TIMEOUT) != 0 ? EAGAIN : error;
    else if (exchange_want(r->x) == WANT_SHUT)
        exchange_unsendable(r->x);
}

/* Looks the host up, which sleeps, and connects; on_event tells. */
static void step_connect(struct request *r)
{
    struct timeval limit = {m.options.timeout_us / CLOCK_SECOND, 0};
    struct addrinfo *address = minimal_resolve(r->x);
    if (r->source != NULL)
        bufferevent_free(r->source);
    r->source = NULL;
    r->ended = -1;
    if (address == NULL)
        return;
    r->source = minimal_made(
        &m, bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE));
    bufferevent_setcb(r->source, NULL, on_written, on_event, r);
    bufferevent_setwatermark(r->source, EV_READ, 0, HIGH);
    bufferevent_set_timeouts(r->source, &limit, &limit);
    if (bufferevent_socket_connect(r->source, address->ai_addr,
                                   (int)address->ai_addrlen) == -1)
        r->ended = EVUTIL_SOCKET_ERROR();
    freeaddrinfo(address);
}

/* Takes a job for a free place, if there is one. */
static void step_take(struct request *r)
{
    r->job = minimal_take(&m);
    if (r->job == NULL)
        return;
    r->x = minimal_exchange(&m, r->job);
    if (exchange_want(r->x) == WANT_CONNECT)
        step_connect(r);
}

static bool has_turn(const struct request *r)
{
    return m.options.discard || (r->job->id == turn && !full);
}

/* Hands a piece of the body to `out`. */
static int step_deliver(void *unused, const char *p, size_t n)
{
    (void)unused;
    if (m.options.discard)
        return 0;
    minimal_check(&m, "writing", bufferevent_write(out, p, n));
    full = evbuffer_get_length(rest) > HIGH;
    return 0;
}

/* Feeds what has come, if it has the turn; then what came after that. */
static void step_receive(struct request *r)
{
    char chunk[MINIMAL_CHUNK];
    size_t n = 1;
    enum want before = exchange_want(r->x);
    while (has_turn(r) && n > 0) {
        n = bufferevent_read(r->source, chunk, sizeof chunk);
        exchange_feed(r->x, chunk, n, step_deliver, NULL, clock_us());
    }
    n = evbuffer_get_length(bufferevent_get_input(r->source));
    if (r->ended != -1 && n == 0 && exchange_want(r->x) == before)
        minimal_ended(r->x, r->ended);
    if (before != WANT_CONNECT && exchange_want(r->x) == WANT_CONNECT)
        step_connect(r); /* a redirect */
}

/* Prints the result; the place is free, and the next in line has the turn. */
static void step_finish(struct request *r)
{
    minimal_finish(&m, r->job, exchange_outcome(r->x));
    exchange_free(r->x);
    if (r->source != NULL)
        bufferevent_free(r->source);
    *r = (struct request){0};
    turn++;
}

/* Does what callbacks have made possible for the request of this place; true:
 * the place has a request. */
static bool go_on(struct request *r)
{
    if (r->x == NULL)
        step_take(r);
    if (r->source != NULL)
        step_receive(r);
    if (r->x != NULL && exchange_want(r->x) == WANT_DONE && has_turn(r))
        step_finish(r);
    return r->x != NULL;
}

int main(int argc, char **argv)
{
    minimal_open(&m, "minimal-evloop", argc, argv, _exit);
    (void)setenv("EVENT_NOEPOLL", "1", 1); /* which takes no regular files */
    base = minimal_made(&m, event_base_new());
    struct event *list = minimal_made(
        &m, event_new(base, m.input, EV_READ, minimal_on_list, &m));
    out = minimal_made(&m, bufferevent_socket_new(base, m.output.fd, 0));
    rest = bufferevent_get_output(out);
    bufferevent_setcb(out, NULL, on_written, on_event, NULL);
    bufferevent_setwatermark(out, EV_WRITE, LOW, 0);
    bufferevent_set_max_single_write(out, PIPE_BUF); /* poll says it fits */
    for (;;) {
        uint64_t before = turn;
        size_t busy = 0;
        for (size_t i = 0; i < m.options.jobs; i++)
            busy += go_on(&requests[i]);
        if (turn != before)
            continue; /* a place is free, and another request has its turn */
        if (busy == 0 && m.input == -1 && evbuffer_get_length(rest) == 0)
            break;
        if (busy < m.options.jobs && m.input != -1)
            minimal_check(&m, "the list", event_add(list, NULL));
        minimal_check(&m, "the loop", event_base_loop(base, EVLOOP_ONCE));
    }
    bufferevent_free(out);
    event_free(list);
    event_base_free(base);
    return minimal_close(&m);
}
