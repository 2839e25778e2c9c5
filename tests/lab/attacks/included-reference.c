/*
 * Attack: the reference, included from where the grader keeps it
 * Lab: threads
 * File: threads/queue.c
 * Tests: keeps_the_order
 * Alone
 *
 * One line got 100 of 100.
 */
#include "../../given/threads/queue.c"
