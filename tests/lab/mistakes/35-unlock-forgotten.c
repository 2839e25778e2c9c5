/*
 * Mistake 35: the lock is not given back on a path that is rare
 * Lab: threads
 * File: threads/queue.c
 * Caught by: closed_takes_nothing_more
 *
 * Symptom: interrupted at the right moment, the program never ends. A debugger
 * shows all threads waiting for one mutex that nobody works under.
 */

int queue_put(struct queue *queue, void *item, int ms)
{
    struct timespec until = clock_in_ms(ms);
    int error = 0;
    pthread_mutex_lock(&queue->lock);
    while (queue->length == queue->capacity && !queue->closed && error == 0)
        error = pthread_cond_timedwait(&queue->not_full, &queue->lock, &until);
    if (queue->closed)
        return -EPIPE;
    if (queue->length < queue->capacity) {
        size_t last = (queue->first + queue->length) % queue->capacity;
        queue->items[last] = item;
        queue->length++;
        pthread_cond_signal(&queue->not_empty);
        error = 0;
    }
    pthread_mutex_unlock(&queue->lock);
    return -error;
}
