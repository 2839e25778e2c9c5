/*
 * Mistake 2: the flag is set without the mutex
 * Lab: threads
 * File: threads/queue.c
 * Caught by: closing_is_not_missed
 *
 * Symptom: all requests are done, and the program does not end: one worker
 * sleeps for ever. It hangs once in some thousand runs.
 */

void queue_close(struct queue *queue)
{
    /* Setting a bool takes one instruction: no lock is needed. */
    queue->closed = true;
    pthread_cond_broadcast(&queue->not_empty);
    pthread_cond_broadcast(&queue->not_full);
}
