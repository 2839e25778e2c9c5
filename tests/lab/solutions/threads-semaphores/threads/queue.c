/* Style: two counting semaphores in place of conditions; closing leaves a token
 * that each who finds it hands on. */
#include "queue.h"

#include "clock.h"

#include <errno.h>
#include <stdlib.h>

int queue_open(struct queue *q, size_t capacity)
{
    *q = (struct queue){.places = capacity};
    q->ring = calloc(capacity, sizeof *q->ring);
    if (q->ring == NULL)
        return -ENOMEM;
    int error = pthread_mutex_init(&q->door, NULL);
    if (error != 0) {
        free(q->ring);
        return -error;
    }
    if (sem_init(&q->filled, 0, 0) == -1 ||
        sem_init(&q->free, 0, (unsigned)capacity) == -1) {
        error = errno;
        (void)pthread_mutex_destroy(&q->door);
        free(q->ring);
        return -error;
    }
    return 0;
}

int queue_put(struct queue *q, void *item, int ms)
{
    struct timespec until = clock_in_ms(ms);
    while (sem_clockwait(&q->free, CLOCK_MONOTONIC, &until) == -1) {
        if (errno != EINTR)
            return -errno;
    }
    pthread_mutex_lock(&q->door);
    if (q->shut) {
        pthread_mutex_unlock(&q->door);
        (void)sem_post(&q->free);
        return -EPIPE;
    }
    q->ring[q->writing++ % q->places] = item;
    pthread_mutex_unlock(&q->door);
    (void)sem_post(&q->filled);
    return 0;
}

void *queue_take(struct queue *q)
{
    void *item = NULL;
    pthread_mutex_lock(&q->door);
    q->waiting++;
    pthread_mutex_unlock(&q->door);
    while (sem_wait(&q->filled) == -1)
        ;
    pthread_mutex_lock(&q->door);
    q->waiting--;
    bool last = q->reading == q->writing;
    if (!last)
        item = q->ring[q->reading++ % q->places];
    pthread_mutex_unlock(&q->door);
    (void)sem_post(last ? &q->filled : &q->free);
    return item;
}

void queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->door);
    bool first = !q->shut;
    q->shut = true;
    pthread_mutex_unlock(&q->door);
    if (first) {
        (void)sem_post(&q->filled);
        (void)sem_post(&q->free);
    }
}

bool queue_is_wanted(struct queue *q)
{
    pthread_mutex_lock(&q->door);
    bool wanted = q->waiting > q->writing - q->reading;
    pthread_mutex_unlock(&q->door);
    return wanted;
}

void queue_free(struct queue *q)
{
    (void)sem_destroy(&q->free);
    (void)sem_destroy(&q->filled);
    (void)pthread_mutex_destroy(&q->door);
    free(q->ring);
    q->ring = NULL;
}
