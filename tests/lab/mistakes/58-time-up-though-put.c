/*
 * Mistake 58: an item that was put is said not to have been
 * Lab: threads
 * File: threads/queue.c
 * Caught by: waits_end_in_time
 *
 * Symptom: on a slow machine an item is worked on twice, once in some million.
 */

int queue_put(struct queue *queue, void *item, int ms)
{
    struct timespec until = clock_in_ms(ms);
    int error = 0;
    pthread_mutex_lock(&queue->lock);
    /* A loop, not an if: a wait may end without a signal, and another
     * producer may have been faster. */
    while (queue->length == queue->capacity && !queue->closed && error == 0)
        error = pthread_cond_timedwait(&queue->not_full, &queue->lock, &until);
    if (queue->closed) {
        error = EPIPE;
    } else if (queue->length < queue->capacity) {
        size_t last = (queue->first + queue->length) % queue->capacity;
        queue->items[last] = item;
        queue->length++;
        /* One item can serve one thread only: signal, not broadcast. */
        pthread_cond_signal(&queue->not_empty);
    }
    pthread_mutex_unlock(&queue->lock);
    return -error;
}
