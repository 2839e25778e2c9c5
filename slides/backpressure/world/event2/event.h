/* The few functions of libevent that evloop/stream.c and the simulator call,
 * for a page: see ../../world.c. */
#ifndef WORLD_EVENT_H
#define WORLD_EVENT_H

#include <sys/time.h>

#define EV_TIMEOUT      1
#define EVLOOP_NONBLOCK 2

typedef int evutil_socket_t;

struct event_base {
    struct event *due; /* timers of no time, in order */
};

struct event {
    struct event_base *base;
    struct event *next;
    void (*call)(evutil_socket_t, short, void *);
    void *arg;
    int is_due;
};

struct event_base *event_base_new(void);
int event_base_loop(struct event_base *base, int flags);
int event_base_loopcontinue(struct event_base *base);
int event_assign(struct event *event, struct event_base *base,
                 evutil_socket_t fd, short what,
                 void (*call)(evutil_socket_t, short, void *), void *arg);
int event_add(struct event *event, const struct timeval *time);
int event_del(struct event *event);
void event_active(struct event *event, int what, short calls);
struct event_base *event_get_base(const struct event *event);

#endif
