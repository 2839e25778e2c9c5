/*
 * socket: the kinds of connection that are a bufferevent over a socket: as it
 * is (tcp and http), or with TLS over it (https, secure.c). See socket.h.
 *
 * A bufferevent reads by itself, 4 KiB at a time, tells of it in a callback,
 * and sends what is in its output when the socket has room: that is the model.
 * The full model goes past it in three places. It reads on by itself where a
 * read was full (read_on says why), stream.c sends at once where nothing waits
 * before it, and closing takes the socket away from the bufferevent first
 * (detach).
 */
#include "socket.h"

#include "base.h"
#include "clock.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* libevent 2.1.12 reads at most this much at a time, whatever it is told. A
 * read that brought so much has probably left something. */
#define LIBEVENT_READ ((size_t)4096)

/* Chunks read in a row for one connection, before the others have their turn.
 */
#define FAIR_SHARE 4

/* --- Closing ------------------------------------------------------------ */

/* Frees the bufferevent; its socket, or -1, is the caller's. libevent frees it
 * on its next turn, and should not find a socket that is closed by then. */
evutil_socket_t connection_detach(struct connection *c)
{
    evutil_socket_t fd = bufferevent_getfd(c->bev);
    bufferevent_setcb(c->bev, NULL, NULL, NULL, NULL);
    bufferevent_disable(c->bev, EV_READ | EV_WRITE);
    if (fd != -1)
        (void)bufferevent_setfd(c->bev, -1);
    bufferevent_free(c->bev);
    c->bev = NULL;
    return fd;
}

/* Closes the socket at once: a descriptor is scarcer than memory. */
void connection_drop_bufferevent(struct connection *c)
{
    if (c->bev == NULL)
        return;
    tls_shutdown(c->tls);
    evutil_socket_t fd = connection_detach(c);
    if (fd != -1)
        (void)close(fd);
    tls_free(c->tls);
    c->tls = NULL;
}

/* --- Reading ------------------------------------------------------------ */

/* What libevent has read is taken out of the evbuffer first: the owner may be
 * done with the connection before `readable` returns, and may then look
 * whether anything is left in it. */
void connection_hand_on_input(struct connection *c)
{
    while (connection_is_readable(c)) {
        int n = evbuffer_remove(bufferevent_get_input(c->bev), c->loop->chunk,
                                LOOP_CHUNK);
        if (n <= 0)
            break;
        c->owner->readable(c->arg, c->loop->chunk, (size_t)n);
    }
}

/* What ends the reading. The kernel tells an error only once: after a reset
 * that sending has met, reading finds a plain end. (TLS has an end of its own,
 * that was sent before the reset.) */
static int end_of_reading(const struct connection *c, int error)
{
    if (error == 0 && c->tls == NULL && stream_loss(c->stream) == -ECONNRESET)
        return -ECONNRESET;
    return error;
}

/* Tells the owner of the end: now, or, while it is paused, as soon as it reads
 * on. Until then the end is latched: an error would be forgotten, for the
 * socket's next read finds an orderly end. */
static void tell_end(struct connection *c, int error)
{
    if (c->state != OPEN || c->owner == NULL)
        return;
    if (!c->has_end) {
        c->has_end = true;
        c->end = error;
    }
    if (!c->paused)
        c->owner->ended(c->arg, c->end);
}

/* Reads without libevent. Bytes; 0 at the end; or a negative errno. */
static ssize_t read_past_libevent(struct connection *c, char *p, size_t n)
{
    short events;
    ssize_t got;
    if (c->tls != NULL)
        return tls_read(c->tls, p, n, &events);
    do
        got = recv(bufferevent_getfd(c->bev), p, n, MSG_DONTWAIT);
    while (got == -1 && errno == EINTR);
    return got >= 0 ? got : -errno;
}

/* Reads on behind the `have` bytes that are in the chunk already, and hands
 * all on at once. Stock bufferevents take readings of 4 KiB, each with its
 * epoll_wait, FIONREAD and readv: that relays a large body more slowly
 * (tests/bench/MEASURED.md). */
static void read_on(struct connection *c, size_t have)
{
    size_t size = c->loop->chunk_size;
    for (int i = 0; i < FAIR_SHARE; i++) {
        ssize_t n = read_past_libevent(c, c->loop->chunk + have, size - have);
        size_t length = have + (n > 0 ? (size_t)n : 0);
        c->drained = length < size;
        if (length > 0)
            c->owner->readable(c->arg, c->loop->chunk, length);
        /* The end is left to libevent, which reads it again and tells
         * on_event; an error the kernel tells only once. */
        if (n < 0 && n != -EAGAIN)
            tell_end(c, (int)n);
        if (length < size || !connection_is_readable(c))
            return;
        have = 0;
    }
}

/* Step receive: hands on what libevent has read, and what is behind it. (A
 * session of TLS has its own buffers: libevent reads all of it.) */
static void step_receive(struct connection *c)
{
    struct evbuffer *input = bufferevent_get_input(c->bev);
    size_t length = evbuffer_get_length(input);
    c->drained = c->tls == NULL && length < LIBEVENT_READ;
    if (c->tls != NULL || length < LIBEVENT_READ || length >= LOOP_CHUNK ||
        !connection_is_readable(c)) {
        connection_hand_on_input(c);
        return;
    }
    int have = evbuffer_remove(input, c->loop->chunk, LOOP_CHUNK);
    if (have >= 0)
        read_on(c, (size_t)have);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    if (!connection_drop_idle(arg))
        step_receive(arg);
}

