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
    int error = queue_open(&pool->queue, limit);
    if (error != 0) {
        free(pool->threads);
        return error;
    }
    /* On Linux none of these fails. */
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&pool->one_ended, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return 0;
}

static void *thread_main(void *argument)
{
    struct pool_thread *thread = argument;
    struct pool *pool = thread->pool;
    void *item;
    if (thread->item != NULL) {
        pool->work(thread, thread->item, pool->context);
    } else {
        while ((item = queue_take(&pool->queue)) != NULL)
            pool->work(thread, item, pool->context);
    }
    pthread_mutex_lock(&pool->lock);
    thread->state = POOL_ENDED;
    pool->alive--;
    pthread_cond_signal(&pool->one_ended);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Makes a thread in a slot: for one item, or (NULL) for the queue. */
static int make_thread(struct pool *pool, size_t slot, void *item)
{
    pthread_attr_t attributes;
    /* Each thread gets an element of its own: the address of a loop's
     * variable would have changed before the thread looks at it. */
    struct pool_thread *thread = &pool->threads[slot];
    *thread = (struct pool_thread){.pool = pool, .slot = slot, .item = item};
    int error = pool->prepare(slot, pool->context);
    if (error != 0)
        return error;
    error = pthread_attr_init(&attributes);
    if (error != 0)
        return -error;
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_mutex_lock(&pool->lock);
    thread->state = POOL_RUNS;
    pool->alive++;
    pthread_mutex_unlock(&pool->lock);
    error = pthread_create(&thread->thread, &attributes, thread_main, thread);
    (void)pthread_attr_destroy(&attributes);
    if (error == 0) {
        pool->count += slot == pool->count;
        return 0;
    }
    pthread_mutex_lock(&pool->lock);
    thread->state = POOL_VACANT;
    pool->alive--;
    pthread_mutex_unlock(&pool->lock);
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
    if (error == 0 || error == -ETIMEDOUT)
        return error;
    struct timespec until = clock_in_ms(ms);
    pthread_mutex_lock(&pool->lock);
    *short_of_threads = pool->alive > 0;
    if (*short_of_threads) /* when one ends there may be room */
        (void)pthread_cond_timedwait(&pool->one_ended, &pool->lock, &until);
    pthread_mutex_unlock(&pool->lock);
    return *short_of_threads ? -ETIMEDOUT : error;
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
    int error = 0;
    pthread_mutex_lock(&pool->lock);
    while (pool->alive > 0 && error == 0)
        error = pthread_cond_timedwait(&pool->one_ended, &pool->lock, &until);
    bool ended = pool->alive == 0;
    pthread_mutex_unlock(&pool->lock);
    return ended;
}

void pool_free(struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        pthread_mutex_lock(&pool->lock);
        bool made = pool->threads[i].state != POOL_VACANT;
        pthread_mutex_unlock(&pool->lock);
        if (made)
            (void)pthread_join(pool->threads[i].thread, NULL);
    }
    queue_free(&pool->queue);
    (void)pthread_cond_destroy(&pool->one_ended);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool->threads);
    pool->threads = NULL;
}
