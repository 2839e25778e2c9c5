/* Style: nothing is read past libevent; small pieces; enabled before it is handed on */
/* connection: a bufferevent, from look-up to close. See connection.h. */
#include "connection.h"

#include "clock.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void close_idle(struct idle_node *node)
{
    connection_close((struct connection *)node);
}

/* --- Closing ------------------------------------------------------------ */

/* Frees the bufferevent; its socket, or -1, is the caller's. libevent frees it
 * on its next turn, and should not find a socket that is closed by then. */
static evutil_socket_t detach(struct connection *c)
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
    evutil_socket_t fd = detach(c);
    if (fd != -1)
        (void)close(fd);
    tls_free(c->tls);
    c->tls = NULL;
}

/* Who closes may have been called from `readable`, by somebody who will look
 * at the connection once more: the memory goes on the next turn. */
static void free_soon(struct connection *c)
{
    c->next = c->loop->closed;
    c->loop->closed = c;
    event_active(&c->loop->reaper, EV_TIMEOUT, 1);
}

static void drop_lookup(struct connection *c)
{
    lookup_drop(c->lookup);
    c->lookup = NULL;
    c->address = NULL;
}

void connection_close(struct connection *c)
{
    if (c->state == CLOSED)
        return;
    c->state = CLOSED;
    c->owner = NULL;
    event_del(&c->event);
    stream_free(c->stream);
    c->stream = NULL;
    c->kind->drop(c);
    drop_lookup(c); /* under way or not */
    free_soon(c);
}

static void on_reap(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;
    (void)fd;
    (void)what;
    while (loop->closed != NULL) {
        struct connection *c = loop->closed;
        loop->closed = c->next;
        idle_unname(&c->node);
        free(c);
    }
}

bool connection_drop_idle(struct connection *c)
{
    if (c->state != OPEN || c->owner != NULL)
        return false;
    idle_remove(&c->loop->idle, &c->node);
    connection_close(c);
    return true;
}

/* --- Reading ------------------------------------------------------------ */

bool connection_is_readable(const struct connection *c)
{
    return c->state == OPEN && c->owner != NULL && !c->paused;
}

/* What libevent has read is taken out of the evbuffer first: the
 * owner may be done with the connection before `readable` returns, and look
 * whether anything is left in it. */
void connection_hand_on_input(struct connection *c)
{
    char bytes[2048];
    for (;;) {
        struct evbuffer *input =
            connection_is_readable(c) ? bufferevent_get_input(c->bev) : NULL;
        size_t n = input != NULL ? evbuffer_get_length(input) : 0;
        if (n == 0)
            return;
        if (n > sizeof bytes)
            n = sizeof bytes;
        (void)evbuffer_remove(input, bytes, n);
        c->owner->readable(c->arg, bytes, n);
    }
}

/* Reads past libevent, behind the `have` bytes that are in the chunk already,
 * and hands all on at once: `size` bytes at most. Measured into a pipe, this
 * relays a body 1.5 times as fast as readings of 4 KiB, each with its
 * epoll_wait, FIONREAD and readv (7 interleaved runs: 1.2 to 2.7); and 1.2
 * times as fast as handing the first 4 KiB on by themselves, which would be
 * written, and would wake the consumer, by themselves. Returns false at the
 * end: EOF or an error is told, or nobody wants more. */
static bool read_more(struct connection *c, size_t have, size_t size,
                      bool *found_end)
{
    ssize_t n;
    do
        n = recv(bufferevent_getfd(c->bev), c->loop->chunk + have, size - have,
                 MSG_DONTWAIT);
    while (n == -1 && errno == EINTR);
    int error = n == -1 ? errno : 0;
    size_t length = have + (n > 0 ? (size_t)n : 0);
    if (length > 0)
        c->owner->readable(c->arg, c->loop->chunk, length);
    /* The end itself is left to libevent, which reads it again and tells
     * on_event; an error is told only once, so here. */
    *found_end = n == 0;
    if (error != 0 && error != EAGAIN && error != EWOULDBLOCK &&
        connection_is_readable(c))
        c->owner->ended(c->arg, -error);
    return length == size && connection_is_readable(c);
}

/* Step receive's first half. */
static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    /* What libevent reads is all there is: never past it. */
    if (!connection_drop_idle(arg))
        connection_hand_on_input(arg);
}

static void read_arrived(struct connection *c)
{
    int arrived = 0;
    bool found_end = false;
    if (ioctl(bufferevent_getfd(c->bev), FIONREAD, &arrived) == -1)
        arrived = 0;
    connection_hand_on_input(c);
    size_t left = (size_t)arrived + 1; /* the end itself counts as one */
    while (left > 0 && connection_is_readable(c)) {
        size_t part = left < LOOP_CHUNK ? left : LOOP_CHUNK;
        if (!read_more(c, 0, part, &found_end))
            break;
        left -= part;
    }
    if (found_end && connection_is_readable(c))
        c->owner->ended(c->arg, 0);
}

