/*
 * Attack: the hidden tests, included, and kept for the run
 * Lab: threads
 * File: threads/queue.c
 * Tests: keeps_the_order
 * Alone
 * Says: ref/hidden/queue.c
 */
#include "../../ref/hidden/queue.c"
