/*
 * Mistake 82: the lock is given back between the look and the taking
 * Lab: puzzles
 * File: puzzles/readers.c
 * Caught by: readers
 *
 * Symptom: a reader finds half of what a writer was writing.
 */

void begin_write(void)
{
    pthread_mutex_lock(&lock);
    while (writing || readers > 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    pthread_mutex_lock(&lock);
    writing = true;
    pthread_mutex_unlock(&lock);
}
