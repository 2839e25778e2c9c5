/*
 * Mistake 38: a wait that ran out of time counts as one that succeeded
 * Lab: threads
 * File: threads/queue.c
 * Caught by: full_is_full
 *
 * Symptom: when all workers are slow, items that were handed in vanish, and
 * others are worked on that nobody handed in.
 */

int queue_put(struct queue *queue, void *item, int ms)
{
    struct timespec until = clock_in_ms(ms);
    pthread_mutex_lock(&queue->lock);
    while (queue->length == queue->capacity && !queue->closed) {
        if (pthread_cond_timedwait(&queue->not_full, &queue->lock, &until) !=
            0)
            break;
    }
    if (queue->closed) {
        pthread_mutex_unlock(&queue->lock);
        return -EPIPE;
    }
    size_t last = (queue->first + queue->length) % queue->capacity;
    queue->items[last] = item;
    queue->length++;
    pthread_cond_signal(&queue->not_empty);
    pthread_mutex_unlock(&queue->lock);
    return 0;
}
