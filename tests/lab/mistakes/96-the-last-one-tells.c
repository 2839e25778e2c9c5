/*
 * Mistake 96: the end of a thread is told only by the last one
 * Lab: threads
 * File: threads/pool.c
 * Caught by: free_slots_are_used_again
 *
 * Symptom: with a thread for each item, one slow request holds up all others:
 * there is room, and nothing new begins until that one has ended.
 */

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
    if (pool->alive == 0) /* what pool_wait waits for */
        pthread_cond_signal(&pool->one_ended);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}
