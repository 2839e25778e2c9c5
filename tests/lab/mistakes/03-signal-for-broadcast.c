/*
 * Mistake 3: signal where broadcast is needed
 * Lab: threads
 * File: threads/queue.c
 * Caught by: closing_wakes_everyone
 *
 * Symptom: with one worker all is well. With several, the program does its
 * work and then does not end: all workers but one are still there.
 */

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    /* Wake who is waiting. */
    pthread_cond_signal(&queue->not_empty);
    pthread_cond_signal(&queue->not_full);
    pthread_mutex_unlock(&queue->lock);
}
