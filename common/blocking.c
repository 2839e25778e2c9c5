/* blocking: one request at a time, waiting for each step. See blocking.h. */
#include "blocking.h"

#include "clock.h"
#include "net.h"
#include "regular.h"
#include "sink.h"
#include "upload.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A connection, in use or idle. */
struct channel {
    struct idle_node node; /* first, so that one is the other */
    int fd;
    bool drained;  /* the last read left nothing: wait before the next */
    int64_t grace; /* bytes that had arrived when the limit passed, and that
                     * may still be read; -1: it has not passed */
};

int blocking_open(struct blocking *b)
{
    b->buffer = malloc(BLOCKING_CHUNK);
    return b->buffer != NULL ? 0 : -ENOMEM;
}

void blocking_close(struct blocking *b)
{
    free(b->buffer);
    b->buffer = NULL;
}

int blocking_wait(struct blocking *b, int fd, short events, int64_t deadline)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    for (;;) {
        struct timespec left;
        int ms = clock_poll_ms(deadline);
        left.tv_sec = ms / 1000;
        left.tv_nsec = (long)(ms % 1000) * 1000000;
        /* The signal that comes with `told` is blocked here, and let in by
         * ppoll alone: it cannot slip in between the look and the sleep. */
        if (atomic_load(&b->told) != TOLD_NOTHING)
            return -ECANCELED;
        int ready = ppoll(&poll_fd, 1, ms >= 0 ? &left : NULL, &b->wait_mask);
        if (ready > 0)
            return poll_fd.revents;
        if (ready == 0 && clock_poll_ms(deadline) == 0)
            return 0;
    }
}

/* --- Connections -------------------------------------------------------- */

static void channel_close(struct channel *channel)
{
    if (channel == NULL)
        return;
    (void)close(channel->fd);
    idle_unname(&channel->node);
    free(channel);
}

void blocking_close_idle(struct idle_node *node)
{
    channel_close((struct channel *)node);
}

/* Makes a channel of a connected socket, which it owns even on failure. */
static struct channel *channel_new(int fd, const struct url *url)
{
    struct channel *channel = calloc(1, sizeof *channel);
    if (channel == NULL || idle_name(&channel->node, url) != 0) {
        free(channel);
        (void)close(fd);
        return NULL;
    }
    channel->fd = fd;
    return channel;
}

/* Told something: the request ends here, whatever it is about. */
static void told(struct exchange *x)
{
    exchange_failed(x, RESULT_CANCELLED, "the run ended first", clock_us());
}

/* Tries one address. Returns a connected socket; or -1 with *result and
 * *cause set, when the next address may be tried; or -ECANCELED. */
static int dial(struct blocking *b, const struct addrinfo *address,
                int64_t deadline, enum result *result, const char **cause)
{
    int64_t limit = clock_us() + b->options->connect_timeout_us;
    int fd;
    do
        fd = net_connect(address);
    while (fd < 0 &&
           net_result_of_connect(-fd, address) == RESULT_NO_RESOURCES &&
           idle_drop(b->idle)); /* an idle connection's place will do */
    int error = fd < 0 ? fd : 0;
    if (fd >= 0) {
        int ready =
            blocking_wait(b, fd, POLLOUT, limit < deadline ? limit : deadline);
        if (ready > 0)
            error = net_connect_result(fd);
        else
            error = ready == 0 ? -ETIMEDOUT : ready;
        if (error != 0)
            (void)close(fd);
    }
    if (error == 0 || error == -ECANCELED)
        return error == 0 ? fd : error;
    *result = net_result_of_connect(-error, address);
    *cause = strerror(-error);
    return -1;
}

/* Looks the host up and tries every address in turn. Returns a connected
 * socket, or -1 when the exchange has failed. */
static int dial_host(struct blocking *b, struct exchange *x)
{
    int64_t deadline = exchange_deadline(x);
    struct addrinfo *addresses;
    const char *cause = NULL;
    enum result result = net_resolve(exchange_url(x), &addresses, &cause);
    if (result != RESULT_OK) {
        exchange_failed(x, result, cause, clock_us());
        return -1;
    }
    struct addrinfo *at = addresses;
    for (unsigned i = exchange_tried(x); i > 0 && at != NULL; i--)
        at = at->ai_next;
    int fd = -1;
    result = RESULT_REFUSED; /* if none is left to be tried */
    cause = strerror(ECONNREFUSED);
    for (; at != NULL && fd == -1 && clock_us() < deadline; at = at->ai_next)
        fd = dial(b, at, deadline, &result, &cause);
    freeaddrinfo(addresses);
    if (fd >= 0)
        return fd;
    if (fd == -ECANCELED)
        told(x);
    else if (clock_us() >= deadline)
        exchange_expired(x, clock_us());
    else
        exchange_failed(x, result, cause, clock_us());
    return -1;
}

