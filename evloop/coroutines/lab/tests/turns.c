/* turns: a test whose body is a coroutine. See turns.h. */
#include "turns.h"

#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>

#define PROCESSOR_SECONDS 8

struct event_base *turns_base;
unsigned turns_looks;
char story[200];

static const char *what_now = "running", *means_now, *look_now;

void doing(const char *what, const char *means, const char *look)
{
    what_now = what;
    means_now = means;
    look_now = look;
    lab_doing(what, means, look);
}

/* In the place of the system's, for libevent as well: the program's own name
 * comes first. (epoll_pwait without a mask is the same call.) */
int epoll_wait(int epoll, struct epoll_event *events, int size, int timeout)
{
    int n = epoll_pwait(epoll, events, size, 0, NULL);
    turns_looks++;
    if (n != 0 || timeout == 0)
        return n;
    lab_check(timeout != -1,
              means_now != NULL
                  ? means_now
                  : "a coroutine waits, and nobody will wake it any more",
              look_now != NULL
                  ? look_now
                  : "wake, await_any: who is to wake it, and when",
              "the loop goes to sleep for ever, while %s", what_now);
    return epoll_pwait(epoll, events, size, timeout, NULL);
}

static void on_circle(int number)
{
    (void)number;
    lab_fail("a coroutine, or the loop, runs in a circle: what it waits for "
             "cannot come, for nobody else has a turn",
             "each loop around an await: what if that returns at once, each "
             "time",
             "it has used %d seconds of the processor, while %s",
             PROCESSOR_SECONDS, what_now);
}

static void quiet(int severity, const char *message)
{
    (void)severity;
    /* That a file cannot be watched is expected. */
    lab_check(strstr(message, "event_assign") == NULL,
              "libevent is asked for an event that there is not, and says so "
              "to the user",
              "coroutine_start, await_any: event_assign",
              "libevent complains while %s: %s", what_now, message);
}

int run(int (*f)(void *arg), void *arg)
{
    const struct itimerval limit = {.it_value = {PROCESSOR_SECONDS, 0}};
    struct coroutines *coroutines;
    (void)signal(SIGPROF, on_circle);
    (void)setitimer(ITIMER_PROF, &limit, NULL);
    event_set_log_callback(quiet);
    turns_base = event_base_new();
    if (turns_base == NULL || coroutines_open(&coroutines, turns_base) != 0)
        lab_broken("no loop");
    int result = coroutines_run(coroutines, f, arg);
    coroutines_close(coroutines);
    event_base_free(turns_base);
    libevent_global_shutdown();
    return result;
}

struct coroutine *start(int (*f)(void *arg), void *arg)
{
    struct coroutine *c = coroutine_start(f, arg);
    lab_check(c != NULL, "no coroutine is made", "coroutine_start",
              "coroutine_start gives NULL");
    return c;
}

void start_and_forget(int (*f)(void *arg), void *arg)
{
    coroutine_detach(start(f, arg));
}

void settle(void)
{
    for (int i = 0; i < 12; i++) {
        int error = await_others();
        lab_check(error == 0,
                  "who only lets others have their turn has no "
                  "reason to fail",
                  "await_others: what it returns", "await_others gives %s",
                  lab_value(error));
    }
}

void tell(const char *what)
{
    lab_check(strlen(story) + strlen(what) < sizeof story,
              "a coroutine runs more often than it is asked to",
              "resume, run_ready: who has a turn",
              "it happens again and again: %.80s...", story);
    (void)strcat(story, what);
}

void check_story(const char *wanted, const char *means, const char *look)
{
    lab_check(strcmp(story, wanted) == 0, means, look,
              "what happened is \"%s\", not \"%s\"", story, wanted);
}
