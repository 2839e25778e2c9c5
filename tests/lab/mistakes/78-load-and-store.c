/*
 * Mistake 78: an atomic load and an atomic store are no atomic addition
 * Lab: puzzles
 * File: puzzles/counters.c
 * Caught by: counters
 *
 * Symptom: after a day under load the counters tell of fewer hits than the log
 * has lines.
 */

void count(bool hit)
{
    atomic_int *counter = hit ? &hits : &misses;
    *counter = *counter + 1;
}
