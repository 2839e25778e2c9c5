/*
 * Mistake 55: each wake-up begins the wait anew
 * Lab: threads
 * File: threads/queue.c
 * Caught by: a_wait_is_not_begun_again
 *
 * Symptom: with many producers a put that was to wait for a tenth of a second
 * at most waits for minutes.
 */

int queue_put(struct queue *queue, void *item, int ms)
{
    int error = 0;
    pthread_mutex_lock(&queue->lock);
    /* A loop, not an if: a wait may end without a signal, and another
     * producer may have been faster. */
    while (queue->length == queue->capacity && !queue->closed && error == 0) {
        struct timespec until = clock_in_ms(ms);
        error = pthread_cond_timedwait(&queue->not_full, &queue->lock, &until);
    }
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
