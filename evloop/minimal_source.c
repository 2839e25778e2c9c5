/* minimal_source: a request's bufferevent. See minimal_source.h. */
#include "minimal_source.h"

#include <event2/bufferevent.h>
#include <event2/event.h>

/* All of the request has left: the writing side is shut, if that is wanted. */
static void on_sent(struct bufferevent *bev, void *source)
{
    struct minimal_source *s = source;
    minimal_shut(s->x, bufferevent_getfd(bev));
}

/* Connected: gives libevent the request, to send it as the socket takes it. */
static void step_send(struct minimal_source *s)
{
    const char *p;
    exchange_connected(s->x, false, clock_us());
    size_t n = exchange_output(s->x, &p);
    minimal_check(s->m, "sending", bufferevent_write(s->bev, p, n));
    minimal_check(s->m, "reading", bufferevent_enable(s->bev, EV_READ));
    if (n > 0)
        exchange_sent(s->x, n);
    else
        on_sent(s->bev, s);
}

/* Connected, or ended: source_read tells of that after the last byte. */
static void on_event(struct bufferevent *bev, short what, void *source)
{
    struct minimal_source *s = source;
    int error = (what & BEV_EVENT_TIMEOUT) != 0 ? EAGAIN : errno;
    (void)bev;
    if ((what & BEV_EVENT_CONNECTED) != 0)
        step_send(s);
    else if ((what & BEV_EVENT_READING) != 0 ||
             exchange_want(s->x) == WANT_CONNECT)
        s->ended = (what & BEV_EVENT_EOF) != 0 ? 0 : error;
    else if (exchange_want(s->x) == WANT_SHUT)
        exchange_unsendable(s->x);
}

/* Step connect: looks the host up, which sleeps; on_event tells the rest. */
static void step_connect(struct minimal_source *s)
{
    struct addrinfo *address = minimal_resolve(s->x);
    if (address != NULL &&
        bufferevent_socket_connect(s->bev, address->ai_addr,
                                   (int)address->ai_addrlen) == -1)
        s->ended = errno;
    if (address != NULL)
        freeaddrinfo(address);
}

void source_open(struct minimal_source *s, struct event_base *base,
                 struct minimal *m, struct exchange *x)
{
    struct timeval limit = {m->options.timeout_us / CLOCK_SECOND, 0};
    struct bufferevent *bev = minimal_made(
        m, bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE));
    *s = (struct minimal_source){.m = m, .x = x, .bev = bev, .ended = -1};
    bufferevent_setcb(bev, NULL, on_sent, on_event, s);
    bufferevent_setwatermark(bev, EV_READ, 0, SOURCE_AHEAD);
    bufferevent_set_timeouts(bev, &limit, &limit);
    step_connect(s);
}

size_t source_read(struct minimal_source *s, char *chunk)
{
    size_t n = bufferevent_read(s->bev, chunk, MINIMAL_CHUNK);
    if (n == 0 && s->ended != -1)
        minimal_ended(s->x, s->ended);
    return n;
}

void source_close(struct minimal_source *s)
{
    if (s->bev != NULL)
        bufferevent_free(s->bev);
    *s = (struct minimal_source){0};
}
