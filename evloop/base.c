/* base: libevent's event_base. See base.h. */
#include "base.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

/* Of the descriptors that select can wait for: not for connections. */
#define SELECT_SPARE 32

/* A turn of the loop is over after this time, even if callbacks are still to
 * be made. With thousands of ready connections a turn could otherwise take
 * seconds, and a stop would wait as long. */
#define TURN_MS 10

/* Silences libevent: every call that can fail is checked here, and reported in
 * our own words. */
static void discard_log(int severity, const char *message)
{
    (void)severity;
    (void)message;
}

int base_prepare(bool threads)
{
    event_set_log_callback(discard_log);
    return threads && evthread_use_pthreads() != 0 ? -ENOMEM : 0;
}

/* A new loop takes four descriptors. libevent 2.1.12 ends the whole program
 * when one of them cannot be had, so we look before. */
static int has_descriptors_for_a_loop(void)
{
    int first[2];
    int second[2];
    if (pipe2(first, O_CLOEXEC) == -1)
        return -errno;
    int error = pipe2(second, O_CLOEXEC) == -1 ? -errno : 0;
    if (error == 0) {
        (void)close(second[0]);
        (void)close(second[1]);
    }
    (void)close(first[0]);
    (void)close(first[1]);
    return error;
}

/* select(2) takes no descriptor beyond FD_SETSIZE: libevent would write past
 * the end of its set. So the process's limit is lowered to that number, and
 * one descriptor more is a shortage like any other. */
size_t base_most(struct run *run, size_t limit)
{
    const char *backend = run->options->backend;
    struct rlimit rlimit;
    size_t most = FD_SETSIZE - SELECT_SPARE;
    if (backend == NULL || strcmp(backend, "select") != 0 ||
        getrlimit(RLIMIT_NOFILE, &rlimit) == -1 ||
        rlimit.rlim_cur < FD_SETSIZE)
        return limit;
    rlimit.rlim_cur = FD_SETSIZE;
    (void)setrlimit(RLIMIT_NOFILE, &rlimit);
    if (limit <= most)
        return limit;
    run_warn(run,
             "select can wait for %d descriptors only: no more than %zu "
             "requests are in flight",
             FD_SETSIZE, most);
    return most;
}

int base_open(struct event_base **base, const struct options *options)
{
    static const char *const methods[] = {"epoll", "poll", "select"};
    int error = has_descriptors_for_a_loop();
    if (error != 0)
        return error;
    struct event_config *config = event_config_new();
    if (config == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < 3; i++) {
        if (options->backend != NULL &&
            strcmp(methods[i], options->backend) != 0)
            (void)event_config_avoid_method(config, methods[i]);
    }
    /* libevent's variables would choose behind our back: a way to wait that
     * loses connections whose number is used again, or select. */
    (void)event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
    const struct timeval turn = {.tv_usec = TURN_MS * 1000L};
    (void)event_config_set_max_dispatch_interval(config, &turn, -1,
                                                 BASE_USUAL);
    *base = event_base_new_with_config(config);
    event_config_free(config);
    if (*base == NULL)
        return -ENOMEM;
    if (event_base_priority_init(*base, BASE_PRIORITIES) == 0)
        return 0;
    event_base_free(*base);
    *base = NULL; /* its owner looks */
    return -ENOMEM;
}

void base_next_turn(struct event *event)
{
    static const struct timeval at_once = {0, 0};
    if (event_add(event, &at_once) == 0)
        return;
    /* No memory for a timer. libevent would go on with what is active, and
     * this event with it, for ever: it is told to look at the others first. */
    event_active(event, EV_TIMEOUT, 1);
    (void)event_base_loopcontinue(event_get_base(event));
}
