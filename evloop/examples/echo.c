/*
 * echo: sends back what it gets, to a thousand who read slowly or not at all,
 * in bounded memory.
 *
 *     echo PORT [HIGH]
 *
 * A client that does not read fills its socket's buffer, then its stream's stash
 * up to HIGH bytes (16 KiB), and then it is not read from, so that TCP stops it.
 * So it costs at most HIGH and one reading, whatever it sends. With HIGH `none`
 * it may fill the memory.
 *
 * Simple: a client that never reads is kept for ever.
 */
#include "serve.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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
    serve_closed();
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
    struct evbuffer *input = bufferevent_get_input(bev);
    size_t n = evbuffer_get_length(input);
    const void *bytes = evbuffer_pullup(input, -1);
    int error = bytes != NULL ? stream_write(c->out, bytes, n) : -1;
    evbuffer_drain(input, n);
    if (error == 0)
        error = stream_drain(c->out, &c->waiter);
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
    stream_write_eof(c->out);
    stream_close(c->out);
    c->waiter.done = on_sent;
    if (stream_wait_closed(c->out, &c->waiter) != STREAM_WAITS)
        end(c);
}

static void on_accept(struct event_base *base, int fd)
{
    static const int kernel = 16 * 1024;
    struct client *c = calloc(1, sizeof *c);
    struct bufferevent *bev =
        bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    struct stream *out = bev != NULL ? stream_new(bev) : NULL;
    if (c == NULL || out == NULL) {
        fprintf(stderr, "echo: out of memory\n");
        exit(1);
    }
    /* What waits in the kernel is memory, too. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kernel, sizeof kernel);
    *c = (struct client){bev, out, {.done = on_room, .arg = c}};
    (void)stream_set_limits(out, high, STREAM_UNSET);
    bufferevent_setcb(bev, on_readable, NULL, on_event, c);
    bufferevent_enable(bev, EV_READ);
}

int main(int argc, char **argv)
{
    if (argc == 3)
        high = strcmp(argv[2], "none") == 0 ? STREAM_UNLIMITED
                                            : strtoll(argv[2], NULL, 10);
    if ((argc != 2 && argc != 3) || high < 0) {
        fprintf(stderr, "Usage: echo PORT [HIGH]\n");
        return 2;
    }
    return serve(argv[1], on_accept);
}
