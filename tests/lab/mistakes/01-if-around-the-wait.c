/*
 * Mistake 1: `if` around the condition wait
 * Lab: threads
 * File: threads/queue.c
 * Caught by: woken_for_nothing
 *
 * Symptom: once in a great while a worker of a pool takes an item that was
 * already taken, or nothing at all, from a queue that is open; it happens on
 * busy machines only.
 */

void *queue_take(struct queue *queue)
{
    void *item;
    pthread_mutex_lock(&queue->lock);
    queue->takers++;
    /* Wait until a producer says that there is something. */
    if (queue->length == 0 && !queue->closed)
        pthread_cond_wait(&queue->not_empty, &queue->lock);
    queue->takers--;
    if (queue->length == 0 && queue->closed) {
        pthread_mutex_unlock(&queue->lock);
        return NULL;
    }
    item = queue->items[queue->first];
    queue->first = (queue->first + 1) % queue->capacity;
    queue->length--;
    pthread_cond_signal(&queue->not_full);
    pthread_mutex_unlock(&queue->lock);
    return item;
}
