/*
 * Mistake 39: the pool is freed before its threads have ended
 * Lab: threads
 * File: threads/pool.c
 * Caught by: frees_when_all_have_ended, all_items_are_worked_on, works_at_the_same_time, each_thread_has_its_own_slot, waits_for_its_threads, free_slots_are_used_again
 *
 * Symptom: the output is right, and once in a while the program crashes in its
 * very last moment.
 */

void pool_free(struct pool *pool)
{
    /* pool_wait said that no thread is alive: nothing is left to wait for. */
    for (size_t i = 0; i < pool->count; i++)
        (void)pthread_detach(pool->threads[i].thread);
    queue_free(&pool->queue);
    (void)pthread_cond_destroy(&pool->one_ended);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool->threads);
    pool->threads = NULL;
}