/* A file is a connection that only speaks. A descriptor, or -1 when the
 * exchange has failed. */
static int open_file(struct blocking *b, struct exchange *x)
{
    uint64_t size;
    int fd;
    do
        fd = regular_open(exchange_url(x)->target, &size);
    while (fd < 0 && regular_result(fd) == RESULT_NO_RESOURCES &&
           idle_drop(b->idle));
    if (fd >= 0)
        return fd;
    exchange_failed(x, regular_result(fd), regular_fault(fd), clock_us());
    return -1;
}

static struct channel *connect_fresh(struct blocking *b, struct exchange *x)
{
    const struct url *url = exchange_url(x);
    int fd = url->scheme == SCHEME_FILE ? open_file(b, x) : dial_host(b, x);
    if (fd == -1)
        return NULL;
    struct channel *channel = channel_new(fd, url);
    if (channel == NULL)
        exchange_failed(x, RESULT_NO_RESOURCES, "out of memory", clock_us());
    return channel;
}

/* --- The steps ---------------------------------------------------------- */

/* Step connect: an idle connection if there is one, else a new one. */
static struct channel *step_connect(struct blocking *b, struct exchange *x)
{
    struct channel *channel = NULL;
    bool reused = false;
    while (channel == NULL && exchange_may_reuse(x)) {
        channel = (struct channel *)idle_take(b->idle, exchange_url(x));
        if (channel == NULL)
            break;
        reused = net_is_quiet(channel->fd);
        if (!reused) {
            channel_close(channel);
            channel = NULL;
        }
    }
    if (channel == NULL)
        channel = connect_fresh(b, x);
    if (channel == NULL)
        return NULL;
    channel->drained = true;
    channel->grace = -1;
    exchange_connected(x, reused, clock_us());
    return channel;
}

/* Step deliver is the model's; here only: how long did it take? While the
 * consumer holds us up, the request's time stands still. */
static void step_deliver(struct blocking *b, struct exchange *x,
                         struct span body)
{
    int64_t before = clock_us();
    int error = b->deliver(b, body.at, body.length);
    exchange_paused(x, clock_us() - before);
    if (error == -ECANCELED)
        told(x);
    else if (error != 0)
        exchange_failed(x, sink_result(error), strerror(-error), clock_us());
}

/* Step expire: true when the limit is past and what had arrived by then is
 * read. After a SIGCONT the answer may be there although the time is over; a
 * server that never stops talking must not live on that, so the bytes (and
 * the end after them) are counted once. */
static bool step_expire(struct channel *channel, const struct exchange *x)
{
    int arrived = 0;
    if (clock_us() < exchange_deadline(x)) {
        channel->grace = -1;
        return false;
    }
    if (channel->grace == -1) {
        if (ioctl(channel->fd, FIONREAD, &arrived) == -1)
            arrived = 0;
        channel->grace = (int64_t)arrived + 1;
    }
    return channel->grace == 0;
}

/* Gives the exchange what arrived, and the model what of it is body. */
static void feed(struct blocking *b, struct exchange *x, const char *p,
                 size_t n)
{
    while (n > 0) {
        struct span body;
        size_t used = exchange_input(x, p, n, &body, clock_us());
        if (used == 0)
            break; /* left over: not for this request */
        p += used;
        n -= used;
        if (body.length > 0)
            step_deliver(b, x, body);
    }
}

