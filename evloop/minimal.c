/*
 * minimal-evloop: many URLs at once, all in one thread, by callbacks.
 *
 * Who sleeps: the loop alone, in event_base_loop; no callback may. What wakes
 * it: a descriptor that is ready, or a time that is up. What a thread has on
 * its stack, a request keeps in its struct from one callback to the next.
 *
 * Left out: keep-alive, retries, uploads, a name's other addresses, a limit on
 * the whole request (connection.c, request.c); files, https, the report
 * (common/sink.c, tls.c, run.c); a shortage of descriptors (fetch.c).
 */
#include "minimal.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>

#define HIGH 65536 /* so far is a body read ahead of its turn */
#define LOW  16384 /* standard output is full from HIGH down to here */

struct request {
    struct job *job;
    struct exchange *x;
    struct bufferevent *source; /* its connection, and bytes not yet fed */
    short ended;                /* what came after these bytes; 0: nothing */
    int error;                  /* an errno, with BEV_EVENT_ERROR */
    struct request *next;       /* in flight, in order of input */
};

static struct minimal m; /* options, list of URLs, messages, exit status */
static struct event_base *base;
static struct evdns_base *dns;  /* NULL: no name server; libevent sleeps */
static struct event *list;      /* the list of URLs has more */
static struct bufferevent *out; /* standard output */
static bool full;               /* `out` holds too much */
static struct request *first;   /* whose turn it is */
static size_t in_flight;

static bool has_turn(const struct request *r)
{
    return m.options.discard || (r == first && !full);
}

static void step_connect(struct request *r);
static void step_receive(struct bufferevent *source, void *request);

/* `out` has come down to LOW: the bytes that had to wait go on. */
static void on_drained(struct bufferevent *bev, void *unused)
{
    (void)bev, (void)unused;
    full = false;
    if (first != NULL)
        step_receive(first->source, first);
}

static void on_output_event(struct bufferevent *bev, short what, void *unused)
{
    (void)bev, (void)what, (void)unused;
    minimal_fail(&m, "standard output", EVUTIL_SOCKET_ERROR());
}

static void on_list(int fd, short what, void *unused)
{
    (void)fd, (void)what, (void)unused;
    minimal_read(&m);
}

/* Makes the loop, and what it waits for besides the requests. */
static void step_start(void)
{
    (void)setenv("EVENT_NOEPOLL", "1", 1); /* which takes no regular files */
    base = minimal_made(&m, event_base_new());
    dns = evdns_base_new(base, EVDNS_BASE_INITIALIZE_NAMESERVERS);
    list = minimal_made(&m, event_new(base, m.input, EV_READ, on_list, NULL));
    out = minimal_made(&m, bufferevent_socket_new(base, m.output.fd, 0));
    bufferevent_setcb(out, NULL, on_drained, on_output_event, NULL);
    bufferevent_setwatermark(out, EV_WRITE, LOW, 0);
    bufferevent_set_max_single_write(out, PIPE_BUF); /* poll says it fits */
}

/* Takes a job if there is one, and a place for it. */
static bool step_take(void)
{
    struct request **at = &first;
    if (in_flight == m.options.jobs)
        return false;
    struct job *job = minimal_take(&m);
    if (job == NULL && m.input != -1)
        minimal_check(&m, "the list", event_add(list, NULL));
    if (job == NULL)
        return false;
    while (*at != NULL)
        at = &(*at)->next;
    *at = minimal_made(&m, calloc(1, sizeof **at));
    **at = (struct request){.job = job, .x = minimal_exchange(&m, job)};
    in_flight++;
    if (exchange_want((*at)->x) == WANT_CONNECT)
        step_connect(*at);
    return true;
}

/* The whole request has left. */
static void on_sent(struct bufferevent *source, void *request)
{
    struct request *r = request;
    const char *p;
    if (exchange_want(r->x) != WANT_SEND)
        return;
    exchange_sent(r->x, exchange_output(r->x, &p));
    minimal_shut(r->x, bufferevent_getfd(source));
}

static void step_send(struct request *r);

/* Connected; or the end, an error, a silence, of which the bytes that came
 * before it must not learn. */
static void on_event(struct bufferevent *source, short what, void *request)
{
    struct request *r = request;
    if ((what & BEV_EVENT_CONNECTED) != 0) {
        step_send(r);
    } else if ((what & BEV_EVENT_WRITING) != 0 &&
               exchange_want(r->x) == WANT_SEND) {
        exchange_unsendable(r->x);
    } else {
        r->ended = what;
        r->error = EVUTIL_SOCKET_ERROR();
        step_receive(source, r);
    }
}

