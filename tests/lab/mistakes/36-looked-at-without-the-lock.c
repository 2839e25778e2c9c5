/*
 * Mistake 36: what a lock guards is looked at without it, "only to look"
 * Lab: threads
 * File: threads/pool.c
 * Caught by: free_slots_are_used_again
 *
 * Symptom: with a thread made for each item, ThreadSanitizer complains, and
 * after days of running the program crashes in pthread_join.
 */

static int get_slot(struct pool *pool, int ms, size_t *slot)
{
    struct timespec until = clock_in_ms(ms);
    int error = 0;
    /* Mostly there is one: then the lock can be spared. */
    *slot = free_slot_locked(pool);
    if (*slot == pool->limit) {
        pthread_mutex_lock(&pool->lock);
        while ((*slot = free_slot_locked(pool)) == pool->limit && error == 0)
            error =
                pthread_cond_timedwait(&pool->one_ended, &pool->lock, &until);
        pthread_mutex_unlock(&pool->lock);
    }
    if (*slot == pool->limit)
        return -ETIMEDOUT;
    struct pool_thread *thread = &pool->threads[*slot];
    if (*slot < pool->count && thread->state == POOL_ENDED) {
        thread->state = POOL_VACANT;
        (void)pthread_join(thread->thread, NULL);
    }
    return 0;
}
