/*
 * Mistake 7: the address of a variable that changes as the thread's argument
 * Lab: threads
 * File: threads/pool.c
 * Caught by: each_thread_has_its_own_slot
 *
 * Symptom: of two threads made shortly after one another both are number 1,
 * and none is number 0. On another machine it crashes at once.
 */

static int make_thread(struct pool *pool, size_t slot, void *item)
{
    pthread_attr_t attributes;
    static struct pool_thread thread; /* so that it is still there later */
    thread = (struct pool_thread){.pool = pool, .slot = slot, .item = item};
    int error = pool->prepare(slot, pool->context);
    if (error != 0)
        return error;
    error = pthread_attr_init(&attributes);
    if (error != 0)
        return -error;
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_mutex_lock(&pool->lock);
    pool->threads[slot].state = POOL_RUNS;
    pool->alive++;
    pthread_mutex_unlock(&pool->lock);
    error = pthread_create(&pool->threads[slot].thread, &attributes,
                           thread_main, &thread);
    (void)pthread_attr_destroy(&attributes);
    if (error == 0) {
        pool->count += slot == pool->count;
        return 0;
    }
    pthread_mutex_lock(&pool->lock);
    pool->threads[slot].state = POOL_VACANT;
    pool->alive--;
    pthread_mutex_unlock(&pool->lock);
    return -error;
}
