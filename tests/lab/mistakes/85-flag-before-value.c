/*
 * Mistake 85: the flag is set before what it stands for
 * Lab: puzzles
 * File: puzzles/once.c
 * Caught by: once
 *
 * Symptom: on a busy machine a program begins, now and then, with a setting of
 * 0.
 */

int get(int (*compute)(void))
{
    if (!done) {
        pthread_mutex_lock(&lock);
        if (!done) {
            done = true;
            value = compute();
        }
        pthread_mutex_unlock(&lock);
    }
    return value;
}
