/*
 * wrong_pools: queues and pools with the mistakes that learners make, numbered
 * as in the list of mistakes that the labs hand out.
 */
#include "wrong.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define MOST 8

/* One queue for all of these; what is wrong in each is a flag. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t not_empty;
    pthread_cond_t not_full;
    int length;
    int capacity;
    bool stop;
} q = {PTHREAD_MUTEX_INITIALIZER,
       PTHREAD_COND_INITIALIZER,
       PTHREAD_COND_INITIALIZER,
       0,
       1,
       false};

static atomic_bool stop_flag;
static int done;
static pthread_t threads[MOST];

static void start(int count, void *(*work)(void *))
{
    explore_name(&q.lock, "lock");
    explore_name(&q.not_empty, "not_empty");
    explore_name(&q.not_full, "not_full");
    for (int i = 0; i < count; i++)
        explore_check(pthread_create(&threads[i], NULL, work, NULL) == 0,
                      "no thread");
}

static void join(int count)
{
    for (int i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
}

static void put(void)
{
    pthread_mutex_lock(&q.lock);
    while (q.length == q.capacity)
        pthread_cond_wait(&q.not_full, &q.lock);
    q.length++;
    pthread_cond_signal(&q.not_empty);
    pthread_mutex_unlock(&q.lock);
}

static void stop_all(void)
{
    pthread_mutex_lock(&q.lock);
    q.stop = true;
    pthread_cond_broadcast(&q.not_empty);
    pthread_mutex_unlock(&q.lock);
}

/* --- 1: if around the wait --- */

static void *take_if(void *unused)
{
    pthread_mutex_lock(&q.lock);
    if (q.length == 0)
        pthread_cond_wait(&q.not_empty, &q.lock);
    explore_check(q.length > 0, "an empty queue is taken from");
    q.length--;
    pthread_cond_signal(&q.not_full);
    pthread_mutex_unlock(&q.lock);
    return unused;
}

static void if_one_taker(void)
{
    start(1, take_if);
    put();
    join(1);
}

static void if_two_takers(void)
{
    start(2, take_if);
    put();
    put();
    join(2);
}

/* --- 2: the predicate is set without the mutex --- */

static void *wait_for_atomic(void *unused)
{
    pthread_mutex_lock(&q.lock);
    while (!atomic_load(&stop_flag))
        pthread_cond_wait(&q.not_empty, &q.lock);
    pthread_mutex_unlock(&q.lock);
    return unused;
}

static void atomic_without_mutex(void)
{
    start(1, wait_for_atomic);
    atomic_store(&stop_flag, true);
    pthread_cond_broadcast(&q.not_empty);
    join(1);
}

static void *wait_for_plain(void *unused)
{
    pthread_mutex_lock(&q.lock);
    while (!q.stop)
        pthread_cond_wait(&q.not_empty, &q.lock);
    pthread_mutex_unlock(&q.lock);
    return unused;
}

static void plain_without_mutex(void)
{
    start(1, wait_for_plain);
    q.stop = true;
    pthread_cond_broadcast(&q.not_empty);
    join(1);
}

/* --- 3: signal for broadcast --- */

static void signal_to_stop(void)
{
    start(2, wait_for_plain);
    pthread_mutex_lock(&q.lock);
    q.stop = true;
    pthread_cond_signal(&q.not_empty);
    pthread_mutex_unlock(&q.lock);
    join(2);
}

/* One condition for both, so that a signal may reach the wrong side. */
static void *put_one_condition(void *unused)
{
    pthread_mutex_lock(&q.lock);
    while (q.length == q.capacity)
        pthread_cond_wait(&q.not_empty, &q.lock);
    q.length++;
    pthread_cond_signal(&q.not_empty);
    pthread_mutex_unlock(&q.lock);
    return unused;
}

static void *take_one_condition(void *unused)
{
    pthread_mutex_lock(&q.lock);
    while (q.length == 0)
        pthread_cond_wait(&q.not_empty, &q.lock);
    q.length--;
    pthread_cond_signal(&q.not_empty);
    pthread_mutex_unlock(&q.lock);
    return unused;
}

static void one_condition(void)
{
    pthread_t putters[2];
    start(2, take_one_condition);
    for (int i = 0; i < 2; i++)
        (void)pthread_create(&putters[i], NULL, put_one_condition, NULL);
    join(2);
    for (int i = 0; i < 2; i++)
        (void)pthread_join(putters[i], NULL);
}

