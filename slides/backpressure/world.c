/*
 * world: what evloop/stream.c asks of libevent, for a page that has none.
 *
 * Timers of no time, which are called on the next turn, and buffers of which
 * nobody looks at the bytes. A test holds it against libevent. What only a
 * stream over a bufferevent calls is here to be linked, and never called.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>

struct evbuffer {
    size_t length;
};

/* --- Events --------------------------------------------------------------- */

struct event_base *event_base_new(void)
{
    return calloc(1, sizeof(struct event_base));
}

int event_assign(struct event *event, struct event_base *base,
                 evutil_socket_t fd, short what,
                 void (*call)(evutil_socket_t, short, void *), void *arg)
{
    (void)fd, (void)what;
    *event = (struct event){.base = base, .call = call, .arg = arg};
    return 0;
}

int event_add(struct event *event, const struct timeval *time)
{
    struct event **at = &event->base->due;
    (void)time;
    if (event->is_due)
        return 0;
    while (*at != NULL)
        at = &(*at)->next;
    event->next = NULL;
    event->is_due = 1;
    *at = event;
    return 0;
}

int event_del(struct event *event)
{
    if (!event->is_due)
        return 0;
    for (struct event **at = &event->base->due; *at != NULL;
         at = &(*at)->next) {
        if (*at == event) {
            *at = event->next;
            break;
        }
    }
    event->is_due = 0;
    return 0;
}

/* One turn: those that are due now, and not those that they add. */
int event_base_loop(struct event_base *base, int flags)
{
    unsigned count = 0;
    (void)flags;
    for (struct event *e = base->due; e != NULL; e = e->next)
        count++;
    for (; count > 0 && base->due != NULL; count--) {
        struct event *event = base->due;
        (void)event_del(event);
        event->call(-1, EV_TIMEOUT, event->arg);
    }
    return 0;
}

void event_active(struct event *event, int what, short calls)
{
    (void)what, (void)calls;
    (void)event_add(event, NULL);
}

struct event_base *event_get_base(const struct event *event)
{
    return event->base;
}

int event_base_loopcontinue(struct event_base *base)
{
    (void)base;
    return 0;
}

/* --- Buffers -------------------------------------------------------------- */

struct evbuffer *evbuffer_new(void)
{
    return calloc(1, sizeof(struct evbuffer));
}

void evbuffer_free(struct evbuffer *buffer)
{
    free(buffer);
}

size_t evbuffer_get_length(const struct evbuffer *buffer)
{
    return buffer->length;
}

int evbuffer_add(struct evbuffer *buffer, const void *data, size_t n)
{
    (void)data;
    buffer->length += n;
    return 0;
}

int evbuffer_drain(struct evbuffer *buffer, size_t n)
{
    buffer->length -= n < buffer->length ? n : buffer->length;
    return 0;
}

int evbuffer_peek(struct evbuffer *buffer, ssize_t n, void *from,
                  struct iovec *parts, int most)
{
    static char nothing[1];
    (void)n, (void)from;
    if (buffer->length == 0 || most == 0)
        return 0;
    parts[0] = (struct iovec){nothing, buffer->length};
    return 1;
}

/* --- Never called --------------------------------------------------------- */

struct evbuffer_cb_entry *evbuffer_add_cb(
    struct evbuffer *buffer,
    void (*call)(struct evbuffer *, const struct evbuffer_cb_info *, void *),
    void *arg)
{
    (void)buffer, (void)call, (void)arg;
    abort();
}

int evbuffer_remove_cb_entry(struct evbuffer *buffer,
                             struct evbuffer_cb_entry *entry)
{
    (void)buffer, (void)entry;
    abort();
}

int evbuffer_freeze(struct evbuffer *buffer, int front)
{
    (void)buffer, (void)front;
    abort();
}

int evbuffer_unfreeze(struct evbuffer *buffer, int front)
{
    (void)buffer, (void)front;
    abort();
}

int bufferevent_getfd(struct bufferevent *bev)
{
    (void)bev;
    abort();
}

struct evbuffer *bufferevent_get_output(struct bufferevent *bev)
{
    (void)bev;
    abort();
}

struct event_base *bufferevent_get_base(struct bufferevent *bev)
{
    (void)bev;
    abort();
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    (void)fd, (void)message, (void)flags;
    abort();
}

int shutdown(int fd, int how)
{
    (void)fd, (void)how;
    abort();
}
