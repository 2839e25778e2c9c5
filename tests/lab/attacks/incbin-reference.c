/*
 * Attack: the object of the reference, assembled into what is handed in
 * Lab: threads
 * File: threads/queue.c
 * Tests: keeps_the_order
 * Alone
 * Says: obj/reference
 */
__asm__(".incbin \"obj/reference/threads/queue.c.o\"");
