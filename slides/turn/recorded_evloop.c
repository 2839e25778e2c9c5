/* recorded-evloop: evloop/minimal.c, which writes down its turns. See
 * recorder.h. */
#include "recorder.h"

#include "minimal.h"
#include "minimal_source.h"

/* In the other file parameters have these names. */
#define m    the_minimal
#define base the_base
#include "../../evloop/minimal.c"
#undef m
#undef base
#include "../../evloop/minimal_source.c"
#define m    the_minimal
#define base the_base

#include <poll.h>

static const struct recorder_name names[] = {
    {(void *)go_on, "go_on"},
    {(void *)step_take, "step_take"},
    {(void *)step_connect, "step_connect"},
    {(void *)step_send, "step_send"},
    {(void *)step_receive, "step_receive"},
    {(void *)step_deliver, "step_deliver"},
    {(void *)step_finish, "step_finish"},
    {(void *)on_event, "on_event"},
    {(void *)on_sent, "on_sent"},
    {(void *)on_drained, "on_drained"},
    {NULL, NULL}};

static int depth;         /* of the functions above that have not returned */
static size_t rounds;     /* calls of go_on since the loop woke */
static int ready_of = -1; /* the place whose socket is ready, if one is */

UNSEEN void __cyg_profile_func_enter(void *function, void *caller)
{
    const char *name = recorder_find(names, function);
    (void)caller;
    if (name == NULL)
        return;
    if (depth == 0 && function == (void *)go_on)
        ready_of = (int)(rounds++ % m.options.jobs);
    depth++;
    recorder_say(0, "+ %s %d\n", name, ready_of);
}

UNSEEN void __cyg_profile_func_exit(void *function, void *caller)
{
    const char *name = recorder_find(names, function);
    (void)caller;
    if (name == NULL)
        return;
    depth--;
    recorder_say(0, "- %s\n", name);
}

UNSEEN static int place_of(int fd)
{
    for (size_t i = 0; i < m.options.jobs; i++) {
        if (requests[i].source.bev != NULL &&
            bufferevent_getfd(requests[i].source.bev) == fd)
            return (int)i;
    }
    return -1;
}

/* Those that are waited for, or (`ready`) those that are ready. */
UNSEEN static void say_descriptors(const char *what, const struct pollfd *fds,
                                   nfds_t count, bool ready)
{
    char list[1000] = "";
    size_t n = 0;
    for (nfds_t i = 0; i < count && n < sizeof list - 30; i++) {
        short events = ready ? fds[i].revents : fds[i].events;
        int place = place_of(fds[i].fd);
        if (events == 0 || (place == -1 && fds[i].fd != m.output.fd))
            continue; /* libevent's own */
        n += (size_t)snprintf(
            list + n, sizeof list - n, " %d:%s%s", place,
            (events & (POLLIN | POLLHUP | POLLERR)) != 0 ? "r" : "",
            (events & POLLOUT) != 0 ? "w" : "");
    }
    recorder_say(0, "%s%s\n", what, list);
}

UNSEEN static void say_requests(void)
{
    for (size_t i = 0; i < m.options.jobs; i++) {
        const struct request *r = &requests[i];
        if (r->x == NULL)
            continue;
        size_t ahead =
            r->source.bev == NULL
                ? 0
                : evbuffer_get_length(bufferevent_get_input(r->source.bev));
        recorder_say(0, "has %zu %d %zu %d %d\n", i, (int)exchange_want(r->x),
                     ahead, r->source.bev == NULL ? -1 : r->source.ended,
                     (int)r->job->id);
    }
}

/* In place of the C library's, which libevent would call. */
UNSEEN int poll(struct pollfd *fds, nfds_t count, int ms)
{
    const struct timespec limit = {ms / 1000, (long)(ms % 1000) * 1000000};
    if (depth > 0 || base == NULL)
        return ppoll(fds, count, ms < 0 ? NULL : &limit, NULL);
    say_requests();
    say_descriptors("sleeps", fds, count, false);
    int n = ppoll(fds, count, ms < 0 ? NULL : &limit, NULL);
    say_descriptors("wakes", fds, count, true);
    int sockets = 0;
    ready_of = -1;
    for (nfds_t i = 0; i < count; i++) {
        if (fds[i].revents != 0 && place_of(fds[i].fd) != -1) {
            ready_of = sockets++ == 0 ? place_of(fds[i].fd) : -1;
        }
    }
    rounds = 0;
    return n;
}