/* Looks the host up and connects; on_event tells. */
static void step_connect(struct request *r)
{
    struct timeval limit = {m.options.timeout_us / CLOCK_SECOND, 0};
    const struct url *url = exchange_url(r->x);
    if (r->source != NULL)
        bufferevent_free(r->source);
    r->ended = 0;
    r->source = minimal_made(
        &m, bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE));
    bufferevent_setcb(r->source, step_receive, on_sent, on_event, r);
    bufferevent_set_timeouts(r->source, &limit, &limit);
    bufferevent_socket_connect_hostname(r->source, dns, AF_UNSPEC, url->host,
                                        atoi(url->port));
}

/* Gives libevent the request to send; on_sent tells. */
static void step_send(struct request *r)
{
    const char *p;
    exchange_connected(r->x, false, clock_us());
    minimal_shut(r->x, bufferevent_getfd(r->source));
    size_t n = exchange_output(r->x, &p);
    minimal_check(&m, "sending", bufferevent_write(r->source, p, n));
    minimal_check(&m, "reading", bufferevent_enable(r->source, EV_READ));
}

static int step_deliver(void *request, const char *p, size_t n);
static void step_expire(struct request *r);

/* Tells the exchange what came after the last byte. */
static void tell_end(struct request *r)
{
    int failure = bufferevent_socket_get_dns_error(r->source);
    if (failure != 0)
        exchange_failed(r->x, RESULT_DNS, evutil_gai_strerror(failure),
                        clock_us());
    else if ((r->ended & BEV_EVENT_EOF) != 0)
        exchange_eof(r->x, clock_us());
    else if ((r->ended & BEV_EVENT_TIMEOUT) != 0)
        step_expire(r);
    else
        minimal_broken(r->x, r->error);
}

/* Feeds what has come, if it is its turn; then what came after that. */
static void step_receive(struct bufferevent *source, void *request)
{
    struct request *r = request;
    if (source == NULL)
        return; /* the URL was none */
    struct evbuffer *in = bufferevent_get_input(source);
    size_t n = evbuffer_get_contiguous_space(in);
    enum want before = exchange_want(r->x);
    while (n > 0 && has_turn(r) && exchange_want(r->x) == WANT_RECEIVE) {
        const char *p = (char *)evbuffer_pullup(in, (ev_ssize_t)n);
        exchange_feed(r->x, p, n, step_deliver, r, clock_us());
        evbuffer_drain(in, n);
        n = evbuffer_get_contiguous_space(in);
    }
    if (evbuffer_get_length(in) > HIGH) /* until its turn, or until LOW */
        minimal_check(&m, "pausing", bufferevent_disable(source, EV_READ));
    else if (r->ended == 0)
        minimal_check(&m, "reading", bufferevent_enable(source, EV_READ));
    if (r->ended != 0 && n == 0 && exchange_want(r->x) == before)
        tell_end(r);
    if (before != WANT_CONNECT && exchange_want(r->x) == WANT_CONNECT)
        step_connect(r); /* a redirect */
}

/* Hands a piece of the body to `out`, which has the turn's bytes alone. */
static int step_deliver(void *request, const char *p, size_t n)
{
    (void)request;
    if (m.options.discard)
        return 0;
    minimal_check(&m, "writing", bufferevent_write(out, p, n));
    full = evbuffer_get_length(bufferevent_get_output(out)) > HIGH;
    return 0;
}

/* Records results, in order; frees what ended outside of its callbacks. The
 * next in line may have more to feed, and so may be done at once. */
static void step_finish(void)
{
    struct request **at = &first;
    while (*at != NULL) {
        struct request *r = *at;
        if (exchange_want(r->x) != WANT_DONE || !has_turn(r)) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        minimal_finish(&m, r->job, exchange_outcome(r->x));
        exchange_free(r->x);
        if (r->source != NULL)
            bufferevent_free(r->source);
        free(r);
        in_flight--;
        if (at == &first && first != NULL)
            step_receive(first->source, first);
    }
}

/* The server has been silent for too long. */
static void step_expire(struct request *r)
{
    exchange_expired(r->x, clock_us());
}

static void step_stop(void)
{
    bufferevent_free(out);
    event_free(list);
    if (dns != NULL)
        evdns_base_free(dns, 0);
    event_base_free(base);
    libevent_global_shutdown();
}

int main(int argc, char **argv)
{
    minimal_open(&m, "minimal-evloop", argc, argv, _exit);
    step_start();
    for (;;) {
        do
            step_finish();
        while (step_take());
        struct evbuffer *rest = bufferevent_get_output(out);
        if (in_flight == 0 && m.input == -1 && evbuffer_get_length(rest) == 0)
            break;
        minimal_check(&m, "the loop", event_base_loop(base, EVLOOP_ONCE));
    }
    step_stop();
    return minimal_close(&m);
}