void connection_read_arrived_bufferevent(struct connection *c)
{
    int arrived = 0;
    if (ioctl(bufferevent_getfd(c->bev), FIONREAD, &arrived) == -1)
        arrived = 0;
    c->drained = false; /* what comes from now on stays in it */
    connection_hand_on_input(c);
    size_t left = (size_t)arrived + 1; /* the end itself counts as one */
    while (left > 0 && connection_is_readable(c)) {
        size_t part = left < LOOP_CHUNK ? left : LOOP_CHUNK;
        ssize_t n = read_past_libevent(c, c->loop->chunk, part);
        if (n == -EAGAIN)
            return;
        if (n > 0)
            c->owner->readable(c->arg, c->loop->chunk, (size_t)n);
        else
            c->owner->ended(c->arg, end_of_reading(c, (int)n));
        left -= n > 0 ? (size_t)n : left;
    }
}

void connection_pause_bufferevent(struct connection *c)
{
    /* Not the read high-watermark: with that, libevent 2.1.12 spins. */
    (void)bufferevent_disable(c->bev, EV_READ);
}

/* Lets the bufferevent read. If that fails the owner is told: nothing would
 * come any more, not even the end. */
static void listen_to(struct connection *c)
{
    if (bufferevent_enable(c->bev, EV_READ) != 0)
        c->owner->ended(c->arg, -ENOMEM);
}

void connection_resume_bufferevent(struct connection *c)
{
    /* libevent will not tell again of what it has read already. */
    connection_hand_on_input(c);
    if (!connection_is_readable(c))
        return;
    if (c->has_end)
        tell_end(c, c->end);
    else
        listen_to(c);
}

bool connection_keep_bufferevent(struct connection *c)
{
    /* It goes on listening: so the end is noticed, and two calls of epoll_ctl
     * are saved when it is used again. */
    return evbuffer_get_length(bufferevent_get_input(c->bev)) == 0 &&
           stream_buffered(c->stream) == 0 && !c->has_end &&
           (!c->paused || bufferevent_enable(c->bev, EV_READ) == 0);
}

bool connection_is_quiet_bufferevent(struct connection *c)
{
    bool was_empty = c->drained && idle_is_fresh(&c->node);
    return (was_empty || net_is_quiet(bufferevent_getfd(c->bev))) &&
           tls_is_quiet(c->tls);
}

/* --- The end ------------------------------------------------------------ */

void connection_ended(struct connection *c, bool writing, int error)
{
    if (connection_drop_idle(c))
        return;
    if (writing) {
        /* The peer takes no more. What it answered before that, and the end,
         * the reading side will see. */
        stream_lost(c->stream, error != 0 ? error : -EPIPE);
        if (c->owner != NULL && (error == -ENOBUFS || error == -ENOMEM))
            c->owner->ended(c->arg, error); /* it never heard us */
        else if (connection_is_readable(c))
            listen_to(c);
        return;
    }
    connection_hand_on_input(c);
    if (c->state == OPEN)
        tell_end(c, end_of_reading(c, error));
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct connection *c = arg;
    int error = 0;
    if ((what & BEV_EVENT_ERROR) != 0)
        error = c->tls != NULL ? tls_bufferevent_failure(c->tls, bev)
                               : -EVUTIL_SOCKET_ERROR();
    connection_ended(c, (what & BEV_EVENT_WRITING) != 0, error);
}

/* --- Connecting --------------------------------------------------------- */

/* The limit on connecting has passed. */
static void on_limit(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval at_once = {0, 0};
    struct connection *c = arg;
    (void)fd;
    (void)what;
    if (clock_us() < c->limit && connection_set_limit(c) == 0)
        return; /* too soon: once more */
    /* After a SIGCONT the answer may be here, and the time over as well: then
     * libevent, which is given one more turn, will tell first. */
    bool was_late = c->late;
    c->late = true;
    if (!was_late && net_has_news(bufferevent_getfd(c->bev)))
        (void)event_add(&c->event, &at_once);
    else
        connection_address_failed(c, -ETIMEDOUT);
}

static void on_connect_event(struct bufferevent *bev, short what, void *arg)
{
    struct connection *c = arg;
    (void)bev;
    if ((what & BEV_EVENT_CONNECTED) != 0) {
        c->kind->dialled(c);
        return;
    }
    event_del(&c->event);
    connection_address_failed(c, -EVUTIL_SOCKET_ERROR());
}

void connection_has_stream(struct connection *c)
{
    c->stream = c->tls != NULL ? stream_new_lazy(c->bev) : stream_new(c->bev);
    if (c->stream == NULL || bufferevent_enable(c->bev, EV_READ) != 0) {
        c->owner->failed(c->arg, RESULT_NO_RESOURCES, strerror(ENOMEM));
        return;
    }
    connection_is_open(c);
}

void socket_is_connected(struct connection *c)
{
    event_del(&c->event); /* the limit on connecting */
    bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
    connection_has_stream(c);
}

int socket_open(struct connection *c, const struct addrinfo *address)
{
    evtimer_assign(&c->event, c->loop->base, on_limit, c);
    c->limit = clock_us() + c->loop->connect_timeout_us;
    c->late = false;
    int fd = net_socket(address);
    if (fd < 0)
        return fd;
    c->bev = bufferevent_socket_new(c->loop->base, fd, 0);
    if (c->bev == NULL) {
        (void)close(fd);
        return -ENOMEM;
    }
    bufferevent_setcb(c->bev, NULL, NULL, on_connect_event, c);
    if (bufferevent_socket_connect(c->bev, address->ai_addr,
                                   (int)address->ai_addrlen) != 0)
        return -EVUTIL_SOCKET_ERROR();
    return connection_set_limit(c);
}

const struct connection_kind socket_kind = {
    .looks_up = true,
    .open = socket_open,
    .dialled = socket_is_connected,
    BUFFEREVENT_KIND,
};
