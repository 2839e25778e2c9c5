/*
 * loop: a test whose body is a coroutine.
 */
#ifndef TRIPTYCH_UNIT_LOOP_H
#define TRIPTYCH_UNIT_LOOP_H

#include "coroutine.h"

#include <check.h>
#include <event2/event.h>

#define MS INT64_C(1000)

static inline void quiet(int severity, const char *message)
{
    (void)severity;
    (void)message; /* that a file cannot be watched is expected */
}

/* Of the test that runs. */
static struct event_base *the_base;

/* Runs f(arg) as the first coroutine of a loop; returns its result. */
static inline int run_first_of_loop(int (*f)(void *arg), void *arg)
{
    struct coroutines *coroutines;
    event_set_log_callback(quiet);
    struct event_base *base = event_base_new();
    ck_assert_ptr_nonnull(base);
    ck_assert_int_eq(coroutines_open(&coroutines, base), 0);
    the_base = base;
    int result = coroutines_run(coroutines, f, arg);
    coroutines_close(coroutines);
    event_base_free(base);
    libevent_global_shutdown();
    return result;
}

/* Lets everything happen that needs no time to pass. */
static inline void settle(void)
{
    for (int i = 0; i < 12; i++)
        ck_assert_int_eq(await_others(), 0);
}

/* A test that is one coroutine. */
#define COROUTINE_TEST(name)                                                  \
    static int name##_body(void *unused);                                     \
    START_TEST(name)                                                          \
    {                                                                         \
        ck_assert_int_eq(run_first_of_loop(name##_body, NULL), 0);            \
    }                                                                         \
    END_TEST                                                                  \
    static int name##_body(void *unused)

#endif
