/*
 * relay: passes TCP connections on, both ways, at the pace of the slower side.
 *
 *     relay PORT ADDRESS:PORT
 *
 * What is read from one side is written to the stream of the other. When that
 * says "wait", reading stops, the kernel's buffers fill, and TCP stops the
 * sender; when the stash has drained, reading goes on. So a direction holds at
 * most STREAM_HIGH and one reading. An end is passed on as an end, behind all
 * that came before it, and a reset as a reset.
 *
 * Simple: a connection on which nothing moves is kept for ever, and while a
 * side is not read from and not written to, its end is not noticed.
 */
#include "serve.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <triptych/stream.h>

struct side {
    struct link *link;
    struct side *other;
    struct bufferevent *bev;
    struct stream *out;
    struct stream_waiter room; /* in `out`, for what `other` sends */
    struct stream_waiter sent; /* all of it, and the end */
};

struct link {
    struct side side[2];
    int open; /* directions that have not come to their end */
};

static struct sockaddr_storage to;
static int to_length = sizeof to;

/* With an error both sides get a reset: a plain close looks like an end. */
static void end(struct link *link, int error)
{
    static const struct linger at_once = {.l_onoff = 1};
    for (int i = 0; i < 2; i++) {
        struct side *s = &link->side[i];
        if (error < 0 && s->bev != NULL)
            (void)setsockopt(bufferevent_getfd(s->bev), SOL_SOCKET, SO_LINGER,
                             &at_once, sizeof at_once);
        stream_free(s->out);
        if (s->bev != NULL)
            bufferevent_free(s->bev);
    }
    free(link);
    serve_closed();
}

static void on_sent(void *arg, int error)
{
    struct link *link = arg;
    if (error < 0 || --link->open == 0)
        end(link, error);
}

static void on_room(void *arg, int error)
{
    struct side *s = arg;
    if (error < 0)
        end(s->link, error);
    else
        bufferevent_enable(s->other->bev, EV_READ);
}

static void on_readable(struct bufferevent *bev, void *arg)
{
    struct side *s = ((struct side *)arg)->other;
    struct evbuffer *input = bufferevent_get_input(bev);
    size_t n = evbuffer_get_length(input);
    const void *bytes = evbuffer_pullup(input, -1);
    int error = bytes != NULL ? stream_write(s->out, bytes, n) : -1;
    evbuffer_drain(input, n);
    if (error == 0)
        error = stream_drain(s->out, &s->room);
    if (error == STREAM_WAITS)
        bufferevent_disable(bev, EV_READ);
    else if (error < 0)
        end(s->link, error);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct side *s = ((struct side *)arg)->other;
    if (what & BEV_EVENT_CONNECTED) {
        bufferevent_enable(bev, EV_READ);
        bufferevent_enable(s->bev, EV_READ);
    } else if (what & BEV_EVENT_EOF) {
        stream_write_eof(s->out);
        stream_close(s->out);
        int error = stream_wait_closed(s->out, &s->sent);
        if (error != STREAM_WAITS)
            on_sent(s->link, error);
    } else {
        end(s->link, -1);
    }
}

static bool open_side(struct link *link, int i, struct bufferevent *bev)
{
    struct side *s = &link->side[i];
    s->link = link;
    s->other = &link->side[1 - i];
    s->room = (struct stream_waiter){.done = on_room, .arg = s};
    s->sent = (struct stream_waiter){.done = on_sent, .arg = link};
    s->bev = bev;
    s->out = bev != NULL ? stream_new(bev) : NULL;
    if (s->out != NULL)
        bufferevent_setcb(bev, on_readable, NULL, on_event, s);
    return s->out != NULL;
}

static void on_accept(struct event_base *base, int fd)
{
    struct bufferevent *from =
        bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    struct bufferevent *onward =
        bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL || from == NULL || onward == NULL) {
        fprintf(stderr, "relay: out of memory\n");
        exit(1);
    }
    link->open = 2;
    if (!open_side(link, 0, from) || !open_side(link, 1, onward) ||
        bufferevent_socket_connect(onward, (struct sockaddr *)&to,
                                   to_length) != 0)
        end(link, -1);
}

int main(int argc, char **argv)
{
    if (argc != 3 || evutil_parse_sockaddr_port(
                         argv[2], (struct sockaddr *)&to, &to_length) != 0) {
        fprintf(stderr, "Usage: relay PORT ADDRESS:PORT\n");
        return 2;
    }
    return serve(argv[1], on_accept);
}
