/*
 * Mistake 37: the wrong one of two conditions is signalled
 * Lab: threads
 * File: threads/queue.c
 * Caught by: an_item_wakes_a_taker
 *
 * Symptom: now and then everything stands still, with items in the queue and
 * every worker asleep, until one more item is put.
 */

int queue_put(struct queue *queue, void *item, int ms)
{
    struct timespec until = clock_in_ms(ms);
    int error = 0;
    pthread_mutex_lock(&queue->lock);
    while (queue->length == queue->capacity && !queue->closed && error == 0)
        error = pthread_cond_timedwait(&queue->not_full, &queue->lock, &until);
    if (queue->closed) {
        error = EPIPE;
    } else if (queue->length < queue->capacity) {
        size_t last = (queue->first + queue->length) % queue->capacity;
        queue->items[last] = item;
        queue->length++;
        /* Tell the others that the queue has changed. */
        pthread_cond_signal(&queue->not_full);
        error = 0;
    }
    pthread_mutex_unlock(&queue->lock);
    return -error;
}
