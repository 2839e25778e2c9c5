/* reference: the fetcher's own queue and pool, under every schedule. */
#include "pool.h"
#include "queue.h"
#include "right.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>

#define PRODUCERS 2
#define CONSUMERS 2
#define EACH      3
#define ITEMS     (PRODUCERS * EACH)

static struct queue queue;
static bool taken[ITEMS];
static int last_of[CONSUMERS][PRODUCERS]; /* + 1, that was taken */

static void *item(int i)
{
    return (void *)(intptr_t)(i + 1);
}

static void *produce(void *argument)
{
    int first = (int)(intptr_t)argument * EACH;
    for (int i = first; i < first + EACH; i++) {
        int error = queue_put(&queue, item(i), 1000);
        while (error == -ETIMEDOUT)
            error = queue_put(&queue, item(i), 1000);
        explore_check(error == 0, "queue_put gives %d", error);
    }
    return NULL;
}

/* Of one producer's items a consumer must see the earlier ones first. */
static void *consume(void *argument)
{
    int *last = last_of[(intptr_t)argument];
    void *got = queue_take(&queue);
    while (got != NULL) {
        int i = (int)(intptr_t)got - 1;
        explore_check(i >= 0 && i < ITEMS, "%d was never put", i);
        explore_check(!taken[i], "item %d is taken twice", i);
        explore_check(last[i / EACH] <= i, "item %d is late", i);
        taken[i] = true;
        last[i / EACH] = i;
        got = queue_take(&queue);
    }
    return NULL;
}

static void run_queue(size_t capacity)
{
    pthread_t threads[PRODUCERS + CONSUMERS];
    explore_check(queue_open(&queue, capacity) == 0, "queue_open");
    explore_name(&queue.lock, "lock");
    explore_name(&queue.not_empty, "not_empty");
    explore_name(&queue.not_full, "not_full");
    for (intptr_t i = 0; i < PRODUCERS; i++)
        (void)pthread_create(&threads[i], NULL, produce, (void *)i);
    for (intptr_t i = 0; i < CONSUMERS; i++)
        (void)pthread_create(&threads[PRODUCERS + i], NULL, consume,
                             (void *)i);
    for (int i = 0; i < PRODUCERS; i++)
        (void)pthread_join(threads[i], NULL);
    queue_close(&queue);
    for (int i = 0; i < CONSUMERS; i++)
        (void)pthread_join(threads[PRODUCERS + i], NULL);
    for (int i = 0; i < ITEMS; i++)
        explore_check(taken[i], "item %d is lost", i);
    queue_free(&queue);
}

static void queue_of_1(void)
{
    run_queue(1);
}

static void queue_of_2(void)
{
    run_queue(2);
}

/* --- The pool --- */

static struct pool pool;
static int served[3];

static int prepare(size_t slot, void *context)
{
    (void)context;
    return slot < 2 ? 0 : -EINVAL;
}

static void serve(struct pool_thread *thread, void *what, void *context)
{
    int *count = what;
    (void)thread;
    (void)context;
    (*count)++;
}

static void run_pool(bool each)
{
    bool short_of_threads = false;
    explore_check(pool_open(&pool, 2, each, prepare, serve, NULL) == 0,
                  "pool_open");
    explore_name(&pool.lock, "pool");
    explore_name(&pool.one_ended, "one_ended");
    explore_name(&pool.queue.lock, "queue");
    explore_name(&pool.queue.not_empty, "not_empty");
    explore_name(&pool.queue.not_full, "not_full");
    for (int i = 0; i < 3; i++) {
        int error = -ETIMEDOUT;
        while (error == -ETIMEDOUT)
            error = pool_submit(&pool, &served[i], 1000, &short_of_threads);
        explore_check(error == 0, "pool_submit gives %d", error);
    }
    pool_finish(&pool);
    while (!pool_wait(&pool, 1000))
        continue;
    pool_free(&pool);
    for (int i = 0; i < 3; i++)
        explore_check(served[i] == 1, "item %d: %d times", i, served[i]);
}

static void pool_of_2(void)
{
    run_pool(false);
}

static void pool_each(void)
{
    run_pool(true);
}

const struct explore_scenario reference[] = {
    {"queue-of-1", queue_of_1, {.exhaustive = true, .limit = 5000000}},
    {"queue-of-2", queue_of_2, {.exhaustive = true, .limit = 5000000}},
    {"pool-of-2", pool_of_2, {.exhaustive = true, .timeouts = 1}},
    {"pool-each", pool_each, {.exhaustive = true, .timeouts = 1}},
    {NULL, NULL, {0}},
};
