/*
 * Mistake 56: the end of the wait is computed by another clock than it is
 * waited by
 * Lab: threads
 * File: threads/queue.c
 * Caught by: waits_end_in_time
 *
 * Symptom: a put to a full queue never gives up, whatever limit it was given.
 */

int queue_put(struct queue *queue, void *item, int ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
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
        error = 0;
    }
    pthread_mutex_unlock(&queue->lock);
    return -error;
}
