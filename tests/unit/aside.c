/* aside: calls in threads, of which one that waits holds no other up. */
#include "aside.h"

#include "loop.h"
#include "main.h"

#include <semaphore.h>
#include <time.h>

#define ROUNDS 50

struct gate {
    struct aside *aside;
    sem_t open;
    bool passed;
};

static void nothing(void *unused)
{
    (void)unused;
}

static void open_gate(void *arg)
{
    struct gate *gate = arg;
    (void)sem_post(&gate->open);
}

/* As a call that waits for a disk; but not for ever. */
static void pass_gate(void *arg)
{
    struct gate *gate = arg;
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 10;
    gate->passed = sem_clockwait(&gate->open, CLOCK_MONOTONIC, &until) == 0;
}

static int pass(void *arg)
{
    struct gate *gate = arg;
    await_call(gate->aside, pass_gate, gate);
    return 0;
}

static size_t idle_threads(struct aside *a)
{
    pthread_mutex_lock(&a->lock);
    size_t idle = a->idle;
    pthread_mutex_unlock(&a->lock);
    return idle;
}

/* One thread is idle when two calls come, and the first waits for what the
 * second does. */
COROUTINE_TEST(a_call_that_waits_holds_no_other_up)
{
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        struct aside aside;
        struct gate gate = {.aside = &aside};
        int result;
        ck_assert_int_eq(aside_open(&aside, the_base), 0);
        (void)sem_init(&gate.open, 0, 0);
        await_call(&aside, nothing, NULL);
        while (idle_threads(&aside) == 0)
            ck_assert_int_eq(await_others(), 0);
        struct coroutine *first = coroutine_start(pass, &gate);
        ck_assert_ptr_nonnull(first);
        ck_assert_int_eq(await_others(), 0); /* it has asked for its call */
        await_call(&aside, open_gate, &gate);
        ck_assert_int_eq(await_end(first, COROUTINE_NEVER, &result), 0);
        ck_assert_msg(gate.passed, "round %d: the second call waited", round);
        aside_close(&aside);
        (void)sem_destroy(&gate.open);
    }
    return 0;
}

static void add_cases(TCase *tc)
{
    tcase_add_test(tc, a_call_that_waits_holds_no_other_up);
}

UNIT_MAIN("aside", add_cases)
