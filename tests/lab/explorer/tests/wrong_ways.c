/* wrong_ways: ways for a program to go wrong that have little to do with
 * locks: the explorer must survive them, and say which it was. */
#include "wrong.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static atomic_int turn;
static int value;

static void in_thread(void *(*work)(void *), void *argument)
{
    pthread_t thread;
    (void)pthread_create(&thread, NULL, work, argument);
    (void)pthread_join(thread, NULL);
}

static void *write_nowhere(void *argument)
{
    *(volatile int *)argument = 1;
    return NULL;
}

static void crash(void)
{
    in_thread(write_nowhere, NULL);
}

/* The condition is true for longer than the stack lasts. */
static void *dive(void *argument)
{
    volatile char room[4096];
    room[0] = argument == NULL ? 1 : 2;
    if (value < 1000000)
        (void)dive(argument);
    return room[0] == 1 ? NULL : argument;
}

static void overflow(void)
{
    in_thread(dive, NULL);
}

static void *use_freed(void *argument)
{
    int *block = argument;
    free(block);
    *block = 1;
    return NULL;
}

static void freed(void)
{
    in_thread(use_freed, malloc(sizeof(int)));
}

static void beyond(void)
{
    volatile char *block = malloc(5);
    int i = 5 + value;
    block[i] = 1;
}

static void *call_exit(void *unused)
{
    exit(unused == NULL ? 0 : 1);
}

static void exits(void)
{
    in_thread(call_exit, NULL);
}

static void exits_behind_our_back(void)
{
    (void)syscall(SYS_exit_group, 0);
}

static void aborts(void)
{
    abort();
}

static void asserts(void)
{
    assert(value == 1);
}

/* --- Without an end --- */

static void *after_you(void *argument) /* NULL or not: which of two */
{
    int me = argument == NULL ? 0 : 1;
    while (atomic_load(&turn) != 2 + me)
        (void)sched_yield();
    return NULL;
}

static void livelock(void)
{
    pthread_t one;
    pthread_t two;
    (void)pthread_create(&one, NULL, after_you, NULL);
    (void)pthread_create(&two, NULL, after_you, &turn);
    (void)pthread_join(one, NULL);
    (void)pthread_join(two, NULL);
}

static void computes(void)
{
    for (;;)
        __asm__ volatile("" ::: "memory");
}

/* Nobody will ever write. */
static void reads_a_pipe(void)
{
    int ends[2];
    char byte;
    if (pipe(ends) == 0 && read(ends[0], &byte, 1) == 1)
        value = 1;
}

static void *wait_for_ever(void *unused)
{
    pthread_mutex_lock(&lock);
    pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return unused;
}

static void left_waiting(void)
{
    pthread_t thread;
    (void)pthread_create(&thread, NULL, wait_for_ever, NULL);
    (void)pthread_detach(thread);
}

/* --- Time --- */

static void *set_turn(void *unused)
{
    atomic_store(&turn, 1);
    return unused;
}

static void sleeps_to_wait(void)
{
    pthread_t thread;
    (void)pthread_create(&thread, NULL, set_turn, NULL);
    (void)usleep(1000000);
    explore_check(atomic_load(&turn) == 1, "a second was not enough");
    (void)pthread_join(thread, NULL);
}

static void *signal_late(void *unused)
{
    pthread_mutex_lock(&lock);
    value = 1;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    return unused;
}

/* That the time is up does not mean that nothing has changed. */
static void time_is_up(void)
{
    pthread_t thread;
    struct timespec until;
    int error = 0;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 5;
    (void)pthread_create(&thread, NULL, signal_late, NULL);
    pthread_mutex_lock(&lock);
    while (value == 0 && error == 0)
        error = pthread_cond_timedwait(&changed, &lock, &until);
    explore_check(error == 0, "it gave up, and the value is %d", value);
    pthread_mutex_unlock(&lock);
    (void)pthread_join(thread, NULL);
}

/* Who adds milliseconds must carry the nanoseconds over. */
static void nothing_carried(void)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 5 * 1000 * 1000;
    pthread_mutex_lock(&lock);
    int error = pthread_cond_timedwait(&changed, &lock, &until);
    pthread_mutex_unlock(&lock);
    explore_check(error == ETIMEDOUT, "the wait gives %d", error);
}

/* A wait with a limit ends without a wake-up: only the clock knows. */
static void lost_but_timed(void)
{
    struct timespec until;
    int error = 0;
    pthread_t thread;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 100;
    (void)pthread_create(&thread, NULL, set_turn, NULL);
    pthread_mutex_lock(&lock);
    while (atomic_load(&turn) == 0 && error == 0)
        error = pthread_cond_timedwait(&changed, &lock, &until);
    pthread_mutex_unlock(&lock);
    (void)pthread_join(thread, NULL);
    explore_expect(explore_time() < 1000000000, "nobody was told", "set_turn",
                   "%d seconds have passed",
                   (int)(explore_time() / 1000000000));
}

