/*
 * Mistake 8: busy waiting
 * Lab: threads
 * File: threads/queue.c
 * Caught by: waiting_is_sleeping
 *
 * Symptom: the program does its work, but a processor is at 100 % while all
 * servers are silent, and the laptop gets hot.
 */

void *queue_take(struct queue *queue)
{
    void *item = NULL;
    pthread_mutex_lock(&queue->lock);
    queue->takers++;
    while (queue->length == 0 && !queue->closed) {
        /* Let the producers in for a moment. */
        pthread_mutex_unlock(&queue->lock);
        pthread_mutex_lock(&queue->lock);
    }
    queue->takers--;
    if (queue->length > 0) {
        item = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->capacity;
        queue->length--;
        pthread_cond_signal(&queue->not_full);
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}
