/*
 * loop: an event loop that a test turns by hand, and a peer to talk to.
 *
 * loop_settles turns the loop until it would go to sleep, without letting it:
 * so nothing here depends on time. A loop that never goes to sleep spins.
 */
#ifndef TRIPTYCH_LAB_LOOP_H
#define TRIPTYCH_LAB_LOOP_H

#include <stdbool.h>
#include <stddef.h>

struct event_base;

/* Turns of a loop after which it is said to spin. */
#define LOOP_TURNS 2000

/* Turns the loop until it has nothing to do but wait. False if that is not so
 * after LOOP_TURNS. */
bool loop_settles(struct event_base *base);

/* A loop that is turned by somebody else calls the one when it is about to
 * sleep, and now and then while it does, with the time-out that it asks for;
 * the other when that is over. NULL: they are not called. */
extern void (*loop_before_sleep)(int timeout_ms);
extern void (*loop_after_sleep)(void);

/* Set by the former: the sleep is over, as if a signal had come. */
extern bool loop_interrupts;

/* For the former: what the loop waits for of this descriptor (-1: of any), as
 * epoll has it: EPOLLIN, EPOLLOUT. The kernel is asked what is registered, for
 * whether something is ready may change at any moment. */
unsigned loop_watches(int fd);

/* A listening socket on loopback; its port. */
int listen_anywhere(unsigned *port);

/* Waits until the peer's kernel has acknowledged all that was sent: then it is
 * there to be read. */
void wait_arrived(int fd);

/* Sends all of it. */
void send_all(int fd, const void *bytes, size_t n);

#endif
