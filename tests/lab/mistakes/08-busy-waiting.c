/*
 * Mistake 8: busy waiting
 * Lab: threads
 * File: threads/queue.c
 * Caught by: waiting_is_sleeping, closing_is_not_missed, closing_wakes_everyone, woken_for_nothing, an_item_wakes_a_taker, all_arrive_once, all_items_are_worked_on, works_at_the_same_time, each_thread_has_its_own_slot, waits_for_its_threads, frees_when_all_have_ended
 *
 * Symptom: the program does its work, but a processor is at 100 % while all
 * servers are silent, and the laptop gets hot.
 */

void *queue_take(struct queue *queue)
{
    void *item = NULL;
    pthread_mutex_lock(&queue->lock);
    queue->takers++;
    while (queue->length == 0 && !queue->closed) {
        /* Let the producers in for a moment. */
        pthread_mutex_unlock(&queue->lock);
        pthread_mutex_lock(&queue->lock);
    }
    queue->takers--;
    if (queue->length > 0) {
        item = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->capacity;
        queue->length--;
        pthread_cond_signal(&queue->not_full);
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}
