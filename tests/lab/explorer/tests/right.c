/* right: bounded queues and the like that are right, each in another style. An
 * explorer that does not let them pass is of no use. */
#include "right.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ITEMS 2 /* by each of two producers */

/* Of a queue of one place, however it waits. */
static struct {
    void (*put)(int item);
    int (*take)(void);
} style;
static int place;
static bool full;
static atomic_int taken[2 * ITEMS + 1];

static void *produce(void *argument)
{
    const int *first = argument;
    for (int i = 0; i < ITEMS; i++)
        style.put(*first + i);
    return NULL;
}

static void *consume(void *unused)
{
    for (int i = 0; i < ITEMS; i++)
        taken[style.take()]++;
    return unused;
}

static void run_queue(void (*put)(int), int (*take)(void))
{
    static const int firsts[] = {1, 1 + ITEMS};
    pthread_t threads[4];
    style.put = put;
    style.take = take;
    for (int i = 0; i < 2; i++) {
        (void)pthread_create(&threads[i], NULL, produce,
                             (void *)(uintptr_t)&firsts[i]);
        (void)pthread_create(&threads[2 + i], NULL, consume, NULL);
    }
    for (int i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    for (int i = 1; i <= 2 * ITEMS; i++)
        explore_check(taken[i] == 1, "item %d was taken %d times", i,
                      taken[i]);
}

/* --- One condition, and a broadcast each time --- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void put_broadcasting(int item)
{
    pthread_mutex_lock(&lock);
    while (full)
        pthread_cond_wait(&changed, &lock);
    place = item;
    full = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static int take_broadcasting(void)
{
    pthread_mutex_lock(&lock);
    while (!full)
        pthread_cond_wait(&changed, &lock);
    int item = place;
    full = false;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return item;
}

static void one_condition(void)
{
    run_queue(put_broadcasting, take_broadcasting);
}

/* --- Two conditions, signalled after the unlock --- */

static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER;

static void put_signalling(int item)
{
    pthread_mutex_lock(&lock);
    while (full)
        pthread_cond_wait(&not_full, &lock);
    place = item;
    full = true;
    pthread_mutex_unlock(&lock);
    pthread_cond_signal(&not_empty);
}

static int take_signalling(void)
{
    pthread_mutex_lock(&lock);
    while (!full)
        pthread_cond_wait(&not_empty, &lock);
    int item = place;
    full = false;
    pthread_mutex_unlock(&lock);
    pthread_cond_signal(&not_full);
    return item;
}

static void two_conditions(void)
{
    run_queue(put_signalling, take_signalling);
}

/* --- Semaphores: no mutex at all, for there is one place --- */

static sem_t places;
static sem_t items;

static void put_counting(int item)
{
    (void)sem_wait(&places);
    place = item;
    (void)sem_post(&items);
}

static int take_counting(void)
{
    (void)sem_wait(&items);
    int item = place;
    (void)sem_post(&places);
    return item;
}

static void semaphores(void)
{
    (void)sem_init(&places, 0, 1);
    (void)sem_init(&items, 0, 0);
    run_queue(put_counting, take_counting);
    (void)sem_destroy(&items);
    (void)sem_destroy(&places);
}

/* --- An atomic flag, and a condition to wait for it --- */

static atomic_bool ready;
static int published;

static void *publish(void *unused)
{
    published = 7;
    atomic_store_explicit(&ready, true, memory_order_release);
    pthread_mutex_lock(&lock);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return unused;
}

static void *await(void *unused)
{
    if (!atomic_load_explicit(&ready, memory_order_acquire)) {
        pthread_mutex_lock(&lock);
        while (!atomic_load_explicit(&ready, memory_order_acquire))
            pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
    }
    explore_check(published == 7, "it is %d, not 7", published);
    return unused;
}

static void atomics(void)
{
    pthread_t threads[3];
    (void)pthread_create(&threads[0], NULL, await, NULL);
    (void)pthread_create(&threads[1], NULL, await, NULL);
    (void)pthread_create(&threads[2], NULL, publish, NULL);
    for (int i = 0; i < 3; i++)
        (void)pthread_join(threads[i], NULL);
}

/* --- A barrier between two halves of the work --- */

static pthread_barrier_t half;
static int parts[2];

static void *sum_up(void *argument)
{
    int *part = argument;
    *part = 5;
    if (pthread_barrier_wait(&half) == PTHREAD_BARRIER_SERIAL_THREAD)
        published = parts[0] + parts[1];
    (void)pthread_barrier_wait(&half);
    explore_check(published == 10, "the sum is %d", published);
    return NULL;
}

static void barrier(void)
{
    pthread_t threads[2];
    (void)pthread_barrier_init(&half, NULL, 2);
    for (int i = 0; i < 2; i++)
        (void)pthread_create(&threads[i], NULL, sum_up, &parts[i]);
    for (int i = 0; i < 2; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_barrier_destroy(&half);
}

/* --- Once, thread-local and specific variables, readers and a writer --- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static _Thread_local int mine = 3;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;

static void make_key(void)
{
    published++;
    (void)pthread_key_create(&key, NULL);
}

static void *have_own(void *argument)
{
    (void)pthread_once(&once, make_key);
    explore_check(mine == 3, "another thread's variable");
    explore_check(pthread_getspecific(key) == NULL, "another thread's value");
    mine++;
    (void)pthread_setspecific(key, argument);
    pthread_rwlock_wrlock(&rwlock);
    place++;
    pthread_rwlock_unlock(&rwlock);
    pthread_rwlock_rdlock(&rwlock);
    explore_check(place > 0, "nothing was written");
    pthread_rwlock_unlock(&rwlock);
    explore_check(mine == 4, "somebody wrote to a thread's own variable");
    explore_check(pthread_getspecific(key) == argument, "another's value");
    return argument;
}

static void own(void)
{
    pthread_t threads[2];
    void *result = NULL;
    for (int i = 0; i < 2; i++)
        (void)pthread_create(&threads[i], NULL, have_own, &parts[i]);
    for (int i = 0; i < 2; i++) {
        (void)pthread_join(threads[i], &result);
        explore_check(result == &parts[i], "another thread's result");
    }
    explore_check(published == 1, "once is %d times", published);
}

/* --- A wait with a limit, whose time is up or not --- */

static void *set_full(void *unused)
{
    pthread_mutex_lock(&lock);
    full = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    return unused;
}

static void timed(void)
{
    pthread_t thread;
    struct timespec until;
    int error = 0;
    (void)pthread_create(&thread, NULL, set_full, NULL);
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 3;
    pthread_mutex_lock(&lock);
    while (!full && error == 0)
        error = pthread_cond_timedwait(&changed, &lock, &until);
    while (!full) /* it has given up hope, not the wait */
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    (void)pthread_join(thread, NULL);
    /* And one that nobody ends. */
    until.tv_sec += 3;
    pthread_mutex_lock(&lock);
    while (error != ETIMEDOUT)
        error = pthread_cond_timedwait(&changed, &lock, &until);
    pthread_mutex_unlock(&lock);
}

/* --- Memory that is handed on; a bit of each of a word's bytes --- */

static char *shared;

static void *set_byte(void *argument)
{
    char *byte = argument;
    char text[16];
    memset(text, 'x', sizeof text);
    memcpy(byte, text, 1);
    return NULL;
}

static void bytes(void)
{
    pthread_t threads[3];
    shared = calloc(3, 1);
    for (int i = 0; i < 3; i++)
        (void)pthread_create(&threads[i], NULL, set_byte, &shared[i]);
    for (int i = 0; i < 3; i++)
        (void)pthread_join(threads[i], NULL);
    explore_check(memcmp(shared, "xxx", 3) == 0, "a byte is missing");
    free(shared);
}

const struct explore_scenario right[] = {
    {"one-condition", one_condition, {.exhaustive = true}},
    {"two-conditions", two_conditions, {.exhaustive = true}},
    {"semaphores", semaphores, {.exhaustive = true}},
    {"atomics", atomics, {.exhaustive = true}},
    {"barrier", barrier, {.exhaustive = true}},
    {"own", own, {.exhaustive = true}},
    {"timed-when-idle", timed, {.exhaustive = true}},
    {"timed", timed, {.exhaustive = true, .timeouts = 1}},
    {"bytes", bytes, {.exhaustive = true}},
    {NULL, NULL, {0}},
};
