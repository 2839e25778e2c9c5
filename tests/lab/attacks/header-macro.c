/*
 * Attack: a macro in a header changes what the tests mean
 * Lab: threads
 * File: threads/queue.h
 * Tests: keeps_the_order full_is_full
 * Says: queue.h: a header .* may not have a macro of the name 'lab_fail'
 */
#define lab_fail(...) ((void)0)
