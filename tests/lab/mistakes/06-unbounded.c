/*
 * Mistake 6: an unbounded queue
 * Lab: threads
 * File: threads/queue.c
 * Caught by: full_is_full
 *
 * Symptom: a list of ten million URLs is read at once, while the servers are
 * slow; the memory of the program grows until it is killed.
 */

int queue_put(struct queue *queue, void *item, int ms)
{
    (void)ms; /* there is always room */
    int error = 0;
    pthread_mutex_lock(&queue->lock);
    if (queue->length == queue->capacity && !queue->closed) {
        size_t more = queue->capacity * 2;
        void **items = calloc(more, sizeof *items);
        if (items == NULL) {
            pthread_mutex_unlock(&queue->lock);
            return -ENOMEM;
        }
        for (size_t i = 0; i < queue->length; i++)
            items[i] = queue->items[(queue->first + i) % queue->capacity];
        free(queue->items);
        queue->items = items;
        queue->first = 0;
        queue->capacity = more;
    }
    if (queue->closed) {
        error = EPIPE;
    } else {
        queue->items[(queue->first + queue->length) % queue->capacity] = item;
        queue->length++;
        pthread_cond_signal(&queue->not_empty);
    }
    pthread_mutex_unlock(&queue->lock);
    return -error;
}
