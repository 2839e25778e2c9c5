/*
 * echo: sends back what it gets, to a thousand who read slowly or not at all,
 * in bounded memory.
 *
 *     echo ADDRESS[:PORT] [HIGH]
 *
 * A client that does not read fills its socket's buffer, then its stream's
 * stash up to HIGH bytes (16 KiB), and then it is not read from, so that TCP
 * stops it. So it costs at most HIGH and one reading, whatever it sends.
 *
 * Simple: a client that never reads is kept for ever.
 */
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <triptych/stream.h>

struct client {
    struct bufferevent *bev;
    struct stream *out;
    struct stream_waiter waiter; /* for room, then for the end */
};

static int64_t high = 16 * 1024;

static void end(struct client *c)
{
    stream_free(c->out);
    bufferevent_free(c->bev);
    free(c);
}

static void on_room(void *arg, int error)
{
    struct client *c = arg;
    if (error < 0)
        end(c);
    else
        bufferevent_enable(c->bev, EV_READ);
}

static void on_readable(struct bufferevent *bev, void *arg)
{
    struct client *c = arg;
    char bytes[4096];
    size_t n = bufferevent_read(bev, bytes, sizeof bytes);
    for (; n > 0; n = bufferevent_read(bev, bytes, sizeof bytes))
        (void)stream_write(c->out, bytes, n); /* drain tells what is wrong */
    int error = stream_drain(c->out, &c->waiter);
    if (error == STREAM_WAITS)
        bufferevent_disable(bev, EV_READ);
    else if (error < 0)
        end(c);
}

static void on_sent(void *arg, int error)
{
    (void)error;
    end(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct client *c = arg;
    (void)bev;
    if (!(what & BEV_EVENT_EOF)) {
        end(c);
        return;
    }
    /* It sends no more, but is still to get the rest. */
    c->waiter.done = on_sent;
    (void)stream_wait_closed(c->out, &c->waiter);
    stream_write_eof(c->out);
    stream_close(c->out);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd,
                      struct sockaddr *from, int length, void *base)
{
    static const int kernel = 16 * 1024;
    struct client *c = calloc(1, sizeof *c);
    struct bufferevent *bev =
        bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    struct stream *out = bev != NULL ? stream_new(bev) : NULL;
    (void)listener, (void)from, (void)length;
    if (c == NULL || out == NULL)
        exit(1); /* memory is short */
    /* What waits in the kernel is memory, too. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kernel, sizeof kernel);
    *c = (struct client){bev, out, {.done = on_room, .arg = c}};
    (void)stream_set_limits(out, high, STREAM_UNSET);
    bufferevent_setcb(bev, on_readable, NULL, on_event, c);
    bufferevent_enable(bev, EV_READ);
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
    struct sockaddr_storage at;
    int length = sizeof at;
    char *rest = "";
    if (argc == 3)
        high = strtoll(argv[2], &rest, 10);
    if (argc < 2 || argc > 3 || high < 0 || *rest != '\0' ||
        evutil_parse_sockaddr_port(argv[1], (void *)&at, &length) != 0) {
        fprintf(stderr, "Usage: echo ADDRESS[:PORT] [HIGH]\n");
        return 2;
    }
    struct event_base *base = event_base_new();
    struct evconnlistener *listener = evconnlistener_new_bind(
        base, on_accept, base, LEV_OPT_REUSEABLE, 1024, (void *)&at, length);
    if (listener == NULL) {
        perror("echo");
        return 1;
    }
    evconnlistener_set_error_cb(listener, on_refused);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&at,
                      (socklen_t *)&length);
    printf("%d\n", ntohs(((struct sockaddr_in *)&at)->sin_port));
    (void)fflush(stdout);
    return event_base_dispatch(base);
}