void connection_pause_bufferevent(struct connection *c)
{
    if ((bufferevent_get_enabled(c->bev) & EV_READ) != 0)
        (void)bufferevent_disable(c->bev, EV_READ);
}

/* Lets the bufferevent read. If it cannot, nothing would be heard any more,
 * not even the end. */
static void listen_to(struct connection *c)
{
    if (bufferevent_enable(c->bev, EV_READ) != 0)
        c->owner->ended(c->arg, -ENOMEM);
}

void connection_resume_bufferevent(struct connection *c)
{
    if (bufferevent_enable(c->bev, EV_READ) != 0)
        c->owner->ended(c->arg, -ENOMEM);
    else
        connection_hand_on_input(c);
}

static const struct connection_kind socket_kind = {
    connection_pause_bufferevent, connection_resume_bufferevent, read_arrived,
    connection_drop_bufferevent};

/* --- Of every kind ------------------------------------------------------ */

void connection_pause(struct connection *c)
{
    c->paused = true;
    c->kind->pause(c);
}

void connection_resume(struct connection *c)
{
    c->paused = false;
    c->kind->resume(c);
}

void connection_read_arrived(struct connection *c)
{
    c->kind->read_arrived(c);
}

/* --- A bufferevent's end ------------------------------------------------ */

void connection_ended(struct connection *c, bool writing, int error)
{
    if (connection_drop_idle(c))
        return;
    if (writing) {
        /* The peer takes no more. It may have answered before; what that was,
         * and the end, the reading side will see. */
        stream_lost(c->stream, error != 0 ? error : -EPIPE);
        if (c->owner != NULL && (error == -ENOBUFS || error == -ENOMEM))
            c->owner->ended(c->arg, error); /* it never heard us */
        else if (connection_is_readable(c))
            listen_to(c);
        return;
    }
    connection_hand_on_input(c);
    if (c->state == OPEN && c->owner != NULL)
        c->owner->ended(c->arg, error);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    int error = (what & BEV_EVENT_ERROR) != 0 ? -EVUTIL_SOCKET_ERROR() : 0;
    (void)bev;
    connection_ended(arg, (what & BEV_EVENT_WRITING) != 0, error);
}

/* --- Connecting --------------------------------------------------------- */

static void try_address(struct connection *c);

static struct timeval timeval_of(int64_t us)
{
    return (struct timeval){.tv_sec = us / CLOCK_SECOND,
                            .tv_usec = us % CLOCK_SECOND};
}

void connection_address_failed(struct connection *c, int error)
{
    enum result result = net_result_of_connect(-error, c->address);
    const char *cause = tls_cause(c->tls, -error);
    c->kind->drop(c);
    c->kind = &socket_kind;
    c->state = CONNECTING;
    if (result == RESULT_NO_RESOURCES && idle_drop(&c->loop->idle)) {
        try_address(c); /* an idle connection's place will do */
        return;
    }
    net_weigh(&c->failure, result, cause);
    c->address = c->address->ai_next;
    if (c->address != NULL)
        try_address(c);
    else
        c->owner->failed(c->arg, c->failure.result, c->failure.cause);
}

