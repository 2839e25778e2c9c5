/*
 * relay: passes TCP connections on, both ways, at the pace of the slower side.
 *
 *     relay ADDRESS[:PORT] ADDRESS:PORT     where to listen, and whereto
 *
 * What is read from one side is written to the other's stream. When that says
 * "wait", reading stops, the kernel's buffers fill, and TCP stops the sender:
 * a direction holds at most STREAM_HIGH and one reading. An end is passed on
 * as an end, behind all that came before it, and a reset as a reset. Simple:
 * an idle connection is kept for ever; while a side is not read from and not
 * written to, its end is not noticed; a relay that is killed sends ends.
 */
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <triptych/stream.h>

struct side {
    struct side *other; /* the two are an array */
    struct bufferevent *bev;
    struct stream *out;
    struct stream_waiter waiter; /* for room in `out`, then for its end */
    int over;                    /* all that was for this side is sent */
};

static struct sockaddr_storage at, to;
static int at_length = sizeof at, to_length = sizeof to;

static void end(struct side *s, int error)
{
    struct side *both = s < s->other ? s : s->other;
    struct linger reset = {.l_onoff = error < 0}; /* or it looks whole */
    for (int i = 0; i < 2; i++) {
        (void)setsockopt(bufferevent_getfd(both[i].bev), SOL_SOCKET, SO_LINGER,
                         &reset, sizeof reset);
        stream_free(both[i].out);
        bufferevent_free(both[i].bev);
    }
    free(both);
}

static void on_room(void *arg, int error)
{
    struct side *s = arg;
    if (error < 0)
        end(s, error);
    else
        bufferevent_enable(s->other->bev, EV_READ);
}

static void on_sent(void *arg, int error)
{
    struct side *s = arg;
    s->over = 1;
    if (error < 0 || s->other->over)
        end(s, error);
}

static void on_readable(struct bufferevent *bev, void *arg)
{
    struct side *s = ((struct side *)arg)->other;
    char bytes[4096];
    size_t n = bufferevent_read(bev, bytes, sizeof bytes);
    for (; n > 0; n = bufferevent_read(bev, bytes, sizeof bytes))
        (void)stream_write(s->out, bytes, n); /* drain tells what is wrong */
    int error = stream_drain(s->out, &s->waiter);
    if (error == STREAM_WAITS)
        bufferevent_disable(bev, EV_READ);
    else if (error < 0)
        end(s, error);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct side *s = ((struct side *)arg)->other;
    if (what & BEV_EVENT_CONNECTED) {
        bufferevent_enable(bev, EV_READ);
        bufferevent_enable(s->bev, EV_READ);
    } else if (what & BEV_EVENT_EOF) {
        s->waiter.done = on_sent;
        (void)stream_wait_closed(s->out, &s->waiter);
        stream_write_eof(s->out);
        stream_close(s->out);
    } else {
        end(s, -1);
    }
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd,
                      struct sockaddr *from, int length, void *base)
{
    struct side *both = calloc(2, sizeof *both);
    (void)listener, (void)from, (void)length;
    for (int i = 0; i < 2; i++) {
        struct bufferevent *bev = bufferevent_socket_new(
            base, i == 0 ? fd : -1, BEV_OPT_CLOSE_ON_FREE);
        struct stream *out = bev != NULL ? stream_new(bev) : NULL;
        if (both == NULL || out == NULL)
            exit(1); /* memory is short */
        both[i] = (struct side){.other = &both[1 - i], .bev = bev, .out = out};
        both[i].waiter.done = on_room;
        both[i].waiter.arg = &both[i];
        bufferevent_setcb(bev, on_readable, NULL, on_event, &both[i]);
    }
    if (bufferevent_socket_connect(both[1].bev, (void *)&to, to_length) != 0)
        end(both, -1);
}

static void on_rested(evutil_socket_t fd, short what, void *listener)
{
    (void)fd, (void)what;
    evconnlistener_enable(listener);
}

/* No descriptors: to ask again at once would take all the time there is. */
static void on_refused(struct evconnlistener *listener, void *base)
{
    static const struct timeval rest = {.tv_usec = 100000};
    if (!event_base_once(base, -1, EV_TIMEOUT, on_rested, listener, &rest))
        evconnlistener_disable(listener);
}

int main(int argc, char **argv)
{
    if (argc != 3 ||
        evutil_parse_sockaddr_port(argv[1], (void *)&at, &at_length) != 0 ||
        evutil_parse_sockaddr_port(argv[2], (void *)&to, &to_length) != 0) {
        fprintf(stderr, "Usage: relay ADDRESS[:PORT] ADDRESS:PORT\n");
        return 2;
    }
    struct event_base *base = event_base_new();
    struct evconnlistener *listener =
        evconnlistener_new_bind(base, on_accept, base, LEV_OPT_REUSEABLE, 1024,
                                (void *)&at, at_length);
    if (listener == NULL) {
        perror("relay");
        return 1;
    }
    evconnlistener_set_error_cb(listener, on_refused);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&at,
                      (socklen_t *)&at_length);
    printf("%d\n", ntohs(((struct sockaddr_in *)&at)->sin_port));
    (void)fflush(stdout);
    return event_base_dispatch(base);
}
