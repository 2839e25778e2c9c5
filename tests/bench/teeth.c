/* teeth: the saw-tooth between two watermarks, recorded. See teeth.h. */
#include "teeth.h"

#include "stream.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SIPPED 500e3 /* bytes, after which it ends */
#define RATE   1e6   /* the consumer's, bytes/s */
#define PIECE  8192  /* what a source brings at a time */
#define SIP    2048  /* what the consumer reads at a time */
#define SMALL  4096  /* the kernel's buffers: little waits there */

struct teeth {
    struct event_base *base;
    struct bufferevent *bev;
    struct stream *stream;
    struct stream_waiter waiter;
    struct event consumer; /* it is time to read */
    int peer;
    double taken; /* bytes, by the consumer */
    int error;    /* the source's */
    struct timespec begun;
    FILE *file;
};

static double ms_since(const struct timespec *begun)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - begun->tv_sec) * 1e3 +
           (double)(now.tv_nsec - begun->tv_nsec) / 1e6;
}

static void record(struct teeth *t)
{
    fprintf(t->file, "%.4f\t%zu\t%d\n", ms_since(&t->begun),
            stream_buffered(t->stream), stream_is_paused(t->stream));
}

static void on_change(struct evbuffer *output,
                      const struct evbuffer_cb_info *info, void *arg)
{
    (void)output;
    (void)info;
    record(arg);
}

/* A source that is always ready: write, drain, and again, until drain says
 * wait; it then calls this. */
static void on_drained(void *arg, int error)
{
    static const char piece[PIECE];
    struct teeth *t = arg;
    t->waiter = (struct stream_waiter){.done = on_drained, .arg = t};
    while (error == 0) {
        error = stream_write(t->stream, piece, sizeof piece);
        if (error == 0)
            error = stream_drain(t->stream, &t->waiter);
    }
    if (error < 0) { /* nothing more will come */
        t->error = error;
        (void)event_base_loopbreak(t->base);
    }
}

static void on_consumer(evutil_socket_t fd, short what, void *arg)
{
    struct teeth *t = arg;
    char sip[SIP];
    struct timeval soon = {.tv_usec = (long)(SIP / RATE * 1e6)};
    (void)fd;
    (void)what;
    double ms = ms_since(&t->begun);
    ssize_t n = 1;
    while (n > 0 && t->taken + SIP <= ms * RATE / 1e3) {
        n = recv(t->peer, sip, sizeof sip, MSG_DONTWAIT);
        t->taken += n > 0 ? (double)n : 0;
    }
    if (t->taken < SIPPED)
        (void)event_add(&t->consumer, &soon);
    else
        (void)event_base_loopbreak(t->base);
}

static int run(struct teeth *t, int ends[2])
{
    int small = SMALL;
    t->peer = ends[1];
    (void)setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    t->base = event_base_new();
    if (t->base == NULL)
        return -ENOMEM;
    t->bev = bufferevent_socket_new(t->base, ends[0], 0);
    t->stream = t->bev != NULL ? stream_new(t->bev) : NULL;
    if (t->stream == NULL ||
        evbuffer_add_cb(bufferevent_get_output(t->bev), on_change, t) == NULL)
        return -ENOMEM;
    evtimer_assign(&t->consumer, t->base, on_consumer, t);
    (void)clock_gettime(CLOCK_MONOTONIC, &t->begun);
    on_drained(t, 0);
    if (t->error != 0)
        return t->error;
    on_consumer(-1, 0, t);
    if (event_base_dispatch(t->base) == -1)
        return -EIO;
    return t->error;
}

int teeth_record(const char *path)
{
    int ends[2];
    struct teeth t = {.file = fopen(path, "w")};
    if (t.file == NULL)
        return -errno;
    int error = -errno;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   ends) == 0) {
        error = run(&t, ends);
        stream_free(t.stream);
        if (t.bev != NULL)
            bufferevent_free(t.bev);
        if (t.base != NULL)
            event_base_free(t.base);
        (void)close(ends[0]);
        (void)close(ends[1]);
    }
    if (fclose(t.file) != 0 && error == 0)
        error = -errno;
    return error;
}
