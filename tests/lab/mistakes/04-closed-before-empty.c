/*
 * Mistake 4: being closed wins over what is still in the queue
 * Lab: threads
 * File: threads/queue.c
 * Caught by: closing_loses_nothing
 *
 * Symptom: of a hundred items the last few are sometimes not worked on. No
 * error is said; the program ends as if all were done.
 */

void *queue_take(struct queue *queue)
{
    void *item = NULL;
    pthread_mutex_lock(&queue->lock);
    queue->takers++;
    while (queue->length == 0 && !queue->closed)
        pthread_cond_wait(&queue->not_empty, &queue->lock);
    queue->takers--;
    /* Closed: the thread is to end. */
    if (!queue->closed) {
        item = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->capacity;
        queue->length--;
        pthread_cond_signal(&queue->not_full);
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}
