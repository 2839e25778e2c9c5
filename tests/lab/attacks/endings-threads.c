/*
 * Attack: exit, abort, handlers, signals, forged text, what outlives its
 * test, fork bombs, full disks
 * Lab: threads
 * File: threads/pool.c
 * Tests: threads_are_joined all_items_are_worked_on waits_for_its_threads
 * each_thread_has_its_own_slot fetches_all fetches_at_once
 * works_at_the_same_time free_slots_are_used_again
 *
 * See endings.inc. None of them ever had points.
 */
static const char *const tests[] = {"threads_are_joined",
                                    "all_items_are_worked_on",
                                    "waits_for_its_threads",
                                    "each_thread_has_its_own_slot",
                                    "fetches_all",
                                    "fetches_at_once",
                                    "works_at_the_same_time",
                                    "free_slots_are_used_again"};

#include "endings.inc"

int pool_submit(struct pool *pool, void *item, int ms, bool *short_of_threads)
{
    (void)pool, (void)item, (void)ms, (void)short_of_threads;
    end_somehow();
    return 0;
}
