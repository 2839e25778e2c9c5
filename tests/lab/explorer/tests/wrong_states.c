/*
 * wrong_states: what goes wrong depends on a choice made long before, and the
 * choice is remembered in one kind of place only: each must be part of a
 * state, or the second choice would be taken for the first.
 */
#include "wrong.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

static pthread_mutex_t locks[2] = {PTHREAD_MUTEX_INITIALIZER,
                                   PTHREAD_MUTEX_INITIALIZER};
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int variable;
static _Thread_local int own;

/* Whatever is left of the choice on the stack, without being in use. */
static void scrub(void)
{
    volatile char room[8192];
    for (size_t i = 0; i < sizeof room; i++)
        room[i] = 0;
}

/* A few points at which others could go on. */
static void *pass(void *unused)
{
    for (int i = 0; i < 3; i++) {
        pthread_mutex_lock(&locks[0]);
        pthread_mutex_unlock(&locks[0]);
    }
    return unused;
}

static pthread_t thread;

static void begin(void)
{
    (void)pthread_create(&thread, NULL, pass, NULL);
}

static void end(bool good)
{
    explore_check(good, "the other choice");
    (void)pthread_join(thread, NULL);
}

static void on_the_stack(void)
{
    begin();
    int n = explore_choose(2, "n");
    scrub();
    (void)pass(NULL);
    end(n == 0);
}

/* In functions of their own: no register may remember. */
static void choose_into(int *where)
{
    *where = explore_choose(2, "n");
}

static void choose_to_lock(void)
{
    if (explore_choose(2, "n") == 1)
        pthread_mutex_lock(&locks[1]);
}

static void choose_to_write(void)
{
    if (explore_choose(2, "n") == 1)
        variable = 0;
}

static void in_a_variable(void)
{
    begin();
    choose_into(&variable);
    scrub();
    (void)pass(NULL);
    end(variable == 0);
}

static void in_the_heap(void)
{
    int *block = malloc(sizeof *block);
    begin();
    choose_into(block);
    scrub();
    (void)pass(NULL);
    end(*block == 0);
    free(block);
}

static void in_a_thread_local(void)
{
    begin();
    choose_into(&own);
    scrub();
    (void)pass(NULL);
    end(own == 0);
}

static void in_errno(void)
{
    begin();
    choose_into(&errno);
    scrub();
    (void)pass(NULL);
    end(errno == 0);
}

static atomic_bool finished;

static void *keep_going(void *unused)
{
    while (!atomic_load(&finished))
        (void)sched_yield();
    return unused;
}

/* While another thread can always go on: where only one can, there is nothing
 * to be cut short. */
static void in_a_lock(void)
{
    for (int i = 0; i < 2; i++) { /* both are known before, in this order */
        pthread_mutex_lock(&locks[i]);
        pthread_mutex_unlock(&locks[i]);
    }
    (void)pthread_create(&thread, NULL, keep_going, NULL);
    choose_to_lock();
    scrub();
    (void)pass(NULL);
    explore_check(pthread_mutex_destroy(&locks[1]) == 0, "destroy");
    atomic_store(&finished, true);
    end(true);
}

/* --- To whom a signal goes ---*/

static bool wanted[2];

static void *wait_for(void *argument)
{
    const bool *flag = argument;
    pthread_mutex_lock(&locks[0]);
    while (!*flag)
        pthread_cond_wait(&changed, &locks[0]);
    pthread_mutex_unlock(&locks[0]);
    return NULL;
}

/* Right if each signal reached the thread with the lowest number. */
static void signal_to_any(void)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        (void)pthread_create(&threads[i], NULL, wait_for, &wanted[i]);
    for (int i = 0; i < 2; i++) {
        pthread_mutex_lock(&locks[0]);
        wanted[i] = true;
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&locks[0]);
    }
    for (int i = 0; i < 2; i++)
        (void)pthread_join(threads[i], NULL);
}

/* --- Who has just accessed what ---*/

static void *write_perhaps(void *unused)
{
    choose_to_write();
    scrub();
    return pass(unused);
}

/* What is written was there before: of the second choice, nothing remains but
 * that it was made. */
static void in_an_access(void)
{
    (void)pthread_create(&thread, NULL, write_perhaps, NULL);
    scrub();
    (void)pass(NULL);
    explore_check(variable == 0, "it is %d", variable);
    (void)pthread_join(thread, NULL);
}

#define ALL                                                                   \
    {                                                                         \
        .exhaustive = true                                                    \
    }

const struct wrong wrong_states[] = {
    {{"on-the-stack", on_the_stack, ALL}, EXPLORE_CHECK, "end", 0},
    {{"in-a-variable", in_a_variable, ALL}, EXPLORE_CHECK, "end", 0},
    {{"in-the-heap", in_the_heap, ALL}, EXPLORE_CHECK, "end", 0},
    {{"in-a-thread-local", in_a_thread_local, ALL}, EXPLORE_CHECK, "end", 0},
    {{"in-errno", in_errno, ALL}, EXPLORE_CHECK, "end", 0},
    {{"in-a-lock", in_a_lock, ALL}, EXPLORE_MISUSE, "in_a_lock", 0},
    {{"signal-to-any", signal_to_any, ALL}, EXPLORE_DEADLOCK, NULL, 2},
    {{"in-an-access", in_an_access, ALL}, EXPLORE_RACE, NULL, 0},
    {{NULL, NULL, {0}}, EXPLORE_PASSED, NULL, 0},
};
