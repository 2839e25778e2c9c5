/*
 * Mistake 79: a flag is set, and its waiter told, without the waiter's lock
 * Lab: puzzles
 * File: puzzles/wake_up.c
 * Caught by: wake_up
 *
 * Symptom: once in a great while a program does not go on when what it waits
 * for is there.
 */

void make_ready(void)
{
    ready = true;
    pthread_cond_signal(&changed);
}
