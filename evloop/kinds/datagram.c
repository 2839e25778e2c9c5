/* datagram: a connection that carries datagrams: a plain event over a socket,
 * for a bufferevent joins and splits what must stay apart. See
 * connection_kind.h.
 */
#include "connection_kind.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

static void read_arrived(struct connection *c)
{
    ssize_t n;
    do
        n = recv(c->fd, c->loop->chunk, LOOP_CHUNK, MSG_DONTWAIT);
    while (n == -1 && errno == EINTR);
    if (n > 0)
        c->owner->readable(c->arg, c->loop->chunk, (size_t)n);
    else if (n == 0) /* one of no bytes: there is an answer, and no body */
        c->owner->ended(c->arg, 0);
    else if (errno != EAGAIN)
        c->owner->ended(c->arg, -errno);
}

static void on_arrived(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    read_arrived(arg);
}

static void pause_reading(struct connection *c)
{
    event_del(&c->event);
}

static void resume_reading(struct connection *c)
{
    if (event_add(&c->event, NULL) != 0)
        c->owner->ended(c->arg, -ENOMEM);
}

static void drop(struct connection *c)
{
    if (c->fd == -1)
        return;
    event_del(&c->event);
    (void)close(c->fd);
    c->fd = -1;
}

static int open_datagram(struct connection *c, const struct addrinfo *address)
{
    int fd = net_connect(address);
    if (fd < 0)
        return fd;
    c->fd = fd;
    event_assign(&c->event, c->loop->base, fd, EV_READ | EV_PERSIST,
                 on_arrived, c);
    if (event_add(&c->event, NULL) != 0)
        return -ENOMEM;
    connection_is_open(c);
    return 0;
}

static int send_one(struct connection *c, const void *p, size_t n)
{
    ssize_t sent;
    do
        sent = send(c->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent == -1 && errno == EINTR);
    /* No room: it is as good as lost on the way, and goes out again. */
    return sent >= 0 || errno == EAGAIN ? 0 : -errno;
}

const struct connection_kind datagram_kind = {
    .looks_up = true,
    .open = open_datagram,
    .send = send_one,
    .pause = pause_reading,
    .resume = resume_reading,
    .read_arrived = read_arrived,
    .drop = drop,
};
