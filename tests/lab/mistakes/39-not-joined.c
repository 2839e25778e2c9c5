/*
 * Mistake 39: the threads of the pool are not joined
 * Lab: threads
 * File: threads/pool.c
 * Caught by: threads_are_joined
 *
 * Symptom: a program that opens and frees a pool again and again has no thread
 * too many, and its memory grows by a stack each time, until no thread can be
 * made.
 */

void pool_free(struct pool *pool)
{
    /* pool_wait said that no thread is alive: nothing is left to wait for. */
    queue_free(&pool->queue);
    (void)pthread_cond_destroy(&pool->one_ended);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool->threads);
    pool->threads = NULL;
}
