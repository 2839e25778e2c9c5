/*
 * Mistake 102: who was overtaken is not overtaken again
 * Lab: puzzles
 * File: puzzles/counters.c
 * Caught by: counters
 *
 * Symptom: with two processors the count is right; with three it is too low
 * once in a long while.
 */

void count(bool hit)
{
    atomic_int *counter = hit ? &hits : &misses;
    int seen = *counter;
    if (!atomic_compare_exchange_strong(counter, &seen, seen + 1))
        *counter = seen + 1; /* another was faster: behind it */
}
