/* stream: write and drain. See stream.h. */
#include "stream.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Pieces of the stash given to one system call. */
#define PIECES 16

struct stream {
    struct evbuffer *output; /* the stash; a bufferevent's own, or ours */
    struct evbuffer_cb_entry *on_change;
    struct bufferevent *bev; /* NULL: stands on a transport */
    const struct stream_transport *transport;
    void *context;

    int64_t high;
    int64_t low;
    bool lazy;   /* nothing is sent past the bufferevent */
    bool paused; /* stashed > high was seen, stashed <= low not yet */
    bool eof;    /* nothing more will be written */
    bool shut;   /* ... and the peer knows */
    bool closing;
    bool lost; /* closed, aborted or broken: nothing can be sent */
    int error; /* why; 0 after an orderly close */

    struct stream_waiter *draining; /* for the low mark */
    struct stream_waiter *closed;   /* for the close */
    struct stream_waiter *soon;     /* done: called on the next turn */
    struct event turn;
    bool in_turn;
    bool dying; /* freed by one of its own waiters */
};

/* --- Waiters ------------------------------------------------------------ */

static void append(struct stream_waiter **list, struct stream_waiter *waiter)
{
    while (*list != NULL)
        list = &(*list)->next;
    waiter->next = NULL;
    waiter->waits = true;
    *list = waiter;
}

static bool take_out(struct stream_waiter **list, struct stream_waiter *waiter)
{
    while (*list != NULL && *list != waiter)
        list = &(*list)->next;
    if (*list == NULL)
        return false;
    *list = waiter->next;
    return true;
}

/* Has the waiters of `soon` called on the next turn of the loop, by a timer.
 * An event made active now would be called on this turn: a waiter that writes
 * and drains, over and over, would keep the loop to itself. */
static void next_turn(struct stream *s)
{
    static const struct timeval at_once = {0, 0};
    if (event_add(&s->turn, &at_once) == 0)
        return;
    event_active(&s->turn, EV_TIMEOUT, 1); /* no memory for a timer */
    (void)event_base_loopcontinue(event_get_base(&s->turn));
}

/* All of a list will be called, with `error`, on the next turn of the loop:
 * not now, for we are inside of a write or a libevent callback. */
static void complete(struct stream *s, struct stream_waiter **list, int error)
{
    while (*list != NULL) {
        struct stream_waiter *waiter = *list;
        *list = waiter->next;
        waiter->error = error;
        append(&s->soon, waiter);
    }
    if (s->soon != NULL)
        next_turn(s);
}

static void destroy(struct stream *s)
{
    if (s->on_change != NULL)
        evbuffer_remove_cb_entry(s->output, s->on_change);
    if (s->bev == NULL && s->output != NULL)
        evbuffer_free(s->output);
    event_del(&s->turn);
    free(s);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct stream *s = arg;
    struct stream_waiter *last = s->soon;
    (void)fd;
    (void)what;
    while (last != NULL && last->next != NULL)
        last = last->next;
    s->in_turn = true;
    /* Up to the last waiter that is there now: one that waits anew is for the
     * next turn. If the last is cancelled meanwhile, we end with the list. */
    while (s->soon != NULL && !s->dying) {
        struct stream_waiter *waiter = s->soon;
        s->soon = waiter->next;
        waiter->waits = false;
        bool is_last = waiter == last;
        waiter->done(waiter->arg, waiter->error);
        if (is_last)
            break;
    }
    s->in_turn = false;
    if (s->dying)
        destroy(s);
    else if (s->soon != NULL)
        next_turn(s);
}

void stream_cancel(struct stream *s, struct stream_waiter *waiter)
{
    if (!waiter->waits)
        return;
    if (!take_out(&s->draining, waiter) && !take_out(&s->closed, waiter))
        (void)take_out(&s->soon, waiter);
    waiter->waits = false;
}

/* A waiter that waits already waits once, and in this list. */
static void wait_in(struct stream *s, struct stream_waiter **list,
                    struct stream_waiter *waiter)
{
    stream_cancel(s, waiter);
    append(list, waiter);
}

/* --- Making and freeing ------------------------------------------------- */

static void on_change(struct evbuffer *output,
                      const struct evbuffer_cb_info *info, void *arg);

