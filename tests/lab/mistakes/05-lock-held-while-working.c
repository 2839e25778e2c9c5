/*
 * Mistake 5: the lock is held during the work
 * Lab: threads
 * File: threads/pool.c
 * Caught by: works_at_the_same_time
 *
 * Symptom: eight workers are no faster than one. A server that answers only
 * when two requests are waiting never answers.
 */

static void *thread_main(void *argument)
{
    struct pool_thread *thread = argument;
    struct pool *pool = thread->pool;
    void *item;
    if (thread->item != NULL) {
        /* The work may look at the pool, so it is protected. */
        pthread_mutex_lock(&pool->lock);
        pool->work(thread, thread->item, pool->context);
        pthread_mutex_unlock(&pool->lock);
    } else {
        while ((item = queue_take(&pool->queue)) != NULL) {
            pthread_mutex_lock(&pool->lock);
            pool->work(thread, item, pool->context);
            pthread_mutex_unlock(&pool->lock);
        }
    }
    pthread_mutex_lock(&pool->lock);
    thread->state = POOL_ENDED;
    pool->alive--;
    pthread_cond_signal(&pool->one_ended);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}
