/*
 * secure: a connection that speaks TLS: libevent's bufferevent over OpenSSL.
 * See connection.h and tls.h.
 *
 * The socket is connected like any other; then this takes it over. What is
 * written goes through the bufferevent alone, and what is read comes through
 * it, but for one case: when a limit has passed, what has arrived is read past
 * it, as over any other connection.
 */
#include "connection.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    if (!connection_drop_idle(arg))
        connection_hand_on_input(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct connection *c = arg;
    int error = (what & BEV_EVENT_ERROR) != 0
                    ? tls_bufferevent_failure(c->tls, bev)
                    : 0;
    connection_ended(c, (what & BEV_EVENT_WRITING) != 0, error);
}

static void on_handshake_event(struct bufferevent *bev, short what, void *arg)
{
    struct connection *c = arg;
    int error = (what & BEV_EVENT_CONNECTED) != 0
                    ? 0
                    : tls_bufferevent_failure(c->tls, bev);
    event_del(&c->event);
    if (error != 0) {
        connection_address_failed(c, error);
        return;
    }
    bufferevent_setcb(bev, on_read, NULL, on_event, c);
    connection_has_stream(c);
}

static void read_arrived(struct connection *c)
{
    int arrived = 0;
    short events;
    if (ioctl(bufferevent_getfd(c->bev), FIONREAD, &arrived) == -1)
        arrived = 0;
    connection_hand_on_input(c);
    ssize_t left = (ssize_t)arrived + 1; /* the end itself counts as one */
    while (left > 0 && connection_is_readable(c)) {
        size_t part = (size_t)left < LOOP_CHUNK ? (size_t)left : LOOP_CHUNK;
        ssize_t n = tls_read(c->tls, c->loop->chunk, part, &events);
        if (n == -EAGAIN)
            return;
        if (n > 0)
            c->owner->readable(c->arg, c->loop->chunk, (size_t)n);
        else
            c->owner->ended(c->arg, (int)n);
        left -= n > 0 ? n : left;
    }
}

static const struct connection_kind secure_kind = {
    connection_pause_bufferevent, connection_resume_bufferevent, read_arrived,
    connection_drop_bufferevent};

void secure_open(struct connection *c, int fd)
{
    c->kind = &secure_kind;
    c->state = SECURING;
    /* For the first of a run this loads OpenSSL and reads the certificates: some
     * 10 ms for which the loop waits. */
    int error = tls_begin(c->loop->tls, c->node.host, -1, &c->tls);
    if (error == 0) {
        c->bev = tls_bufferevent(c->tls, c->loop->base, fd);
        /* libevent has asked for this already, but did not look whether it
         * could be had; then nothing would ever be heard. */
        if (c->bev == NULL ||
            bufferevent_enable(c->bev, EV_READ | EV_WRITE) != 0)
            error = -ENOMEM;
    }
    if (error != 0) {
        if (c->bev == NULL) /* else the socket is the bufferevent's */
            (void)close(fd);
        event_del(&c->event);
        connection_address_failed(c, error);
        return;
    }
    bufferevent_setcb(c->bev, NULL, NULL, on_handshake_event, c);
}
