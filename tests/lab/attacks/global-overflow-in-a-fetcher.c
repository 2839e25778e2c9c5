/*
 * Attack: reads beyond a global variable, in a program that the tests run
 * Lab: threads
 * File: threads/pool.c
 * Tests: fetches_all
 * Says: global-buffer-overflow
 */
static char table[4];
static char *volatile at = table; /* so that UBSan knows of no array */

int pool_submit(struct pool *pool, void *item, int ms, bool *short_of_threads)
{
    static volatile int far = 5;
    (void)pool, (void)item, (void)ms, (void)short_of_threads;
    return at[far];
}
