/* Style: the thread is made under the lock; its end is broadcast. */
/* pool: worker threads that serve one bounded queue. See pool.h. */
#include "pool.h"

#include "clock.h"

#include <errno.h>
#include <stdlib.h>

/* A thread's stack is only address space until it is touched; but mapping the
 * usual 8 MiB for thousands of threads costs, and getaddrinfo needs some. */
#define STACK_SIZE ((size_t)256 * 1024)

int pool_open(struct pool *pool, size_t limit, bool each,
              int (*prepare)(size_t slot, void *context),
              void (*work)(struct pool_thread *thread, void *item,
                           void *context),
              void *context)
{
    pthread_condattr_t monotonic;
    *pool = (struct pool){.limit = limit,
                          .each = each,
                          .prepare = prepare,
                          .work = work,
                          .context = context};
    pool->threads = calloc(limit, sizeof *pool->threads);
    if (pool->threads == NULL)
        return -ENOMEM;
    int error = -pthread_mutex_init(&pool->lock, NULL);
    if (error != 0)
        goto no_lock;
    error = -pthread_condattr_init(&monotonic);
    if (error != 0)
        goto no_condition;
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    error = -pthread_cond_init(&pool->one_ended, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (error != 0)
        goto no_condition;
    error = queue_open(&pool->queue, limit);
    if (error == 0)
        return 0;

    (void)pthread_cond_destroy(&pool->one_ended);
no_condition:
    (void)pthread_mutex_destroy(&pool->lock);
no_lock:
    free(pool->threads);
    return error;
}

static void say_end_locked(struct pool_thread *thread)
{
    thread->state = POOL_ENDED;
    thread->pool->alive -= 1;
    pthread_cond_broadcast(&thread->pool->one_ended);
}

static void *thread_main(void *argument)
{
    struct pool_thread *me = argument;
    struct pool *pool = me->pool;
    void *next = me->item != NULL ? me->item : queue_take(&pool->queue);
    while (next != NULL) {
        pool->work(me, next, pool->context);
        next = me->item != NULL ? NULL : queue_take(&pool->queue);
    }
    pthread_mutex_lock(&pool->lock);
    say_end_locked(me);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Makes a thread in a slot: for one item, or (NULL) for the queue. */
static int make_thread(struct pool *pool, size_t slot, void *item)
{
    pthread_attr_t small;
    struct pool_thread *thread = pool->threads + slot;
    int error = pool->prepare(slot, pool->context);
    if (error != 0)
        return error;
    error = pthread_attr_init(&small);
    if (error != 0)
        return -error;
    (void)pthread_attr_setstacksize(&small, STACK_SIZE);
    /* The new thread's last step needs this lock: it cannot end before it is
     * counted. */
    pthread_mutex_lock(&pool->lock);
    thread->pool = pool;
    thread->slot = slot;
    thread->item = item;
    error = pthread_create(&thread->thread, &small, thread_main, thread);
    if (error == 0) {
        thread->state = POOL_RUNS;
        pool->alive += 1;
        if (slot == pool->count)
            pool->count += 1;
    }
    pthread_mutex_unlock(&pool->lock);
    (void)pthread_attr_destroy(&small);
    return -error;
}

/* A slot whose thread has ended, or the next unused one, or pool->limit: there
 * is none. */
static size_t free_slot_locked(const struct pool *pool)
{
    size_t slot = 0;
    while (slot < pool->count && pool->threads[slot].state == POOL_RUNS)
        slot++;
    return slot;
}

/* Waits at most `ms` for a slot, and joins the thread that had it. */
static int get_slot(struct pool *pool, int ms, size_t *slot)
{
    struct timespec until = clock_in_ms(ms);
    int error = 0;
    pthread_mutex_lock(&pool->lock);
    while ((*slot = free_slot_locked(pool)) == pool->limit && error == 0)
        error = pthread_cond_timedwait(&pool->one_ended, &pool->lock, &until);
    struct pool_thread *thread = &pool->threads[*slot];
    bool ended = *slot < pool->count && thread->state == POOL_ENDED;
    if (ended)
        thread->state = POOL_VACANT;
    pthread_mutex_unlock(&pool->lock);
    if (ended)
        (void)pthread_join(thread->thread, NULL);
    return *slot == pool->limit ? -ETIMEDOUT : 0;
}

/* A thread for this item alone. */
static int submit_each(struct pool *pool, void *item, int ms,
                       bool *short_of_threads)
{
    size_t slot;
    int error = get_slot(pool, ms, &slot);
    if (error == 0)
        error = make_thread(pool, slot, item);
    if (error == 0 || error == -ETIMEDOUT || pool_alive(pool) == 0)
        return error;
    *short_of_threads = true;
    struct timespec until = clock_in_ms(ms);
    pthread_mutex_lock(&pool->lock);
    if (pool->alive > 0) /* when one ends there may be room */
        (void)pthread_cond_timedwait(&pool->one_ended, &pool->lock, &until);
    pthread_mutex_unlock(&pool->lock);
    return -ETIMEDOUT;
}

int pool_submit(struct pool *pool, void *item, int ms, bool *short_of_threads)
{
    *short_of_threads = false;
    if (pool->each)
        return submit_each(pool, item, ms, short_of_threads);
    if (pool->count < pool->limit && !queue_is_wanted(&pool->queue)) {
        int error = make_thread(pool, pool->count, NULL);
        if (error != 0) {
            if (pool->count == 0)
                return error;
            *short_of_threads = true;
            pool->limit = pool->count;
        }
    }
    return queue_put(&pool->queue, item, ms);
}

size_t pool_alive(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    size_t alive = pool->alive;
    pthread_mutex_unlock(&pool->lock);
    return alive;
}

void pool_finish(struct pool *pool)
{
    queue_close(&pool->queue);
}

bool pool_wait(struct pool *pool, int ms)
{
    struct timespec until = clock_in_ms(ms);
    bool done;
    pthread_mutex_lock(&pool->lock);
    do {
        done = pool->alive == 0;
    } while (!done && pthread_cond_timedwait(&pool->one_ended, &pool->lock,
                                             &until) != ETIMEDOUT);
    done = pool->alive == 0;
    pthread_mutex_unlock(&pool->lock);
    return done;
}

void pool_free(struct pool *pool)
{
    size_t i = pool->count;
    while (i-- > 0) {
        pthread_mutex_lock(&pool->lock);
        bool vacant = pool->threads[i].state == POOL_VACANT;
        pool->threads[i].state = POOL_VACANT;
        pthread_mutex_unlock(&pool->lock);
        if (!vacant)
            (void)pthread_join(pool->threads[i].thread, NULL);
    }
    (void)pthread_mutex_destroy(&pool->lock);
    (void)pthread_cond_destroy(&pool->one_ended);
    queue_free(&pool->queue);
    free(pool->threads);
    pool->threads = NULL;
}
