/*
 * Mistake 53: closing tells the takers alone
 * Lab: threads
 * File: threads/queue.c
 * Caught by: closing_wakes_producers
 *
 * Symptom: an interrupted run ends late: for the time of one more wait nothing
 * happens at all.
 */

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    /* Everyone who waits must see it. */
    pthread_cond_broadcast(&queue->not_empty);
    pthread_mutex_unlock(&queue->lock);
}
