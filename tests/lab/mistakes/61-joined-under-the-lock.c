/*
 * Mistake 61: threads are joined under the lock that they need to end
 * Lab: threads
 * File: threads/pool.c
 * Caught by: frees_without_waiting
 *
 * Symptom: the program hangs at its end, and only if it ends while a request
 * is in flight.
 */

void pool_free(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    for (size_t i = 0; i < pool->count; i++) {
        if (pool->threads[i].state != POOL_VACANT)
            (void)pthread_join(pool->threads[i].thread, NULL);
    }
    pthread_mutex_unlock(&pool->lock);
    queue_free(&pool->queue);
    (void)pthread_cond_destroy(&pool->one_ended);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool->threads);
    pool->threads = NULL;
}
