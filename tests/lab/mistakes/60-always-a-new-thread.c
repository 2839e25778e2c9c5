/*
 * Mistake 60: a thread is made although one waits for work
 * Lab: threads
 * File: threads/pool.c
 * Caught by: who_waits_is_preferred
 *
 * Symptom: for two requests that come an hour apart two threads are made, and
 * for a hundred a hundred.
 */

int pool_submit(struct pool *pool, void *item, int ms, bool *short_of_threads)
{
    *short_of_threads = false;
    if (pool->each)
        return submit_each(pool, item, ms, short_of_threads);
    if (pool->count < pool->limit) {
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