bool connection_tells_more(struct connection *c)
{
    struct net_failure failure = c->failure;
    if (c->state != CONNECTING && c->state != SECURING)
        return false;
    net_weigh(&failure, RESULT_TIMEOUT, "");
    if (failure.result == RESULT_TIMEOUT)
        return false;
    c->owner->failed(c->arg, failure.result, failure.cause);
    return true;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval at_once = {0, 0};
    struct connection *c = arg;
    (void)fd;
    (void)what;
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
    if ((what & BEV_EVENT_CONNECTED) == 0) {
        event_del(&c->event);
        connection_address_failed(c, -EVUTIL_SOCKET_ERROR());
        return;
    }
    if (c->node.scheme == SCHEME_HTTPS) {
        secure_open(c, detach(c));
        return;
    }
    event_del(&c->event);
    bufferevent_setcb(bev, on_read, NULL, on_event, c);
    connection_has_stream(c);
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

void connection_is_open(struct connection *c)
{
    c->state = OPEN;
    drop_lookup(c);
    c->owner->connected(c->arg);
}

/* Starts to connect to c->address. */
static void try_address(struct connection *c)
{
    struct timeval limit = timeval_of(c->loop->connect_timeout_us);
    evtimer_assign(&c->event, c->loop->base, on_timer, c);
    c->late = false;
    if (c->address->ai_socktype == SOCK_DGRAM) {
        datagram_open(c);
        return;
    }
    int fd = net_socket(c->address);
    if (fd < 0) {
        connection_address_failed(c, fd);
        return;
    }
    c->bev = bufferevent_socket_new(c->loop->base, fd, 0);
    if (c->bev == NULL) {
        (void)close(fd);
        connection_address_failed(c, -ENOMEM);
        return;
    }
    bufferevent_setcb(c->bev, NULL, NULL, on_connect_event, c);
    if (bufferevent_socket_connect(c->bev, c->address->ai_addr,
                                   (int)c->address->ai_addrlen) != 0)
        connection_address_failed(c, -EVUTIL_SOCKET_ERROR());
    else if (event_add(&c->event, &limit) != 0)
        connection_address_failed(c, -ENOMEM);
}

/* --- Looking up --------------------------------------------------------- */

/* The answer is there, or there will be none: `failure` says why. */
static void on_resolved(evutil_socket_t fd, short what, void *arg)
{
    struct connection *c = arg;
    (void)fd;
    (void)what;
    if (c->lookup != NULL)
        c->failure.result =
            lookup_answer(c->lookup, &c->address, &c->failure.cause);
    for (unsigned i = c->tried; i > 0 && c->address != NULL; i--) {
        net_weigh(&c->failure, RESULT_REFUSED, strerror(ECONNREFUSED));
        c->address = c->address->ai_next;
    }
    if (c->address == NULL) {
        c->owner->failed(c->arg, c->failure.result, c->failure.cause);
        return;
    }
    c->state = CONNECTING;
    try_address(c);
}

/* getaddrinfo waits, so a helper thread calls it (lookup.h), and its answer is
 * one more event. An answer that is here already - an address needs no name
 * server - is told on the next turn like the others: whoever opens does not
 * have the connection in hand yet. */
static void look_up(struct connection *c, const struct url *url)
{
    int error;
    do
        error = lookup_begin(url, false, &c->lookup);
    while (error != 0 && idle_drop(&c->loop->idle));
    if (error == 0 && lookup_fd(c->lookup) != -1) {
        event_assign(&c->event, c->loop->base, lookup_fd(c->lookup), EV_READ,
                     on_resolved, c);
        if (event_add(&c->event, NULL) == 0)
            return;
        drop_lookup(c);
        error = -ENOMEM;
    }
    if (error != 0)
        c->failure =
            (struct net_failure){RESULT_NO_RESOURCES, strerror(-error)};
    evtimer_assign(&c->event, c->loop->base, on_resolved, c);
    event_active(&c->event, EV_TIMEOUT, 1);
}

struct connection *connection_open(struct loop *loop, const struct url *url,
                                   unsigned tried,
                                   const struct connection_owner *owner,
                                   void *arg, const struct lane *lane)
{
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL || idle_name(&c->node, url) != 0) {
        free(c);
        return NULL;
    }
    c->loop = loop;
    c->owner = owner;
    c->arg = arg;
    c->lane = lane;
    c->tried = tried;
    c->fd = -1;
    c->kind = &socket_kind;
    evtimer_assign(&c->event, loop->base, on_resolved, c);
    if (url->scheme != SCHEME_FILE) {
        look_up(c, url);
    } else if (diskfile_open(c, url->target) != 0) {
        connection_close(c);
        return NULL;
    }
    return c;
}

/* --- Idle connections --------------------------------------------------- */

struct connection *connection_reuse(struct loop *loop, const struct url *url,
                                    const struct connection_owner *owner,
                                    void *arg)
{
    struct idle_node *node;
    while ((node = idle_take(&loop->idle, url)) != NULL) {
        struct connection *c = (struct connection *)node;
        if (net_is_quiet(bufferevent_getfd(c->bev)) && tls_is_quiet(c->tls)) {
            c->owner = owner;
            c->arg = arg;
            return c;
        }
        connection_close(c);
    }
    return NULL;
}

void connection_keep(struct connection *c)
{
    if (evbuffer_get_length(bufferevent_get_input(c->bev)) > 0 ||
        stream_buffered(c->stream) > 0 ||
        (c->paused && bufferevent_enable(c->bev, EV_READ) != 0)) {
        connection_close(c);
        return;
    }
    /* It goes on listening: so the end is noticed, and two calls of epoll_ctl
     * are saved when it is used again. (It is probed then all the same: what
     * has come may not have been told yet.) */
    c->owner = NULL;
    c->paused = false;
    idle_put(&c->loop->idle, &c->node);
}

int loop_open(struct loop *loop, size_t idle_limit)
{
    loop->chunk = malloc(LOOP_CHUNK);
    if (loop->chunk == NULL)
        return -ENOMEM;
    int error = idle_open(&loop->idle, idle_limit, close_idle);
    if (error != 0)
        goto no_idle;
    error = reader_open(&loop->reader, loop->base, loop->trace);
    if (error != 0)
        goto no_reader;
    event_assign(&loop->reaper, loop->base, -1, 0, on_reap, loop);
    return 0;

no_reader:
    idle_close(&loop->idle);
no_idle:
    free(loop->chunk);
    return error;
}

void loop_close(struct loop *loop)
{
    idle_close(&loop->idle);
    on_reap(-1, 0, loop);
    event_del(&loop->reaper);
    reader_close(&loop->reader);
    free(loop->chunk);
}
