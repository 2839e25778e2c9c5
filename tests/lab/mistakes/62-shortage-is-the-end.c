/*
 * Mistake 62: one thread that cannot be made fails the item, though others
 * could serve it
 * Lab: threads
 * File: threads/pool.c
 * Caught by: fewer_threads_than_wanted
 *
 * Symptom: with a limit on threads (ulimit -u) the program gives up at the
 * first request beyond it, while others are still at work.
 */

int pool_submit(struct pool *pool, void *item, int ms, bool *short_of_threads)
{
    *short_of_threads = false;
    if (pool->each)
        return submit_each(pool, item, ms, short_of_threads);
    if (pool->count < pool->limit && !queue_is_wanted(&pool->queue)) {
        int error = make_thread(pool, pool->count, NULL);
        if (error != 0) {
            *short_of_threads = true;
            return error;
        }
    }
    return queue_put(&pool->queue, item, ms);
}
