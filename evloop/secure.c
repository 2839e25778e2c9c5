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
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What has failed, as a negative errno. To be asked first thing in a callback:
 * errno is of the call that failed. */
static int failure(struct connection *c)
{
    int error = EVUTIL_SOCKET_ERROR();
    unsigned long reason = 0;
    unsigned long next;
    /* The newest comes first, and the oldest is the cause; libevent's own
     * notes between them, which no library's are, say nothing. */
    while ((next = bufferevent_get_openssl_error(c->bev)) != 0) {
        if (ERR_GET_LIB(next) != 0)
            reason = next;
    }
    errno = error;
    return tls_note_failure(c->tls, reason);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    if (!connection_drop_idle(arg))
        connection_hand_on_input(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct connection *c = arg;
    int error = (what & BEV_EVENT_ERROR) != 0 ? failure(c) : 0;
    (void)bev;
    connection_ended(c, (what & BEV_EVENT_WRITING) != 0, error);
}

static void on_handshake_event(struct bufferevent *bev, short what, void *arg)
{
    struct connection *c = arg;
    int error = (what & BEV_EVENT_CONNECTED) != 0 ? 0 : failure(c);
    event_del(&c->timer);
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
    c->tls = tls_begin(c->loop->tls, c->node.host, -1);
    if (c->tls != NULL)
        c->bev = bufferevent_openssl_socket_new(c->loop->base, fd, c->tls,
                                                BUFFEREVENT_SSL_CONNECTING, 0);
    if (c->bev == NULL) {
        (void)close(fd);
        event_del(&c->timer);
        connection_address_failed(c, -ENOMEM);
        return;
    }
    bufferevent_setcb(c->bev, NULL, NULL, on_handshake_event, c);
}
