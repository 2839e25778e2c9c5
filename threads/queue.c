/* queue: a bounded queue between threads. See queue.h. */
#include "queue.h"

#include "clock.h"

#include <errno.h>
#include <stdlib.h>

int queue_open(struct queue *queue, size_t capacity)
{
    pthread_condattr_t monotonic;
    *queue = (struct queue){.capacity = capacity};
    queue->items = calloc(capacity, sizeof *queue->items);
    if (queue->items == NULL)
        return -ENOMEM;
    /* On Linux none of these fails. */
    (void)pthread_mutex_init(&queue->lock, NULL);
    (void)pthread_cond_init(&queue->not_empty, NULL);
    /* A timed wait must not change its length when the clock is set. */
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&queue->not_full, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return 0;
}

int queue_put(struct queue *queue, void *item, int ms)
{
    struct timespec until = clock_in_ms(ms);
    int error = 0;
    pthread_mutex_lock(&queue->lock);
    /* A loop, not an if: a wait may end without a signal, and another
     * producer may have been faster. */
    while (queue->length == queue->capacity && !queue->closed && error == 0)
        error = pthread_cond_timedwait(&queue->not_full, &queue->lock, &until);
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
        pthread_cond_signal(&queue->not_full);
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    /* All waiting threads must see it. */
    pthread_cond_broadcast(&queue->not_empty);
    pthread_cond_broadcast(&queue->not_full);
    pthread_mutex_unlock(&queue->lock);
}

bool queue_is_wanted(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    bool wanted = queue->takers > queue->length;
    pthread_mutex_unlock(&queue->lock);
    return wanted;
}

void queue_free(struct queue *queue)
{
    (void)pthread_cond_destroy(&queue->not_full);
    (void)pthread_cond_destroy(&queue->not_empty);
    (void)pthread_mutex_destroy(&queue->lock);
    free(queue->items);
    queue->items = NULL;
}
