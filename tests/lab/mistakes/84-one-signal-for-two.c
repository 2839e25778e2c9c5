/*
 * Mistake 84: one condition for two kinds of waiters, and a signal for one of them
 * Lab: puzzles
 * File: puzzles/buffer.c
 * Caught by: buffer
 *
 * Symptom: with many producers and many consumers all of them wait at last,
 * although the buffer has an item in it.
 */

void put(int item)
{
    pthread_mutex_lock(&lock);
    while (full)
        pthread_cond_wait(&changed, &lock);
    room = item;
    full = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

int take(void)
{
    pthread_mutex_lock(&lock);
    while (!full)
        pthread_cond_wait(&changed, &lock);
    int item = room;
    full = false;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    return item;
}
