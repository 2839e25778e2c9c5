/*
 * Mistake 104: a writer that goes tells one of those who wait
 * Lab: puzzles
 * File: puzzles/readers.c
 * Caught by: readers
 *
 * Symptom: after each writer the readers read one after the other, as if one
 * kept the others out.
 */

void end_write(void)
{
    pthread_mutex_lock(&lock);
    writing = false;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}
