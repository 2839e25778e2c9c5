/* Style: one condition, always broadcast, and a linked list of nodes that were
 * allocated at the start. */
#include "queue.h"

#include "clock.h"

#include <errno.h>
#include <stdlib.h>

struct node {
    struct node *next;
    void *what;
};

int queue_open(struct queue *queue, size_t capacity)
{
    pthread_condattr_t attributes;
    struct node *nodes = calloc(capacity, sizeof *nodes);
    if (nodes == NULL)
        return -ENOMEM;
    *queue = (struct queue){.nodes = nodes};
    queue->tail = &queue->head;
    for (size_t i = 0; i < capacity; i++) {
        nodes[i].next = queue->spare;
        queue->spare = &nodes[i];
    }
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int error = pthread_mutex_init(&queue->m, NULL);
    if (error == 0) {
        error = pthread_cond_init(&queue->any, &attributes);
        if (error != 0)
            (void)pthread_mutex_destroy(&queue->m);
    }
    (void)pthread_condattr_destroy(&attributes);
    if (error != 0)
        free(nodes);
    return -error;
}

int queue_put(struct queue *queue, void *item, int ms)
{
    struct timespec until = clock_in_ms(ms);
    int result = -ETIMEDOUT;
    pthread_mutex_lock(&queue->m);
    for (;;) {
        if (queue->over) {
            result = -EPIPE;
            break;
        }
        if (queue->spare != NULL) {
            struct node *node = queue->spare;
            queue->spare = node->next;
            *node = (struct node){.what = item};
            *queue->tail = node;
            queue->tail = &node->next;
            queue->n++;
            pthread_cond_broadcast(&queue->any);
            result = 0;
            break;
        }
        int error = pthread_cond_timedwait(&queue->any, &queue->m, &until);
        if (error != 0 && queue->spare == NULL && !queue->over)
            break;
    }
    pthread_mutex_unlock(&queue->m);
    return result;
}

void *queue_take(struct queue *queue)
{
    void *item = NULL;
    pthread_mutex_lock(&queue->m);
    queue->idle++;
    while (queue->head == NULL && !queue->over)
        pthread_cond_wait(&queue->any, &queue->m);
    queue->idle--;
    struct node *node = queue->head;
    if (node != NULL) {
        item = node->what;
        queue->head = node->next;
        if (queue->head == NULL)
            queue->tail = &queue->head;
        node->next = queue->spare;
        queue->spare = node;
        queue->n--;
        pthread_cond_broadcast(&queue->any);
    }
    pthread_mutex_unlock(&queue->m);
    return item;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->m);
    queue->over = true;
    pthread_mutex_unlock(&queue->m);
    pthread_cond_broadcast(&queue->any); /* the lock is not needed for this */
}

bool queue_is_wanted(struct queue *queue)
{
    pthread_mutex_lock(&queue->m);
    bool wanted = queue->idle > queue->n;
    pthread_mutex_unlock(&queue->m);
    return wanted;
}

void queue_free(struct queue *queue)
{
    (void)pthread_cond_destroy(&queue->any);
    (void)pthread_mutex_destroy(&queue->m);
    free(queue->nodes);
}
