/*
 * Mistake 83: who waits looks at what the next meeting changes
 * Lab: puzzles
 * File: puzzles/barrier.c
 * Caught by: barrier
 *
 * Symptom: two threads that compute in steps stand still after a while, each
 * waiting for the other to end a step that both have ended.
 */

void meet(void)
{
    pthread_mutex_lock(&lock);
    arrivals++;
    while (arrivals % 2 != 0)
        pthread_cond_wait(&changed, &lock);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}