/* --- 4: the stop flag wins over what is queued --- */

static void *serve_until_stop(void *unused)
{
    pthread_mutex_lock(&q.lock);
    for (;;) {
        while (q.length == 0 && !q.stop)
            pthread_cond_wait(&q.not_empty, &q.lock);
        if (q.stop)
            break;
        q.length--;
        done++;
        pthread_cond_signal(&q.not_full);
    }
    pthread_mutex_unlock(&q.lock);
    return unused;
}

static void stop_wins(void)
{
    start(1, serve_until_stop);
    put();
    put();
    stop_all();
    join(1);
    explore_check(done == 2, "%d of 2 items were served", done);
}

/* --- 5: the lock is held during I/O --- */

static pthread_barrier_t server;

static void *serve_holding(void *unused)
{
    pthread_mutex_lock(&q.lock);
    done++;
    (void)pthread_barrier_wait(&server); /* it answers two at once */
    pthread_mutex_unlock(&q.lock);
    return unused;
}

static void lock_during_io(void)
{
    explore_name(&server, "server");
    (void)pthread_barrier_init(&server, NULL, 2);
    start(2, serve_holding);
    join(2);
}

/* --- 6: the queue has no bound --- */

static void unbounded(void)
{
    q.capacity = 2;
    for (int i = 0; i < 3; i++) {
        pthread_mutex_lock(&q.lock);
        q.length++;
        pthread_mutex_unlock(&q.lock);
    }
    explore_check(q.length <= q.capacity, "%d items in a queue for %d",
                  q.length, q.capacity);
}

/* --- 7: the address of the loop's variable; a counter without a guard --- */

static int seen[MOST];

static void *look_at(void *argument)
{
    const int *i = argument;
    seen[*i] = 1;
    return NULL;
}

static void loop_variable(void)
{
    for (int i = 0; i < 2; i++)
        (void)pthread_create(&threads[i], NULL, look_at, &i);
    join(2);
}

static void *count_up(void *unused)
{
    done++;
    return unused;
}

static void counter(void)
{
    start(2, count_up);
    join(2);
    explore_check(done == 2, "it was counted to %d, not 2", done);
}

/* --- 8: busy waiting --- */

static void *spin(void *unused)
{
    while (!atomic_load(&stop_flag))
        continue;
    return unused;
}

static void busy(void)
{
    start(1, spin);
    atomic_store(&stop_flag, true);
    join(1);
}

#define FOLLOW                                                                \
    {                                                                         \
        .races = EXPLORE_RACES_FOLLOW                                         \
    }

const struct wrong wrong_pools[] = {
    {{"if-one-taker", if_one_taker, {0}}, EXPLORE_CHECK, "take_if", 1},
    {{"if-two-takers", if_two_takers, {.spurious = EXPLORE_NONE}},
     EXPLORE_CHECK,
     "take_if",
     1},
    {{"atomic-without-mutex", atomic_without_mutex, {0}},
     EXPLORE_DEADLOCK,
     NULL,
     2},
    {{"plain-without-mutex", plain_without_mutex, {0}}, EXPLORE_RACE, NULL, 0},
    {{"plain-without-mutex-followed", plain_without_mutex, FOLLOW},
     EXPLORE_DEADLOCK,
     NULL,
     2},
    {{"signal-to-stop", signal_to_stop, {0}}, EXPLORE_DEADLOCK, NULL, 1},
    {{"one-condition", one_condition, {0}}, EXPLORE_DEADLOCK, NULL, 0},
    {{"stop-wins", stop_wins, {0}}, EXPLORE_CHECK, "stop_wins", 0},
    {{"lock-during-io", lock_during_io, {0}}, EXPLORE_DEADLOCK, NULL, 0},
    {{"unbounded", unbounded, {0}}, EXPLORE_CHECK, "unbounded", 0},
    {{"loop-variable", loop_variable, {0}}, EXPLORE_RACE, NULL, 0},
    {{"counter", counter, {0}}, EXPLORE_RACE, "count_up", 0},
    {{"counter-followed", counter, FOLLOW}, EXPLORE_CHECK, "counter", 1},
    {{"busy", busy, {0}}, EXPLORE_ENDLESS, "spin", 1},
    {{NULL, NULL, {0}}, EXPLORE_PASSED, NULL, 0},
};