static struct stream *new_stream(struct event_base *base,
                                 struct bufferevent *bev,
                                 const struct stream_transport *transport,
                                 void *context)
{
    struct stream *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->bev = bev;
    s->transport = transport;
    s->context = context;
    s->high = STREAM_HIGH;
    s->low = STREAM_LOW;
    event_assign(&s->turn, base, -1, 0, on_turn, s);
    s->output = bev != NULL ? bufferevent_get_output(bev) : evbuffer_new();
    if (s->output != NULL && bev != NULL)
        s->on_change = evbuffer_add_cb(s->output, on_change, s);
    if (s->output == NULL || (bev != NULL && s->on_change == NULL)) {
        destroy(s);
        return NULL;
    }
    return s;
}

void stream_free(struct stream *s)
{
    if (s == NULL)
        return;
    s->dying = true;
    if (!s->in_turn)
        destroy(s);
}

/* --- Marks -------------------------------------------------------------- */

static void maybe_pause(struct stream *s)
{
    if ((int64_t)stream_buffered(s) > s->high)
        s->paused = true;
}

static void maybe_resume(struct stream *s)
{
    if (s->paused && (int64_t)stream_buffered(s) <= s->low) {
        s->paused = false;
        complete(s, &s->draining, 0);
    }
}

int stream_set_limits(struct stream *s, int64_t high, int64_t low)
{
    if (high == STREAM_UNSET)
        high = low == STREAM_UNSET   ? STREAM_HIGH
               : low > INT64_MAX / 4 ? INT64_MAX
                                     : 4 * low;
    if (low == STREAM_UNSET)
        low = high / 4;
    if (low < 0 || high < low)
        return -EINVAL;
    s->high = high;
    s->low = low;
    maybe_pause(s);
    return 0;
}

void stream_get_limits(const struct stream *s, int64_t *high, int64_t *low)
{
    *high = s->high;
    *low = s->low;
}

size_t stream_buffered(const struct stream *s)
{
    return evbuffer_get_length(s->output);
}

bool stream_is_paused(const struct stream *s)
{
    return s->paused;
}

/* --- The end of a stream ------------------------------------------------ */

/* Empties the stash. A bufferevent keeps the front of its output frozen: only
 * the bufferevent itself takes from there. */
static void drop_output(struct stream *s)
{
    if (s->bev != NULL)
        evbuffer_unfreeze(s->output, 1);
    evbuffer_drain(s->output, evbuffer_get_length(s->output));
    if (s->bev != NULL)
        evbuffer_freeze(s->output, 1);
}

/* The first error is latched: later ones are only its echo. */
static void lose(struct stream *s, int error)
{
    if (s->lost)
        return;
    s->lost = true;
    s->error = error;
    s->paused = false;
    drop_output(s);
    if (s->bev == NULL)
        s->transport->watch(s->context, false);
    complete(s, &s->draining, error);
    complete(s, &s->closed, error);
}

void stream_lost(struct stream *s, int error)
{
    lose(s, error);
}

int stream_loss(const struct stream *s)
{
    return s->error;
}

void stream_abort(struct stream *s)
{
    lose(s, -ECANCELED);
}

/* The stash has become smaller, or what is to happen when it is empty. */
static void after_send(struct stream *s)
{
    if (s->lost)
        return;
    maybe_resume(s);
    if (stream_buffered(s) > 0)
        return;
    if (s->eof && !s->shut) {
        s->shut = true;
        if (s->bev != NULL)
            (void)shutdown(bufferevent_getfd(s->bev), SHUT_WR);
        else
            s->transport->shut(s->context);
    }
    if (s->closing)
        lose(s, 0);
}

void stream_write_eof(struct stream *s)
{
    if (s->eof || s->lost)
        return;
    s->eof = true;
    after_send(s);
}

void stream_close(struct stream *s)
{
    if (s->closing || s->lost)
        return;
    s->closing = true;
    after_send(s);
}

/* --- Sending ------------------------------------------------------------ */