/* Step receive: reads what there is, or waits until there is something. */
static void step_receive(struct blocking *b, struct exchange *x,
                         struct channel *channel)
{
    if (step_expire(channel, x)) {
        exchange_expired(x, clock_us());
        return;
    }
    bool late = channel->grace >= 0;
    if (channel->drained && !late) {
        int ready =
            blocking_wait(b, channel->fd, POLLIN, exchange_deadline(x));
        if (ready == -ECANCELED)
            told(x);
        if (ready <= 0)
            return;
    }
    size_t size = BLOCKING_CHUNK;
    if (late && (uint64_t)channel->grace < size &&
        exchange_url(x)->scheme != SCHEME_UDP) /* which comes whole or cut */
        size = (size_t)channel->grace;
    ssize_t n = read(channel->fd, b->buffer, size);
    channel->drained = n < (ssize_t)size;
    if (n > 0) {
        if (late)
            channel->grace -= n < channel->grace ? n : channel->grace;
        feed(b, x, b->buffer, (size_t)n);
    } else if (n == 0) {
        exchange_eof(x, clock_us());
    } else if (errno == EAGAIN) {
        if (late)
            exchange_expired(x, clock_us());
    } else if (errno != EINTR) {
        exchange_failed(x, net_result_of_transfer(errno, exchange_url(x)),
                        strerror(errno), clock_us());
    }
}

/* Waits until the peer takes more or says something, which is then read.
 * Whoever sends must also read, or two full buffers face each other; and a
 * server may answer before it has heard everything. True if it is time to
 * send. */
static bool may_send(struct blocking *b, struct exchange *x,
                     struct channel *channel)
{
    int ready =
        blocking_wait(b, channel->fd, POLLIN | POLLOUT, exchange_deadline(x));
    if (ready == -ECANCELED)
        told(x);
    else if (ready == 0 || (ready & POLLIN) != 0)
        step_receive(b, x, channel);
    return ready > 0 && (ready & POLLIN) == 0;
}

/* The peer takes no more. It may have answered before that, which the reading
 * side will see; a datagram that was refused has no reading side. */
static void not_sent(struct exchange *x, int error)
{
    if (exchange_url(x)->scheme == SCHEME_UDP)
        exchange_failed(x, net_result_of_transfer(error, exchange_url(x)),
                        strerror(error), clock_us());
    else
        exchange_unsendable(x);
}

/* Step send: the head, at once; then what is uploaded, as it is taken. The
 * socket's full buffer is its drain: while the server does not read, nor do
 * we read the file. */
static void step_send(struct blocking *b, struct exchange *x,
                      struct channel *channel)
{
    const char *p;
    size_t n = exchange_output(x, &p);
    uint64_t offset;
    if (n == 0 && exchange_upload(x, &offset) > 0) {
        if (!may_send(b, x, channel))
            return;
        /* What the socket has no room for is read once more: simpler than
         * to keep it, and in the page cache by then. */
        p = b->buffer;
        n = upload_read(b->options, x, b->buffer, BLOCKING_CHUNK);
        if (n == 0)
            return;
    }
    ssize_t sent = send(channel->fd, p, n, MSG_NOSIGNAL);
    if (sent >= 0)
        exchange_sent(x, (size_t)sent);
    else if (errno == EAGAIN)
        (void)may_send(b, x, channel);
    else if (errno != EINTR)
        not_sent(x, errno);
}

/* The writing side is done. An error is the reading side's to meet. */
static void step_shut(struct exchange *x, struct channel *channel)
{
    (void)shutdown(channel->fd, SHUT_WR);
    exchange_shut(x);
}

/* Step retry: lets the time pass, keeping the place. */
static void step_retry(struct blocking *b, struct exchange *x)
{
    b->restart(b);
    if (blocking_wait(b, -1, 0, exchange_deadline(x)) == -ECANCELED)
        told(x);
    else
        exchange_waited(x, clock_us());
}

/* True when the want has left the connection behind. */
static bool is_over(const struct exchange *x)
{
    enum want want = exchange_want(x);
    return want == WANT_CONNECT || want == WANT_WAIT || want == WANT_DONE;
}

void blocking_fetch(struct blocking *b, struct exchange *x)
{
    struct channel *channel = NULL;
    while (exchange_want(x) != WANT_DONE) {
        /* A server that never makes us wait is no reason not to listen. */
        if (atomic_load(&b->told) != TOLD_NOTHING)
            told(x);
        switch (exchange_want(x)) {
        case WANT_CONNECT:
            channel = step_connect(b, x);
            break;
        case WANT_SEND:
            step_send(b, x, channel);
            break;
        case WANT_SHUT:
            step_shut(x, channel);
            break;
        case WANT_RECEIVE:
            step_receive(b, x, channel);
            break;
        case WANT_WAIT:
            step_retry(b, x);
            break;
        case WANT_DONE:
            break;
        }
        if (channel != NULL && is_over(x)) {
            if (exchange_reusable(x))
                idle_put(b->idle, &channel->node);
            else
                channel_close(channel);
            channel = NULL;
        }
    }
}
