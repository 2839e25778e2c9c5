/*
 * Mistake 54: nobody is told that there is room
 * Lab: threads
 * File: threads/queue.c
 * Caught by: room_wakes_a_producer
 *
 * Symptom: whenever the queue was full the program stands still for the length
 * of a producer's wait, and then goes on as if nothing had been.
 */

void *queue_take(struct queue *queue)
{
    void *item = NULL;
    pthread_mutex_lock(&queue->lock);
    queue->takers++;
    while (queue->length == 0 && !queue->closed)
        pthread_cond_wait(&queue->not_empty, &queue->lock);
    queue->takers--;
    /* What is in the queue comes before its being closed: no item is lost. */
    if (queue->length > 0) {
        item = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->capacity;
        queue->length--;
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}