/* Sends without blocking, past the stash, which is empty. */
static ssize_t send_now(struct stream *s, const struct iovec *parts, int n)
{
    if (s->bev == NULL)
        return s->transport->send(s->context, parts, n);
    /* More pieces than that are refused, as if the socket were broken. */
    size_t pieces = (size_t)(n < IOV_MAX ? n : IOV_MAX);
    struct msghdr message = {.msg_iov = (struct iovec *)parts,
                             .msg_iovlen = pieces};
    ssize_t sent = sendmsg(bufferevent_getfd(s->bev), &message,
                           MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent >= 0 ? sent : -errno;
}

static bool is_later(ssize_t sent)
{
    return sent == -EAGAIN || sent == -EWOULDBLOCK || sent == -EINTR;
}

/* libevent has taken bytes out of a bufferevent's output: they are sent. */
static void on_change(struct evbuffer *output,
                      const struct evbuffer_cb_info *info, void *arg)
{
    (void)output;
    if (info->n_deleted > 0)
        after_send(arg);
}

void stream_writable(struct stream *s)
{
    if (s->lost)
        return;
    s->transport->watch(s->context, false);
    while (stream_buffered(s) > 0) {
        struct evbuffer_iovec parts[PIECES];
        int n = evbuffer_peek(s->output, -1, NULL, parts, PIECES);
        ssize_t sent = send_now(s, parts, n < PIECES ? n : PIECES);
        if (is_later(sent)) {
            s->transport->watch(s->context, true);
            break;
        }
        if (sent < 0) {
            lose(s, (int)sent);
            return;
        }
        evbuffer_drain(s->output, (size_t)sent);
    }
    after_send(s);
}

/* Stashes the pieces, but for their first `skip` bytes. */
static int stash(struct stream *s, const struct iovec *parts, int n,
                 size_t skip)
{
    bool was_empty = stream_buffered(s) == 0;
    for (int i = 0; i < n; i++) {
        if (skip >= parts[i].iov_len) {
            skip -= parts[i].iov_len;
            continue;
        }
        if (evbuffer_add(s->output, (const char *)parts[i].iov_base + skip,
                         parts[i].iov_len - skip) != 0)
            return -ENOMEM;
        skip = 0;
    }
    if (was_empty && stream_buffered(s) > 0 && s->bev == NULL)
        s->transport->watch(s->context, true);
    return 0;
}

int stream_writev(struct stream *s, const struct iovec *parts, int n)
{
    size_t length = 0;
    ssize_t sent = 0;
    for (int i = 0; i < n; i++)
        length += parts[i].iov_len;
    if (s->eof)
        return -EPIPE;
    if (length == 0 || s->lost || s->closing)
        return 0;
    /* Eager: mostly the kernel has room, and then nothing is copied, and
     * nothing waits for a turn of the loop. But never past what is stashed. */
    if (stream_buffered(s) == 0 && !s->lazy)
        sent = send_now(s, parts, n);
    if (is_later(sent))
        sent = 0;
    if (sent < 0) {
        lose(s, (int)sent);
        return 0;
    }
    if ((size_t)sent < length && stash(s, parts, n, (size_t)sent) != 0) {
        lose(s, -ENOMEM);
        return -ENOMEM;
    }
    maybe_pause(s);
    return 0;
}

int stream_write(struct stream *s, const void *data, size_t n)
{
    struct iovec part = {(void *)data, n};
    return stream_writev(s, &part, 1);
}

/* --- Waiting ------------------------------------------------------------ */

/* What drain says of a stream that is lost. */
static int loss(const struct stream *s)
{
    return s->error != 0 ? s->error : -ECONNRESET;
}

int stream_drain(struct stream *s, struct stream_waiter *waiter)
{
    if (s->lost)
        return loss(s);
    if (s->paused) {
        wait_in(s, &s->draining, waiter);
        return STREAM_WAITS;
    }
    if (!s->closing)
        return 0;
    /* Closing: a turn of the loop goes by first, so that a caller that writes
     * and drains without end learns that the connection is lost. */
    waiter->error = 0;
    wait_in(s, &s->soon, waiter);
    next_turn(s);
    return STREAM_WAITS;
}

int stream_wait_closed(struct stream *s, struct stream_waiter *waiter)
{
    if (s->lost)
        return s->error;
    wait_in(s, &s->closed, waiter);
    return STREAM_WAITS;
}

struct stream *stream_new(struct bufferevent *bev)
{
    return new_stream(bufferevent_get_base(bev), bev, NULL, NULL);
}

struct stream *stream_new_lazy(struct bufferevent *bev)
{
    struct stream *s = stream_new(bev);
    if (s != NULL)
        s->lazy = true;
    return s;
}

struct stream *stream_new_over(struct event_base *base,
                               const struct stream_transport *transport,
                               void *context)
{
    return new_stream(base, NULL, transport, context);
}
