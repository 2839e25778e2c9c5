/*
 * secure: a connection that speaks TLS: libevent's bufferevent over OpenSSL.
 * See socket.h and tls.h.
 *
 * The socket is connected like any other; then this takes it over.
 */
#include "socket.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <unistd.h>

static void on_handshake_event(struct bufferevent *bev, short what, void *arg)
{
    struct connection *c = arg;
    int error = (what & BEV_EVENT_CONNECTED) != 0
                    ? 0
                    : tls_bufferevent_failure(c->tls, bev);
    event_del(&c->event);
    if (error != 0)
        connection_address_failed(c, error);
    else
        socket_is_connected(c);
}

/* The socket is connected: takes it over, and has TLS on it. */
static void begin(struct connection *c)
{
    int fd = connection_detach(c);
    c->state = SECURING;
    /* For the first of a run this loads OpenSSL and reads the certificates,
     * and the loop waits for the disk. */
    int error = tls_begin(c->loop->tls, c->node.host, fd, &c->tls);
    if (error == 0) {
        c->bev = tls_bufferevent(c->tls, c->loop->base, fd);
        /* libevent has enabled both already, but ignores a failure: then the
         * connection would stay silent for ever. */
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

const struct connection_kind secure_kind = {
    .looks_up = true,
    .open = socket_open,
    .dialled = begin,
    BUFFEREVENT_KIND,
};
