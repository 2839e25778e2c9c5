/*
 * Mistake 57: a signal is sent only when the queue was full
 * Lab: threads
 * File: threads/queue.c
 * Caught by: room_wakes_each_producer
 *
 * Symptom: with several producers and a small queue, some of them now and then
 * do nothing for as long as they may wait, although there is room.
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
        if (queue->length == queue->capacity - 1)
            pthread_cond_signal(&queue->not_full);
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}