static void no_more_threads(void)
{
    pthread_t thread;
    explore_fail_create(1, 1);
    int first = pthread_create(&thread, NULL, set_turn, NULL);
    int second = pthread_create(&thread, NULL, set_turn, NULL);
    int third = pthread_create(&thread, NULL, set_turn, NULL);
    explore_check(first == 0 && second == EAGAIN && third == 0,
                  "not the second alone fails");
    explore_settle();
    explore_check(explore_unjoined() == 0, "%d are not joined",
                  explore_unjoined());
}

static int ended; /* waits with a limit; the first of them */
static int first;

static void *wait_so_long(void *seconds)
{
    struct timespec until;
    int error = 0;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += *(int *)seconds;
    pthread_mutex_lock(&lock);
    while (error == 0)
        error = pthread_cond_timedwait(&changed, &lock, &until);
    if (ended++ == 0)
        first = *(int *)seconds;
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* Shrinking must not lead to another failure, that no search could see. */
static void another_failure(void)
{
    static int lengths[] = {100, 10};
    pthread_t threads[2];
    int chosen = explore_choose(2, "fails");
    (void)pthread_create(&threads[0], NULL, wait_so_long, &lengths[0]);
    (void)pthread_create(&threads[1], NULL, wait_so_long, &lengths[1]);
    (void)pthread_join(threads[0], NULL);
    (void)pthread_join(threads[1], NULL);
    explore_check(first == 10, "a wait of 100 s ended before one of 10 s");
    if (chosen == 0)
        return;
    in_thread(set_turn, NULL);
    explore_check(false, "what was chosen");
}

static void threads_of_c11(void)
{
    mtx_t other;
    (void)mtx_init(&other, mtx_plain);
}

static void waits_by_futex(void)
{
    (void)syscall(SYS_futex, &value, FUTEX_WAIT, 0, NULL);
}

const struct wrong wrong_ways[] = {
    {{"crash", crash, {0}}, EXPLORE_CRASH, "write_nowhere", 0},
    {{"overflow", overflow, {0}}, EXPLORE_CRASH, "dive", 0},
    {{"freed", freed, {0}}, EXPLORE_MEMORY, "use_freed", 0},
    {{"beyond", beyond, {0}}, EXPLORE_MEMORY, "beyond", 0},
    {{"exits", exits, {0}}, EXPLORE_EXIT, "call_exit", 0},
    {{"exits-behind-our-back", exits_behind_our_back, {0}},
     EXPLORE_EXIT,
     NULL,
     0},
    {{"aborts", aborts, {0}}, EXPLORE_CRASH, "aborts", 0},
    {{"asserts", asserts, {0}}, EXPLORE_CHECK, "asserts", 0},
    {{"livelock", livelock, {0}}, EXPLORE_ENDLESS, NULL, 0},
    {{"computes", computes, {0}}, EXPLORE_ENDLESS, "computes", 0},
    {{"reads-a-pipe", reads_a_pipe, {0}}, EXPLORE_STUCK, NULL, 0},
    {{"left-waiting", left_waiting, {0}}, EXPLORE_DEADLOCK, NULL, 0},
    {{"sleeps-to-wait", sleeps_to_wait, {0}},
     EXPLORE_CHECK,
     "sleeps_to_wait",
     1},
    {{"time-is-up", time_is_up, {.timeouts = 1}},
     EXPLORE_CHECK,
     "time_is_up",
     0},
    {{"nothing-carried", nothing_carried, {0}},
     EXPLORE_CHECK,
     "nothing_carried",
     0},
    {{"lost-but-timed", lost_but_timed, {0}},
     EXPLORE_CHECK,
     "lost_but_timed",
     0},
    {{"no-more-threads", no_more_threads, {0}},
     EXPLORE_CHECK,
     "no_more_threads",
     0},
    {{"another-failure", another_failure, {0}},
     EXPLORE_CHECK,
     "another_failure",
     0},
    {{"threads-of-c11", threads_of_c11, {0}},
     EXPLORE_UNSUPPORTED,
     "threads_of_c11",
     0},
    {{"waits-by-futex", waits_by_futex, {0}},
     EXPLORE_UNSUPPORTED,
     "waits_by_futex",
     0},
    {{NULL, NULL, {0}}, EXPLORE_PASSED, NULL, 0},
};
