/*
 * Mistake 103: each half has its lock, and the whole has none
 * Lab: puzzles
 * File: puzzles/locks.c
 * Caught by: locks
 *
 * Symptom: at the end of the day every account is right, and whoever adds
 * them up meanwhile finds money missing.
 */

void transfer(int from, int to, int amount)
{
    pthread_mutex_lock(&locks[from]);
    accounts[from] -= amount;
    pthread_mutex_unlock(&locks[from]);
    pthread_mutex_lock(&locks[to]);
    accounts[to] += amount;
    pthread_mutex_unlock(&locks[to]);
}
