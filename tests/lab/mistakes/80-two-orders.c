/*
 * Mistake 80: two locks in two orders
 * Lab: puzzles
 * File: puzzles/locks.c
 * Caught by: locks
 *
 * Symptom: two customers send each other money at the same time, and the bank
 * stands still.
 */

void transfer(int from, int to, int amount)
{
    pthread_mutex_lock(&locks[from]);
    pthread_mutex_lock(&locks[to]);
    accounts[from] -= amount;
    accounts[to] += amount;
    pthread_mutex_unlock(&locks[to]);
    pthread_mutex_unlock(&locks[from]);
}
