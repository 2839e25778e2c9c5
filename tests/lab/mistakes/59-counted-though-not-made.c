/*
 * Mistake 59: a thread that could not be made stays counted
 * Lab: threads
 * File: threads/pool.c
 * Caught by: no_thread_at_all
 *
 * Symptom: when the system was short of threads once, the program does not
 * end: it waits for somebody who is not there.
 */

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
    return -error;
}
