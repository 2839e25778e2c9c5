/* Style: one condition for everything, and a linked list. */
/*
 * queue: a bounded queue between threads. One mutex, two conditions.
 *
 * Producers put, consumers take; a full queue makes producers wait, an empty
 * one consumers. Bounded, because a producer that is faster than its consumers
 * would otherwise fill the memory.
 *
 *     producer                         consumer
 *     while (queue_put(&q, item, ms)   while ((item = queue_take(&q)))
 *            == -ETIMEDOUT)                 ... work ...
 *         ... look around ...
 *     queue_close(&q);
 *
 * Any thread may call any function, but for open and free.
 */
#ifndef TRIPTYCH_QUEUE_H
#define TRIPTYCH_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct queue {
    pthread_mutex_t m;
    pthread_cond_t any; /* anything changed */
    struct node *head;
    struct node **tail;
    struct node *spare; /* nodes not in use: one for each place */
    void *nodes;
    size_t n;
    size_t idle;
    bool over;
};

/* Prepares an empty queue for `capacity` (at least 1) items. 0 or a negative
 * errno. */
int queue_open(struct queue *queue, size_t capacity);

/* Puts an item, not NULL, at the end. Waits at most `ms` milliseconds while
 * the queue is full. 0; -ETIMEDOUT; or -EPIPE if the queue is closed. Unless
 * it is 0, the item is still the caller's. */
int queue_put(struct queue *queue, void *item, int ms);

/* Takes the first item; waits while the queue is empty. NULL once it is closed
 * and empty. */
void *queue_take(struct queue *queue);

/* No more items will be put. Those in the queue can still be taken. */
void queue_close(struct queue *queue);

/* True if a thread waits for an item that is not there: it will take the next
 * one at once. */
bool queue_is_wanted(struct queue *queue);

/* Gives the memory back. No thread may be using the queue. */
void queue_free(struct queue *queue);

#endif
