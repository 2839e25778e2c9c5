/*
 * Mistake 81: each takes the left one first
 * Lab: puzzles
 * File: puzzles/philosophers.c
 * Caught by: philosophers
 *
 * Symptom: all sit at the table, each with one fork, and starve.
 */

void take_forks(int philosopher)
{
    int left = philosopher, right = (philosopher + 1) % SEATS;
    pthread_mutex_lock(&forks[left]);
    pthread_mutex_lock(&forks[right]);
}
