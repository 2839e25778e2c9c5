/*
 * Mistake 86: who was woken does not look again
 * Lab: puzzles
 * File: puzzles/turnstile.c
 * Caught by: turnstile
 *
 * Symptom: in the evening there are fewer coins in the box than people have
 * passed.
 */

void pass(void)
{
    pthread_mutex_lock(&lock);
    if (coins == 0)
        pthread_cond_wait(&changed, &lock);
    coins--;
    pthread_mutex_unlock(&lock);
}
