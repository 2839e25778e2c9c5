/*
 * turns: a test whose body is a coroutine, and a loop that is looked at.
 *
 * When the loop is about to sleep for ever nothing can ever happen again: the
 * test has failed, at once, and says what it was waiting for. A coroutine that
 * runs in a circle is found by the processor time that it takes. So no test
 * depends on how fast the machine is.
 */
#ifndef TRIPTYCH_LAB_TURNS_H
#define TRIPTYCH_LAB_TURNS_H

#include "coroutine.h"
#include "lab.h"

#define MS INT64_C(1000)

struct event_base;

/* The loop that run() turns. */
extern struct event_base *turns_base;

/* How often the loop has looked at its descriptors. */
extern unsigned turns_looks;

/* Runs f(arg) as the first coroutine of a loop of its own; its result. */
int run(int (*f)(void *arg), void *arg);

/* Says what the test is about to wait for: as lab_doing, and for a loop that
 * goes to sleep for ever. */
void doing(const char *what, const char *means, const char *look);

/* Starts one; fails the test if that cannot be. */
struct coroutine *start(int (*f)(void *arg), void *arg);
void start_and_forget(int (*f)(void *arg), void *arg);

/* Lets everything happen that needs no time to pass. */
void settle(void);

/* What happened, in order. */
extern char story[200];
void tell(const char *what);
void check_story(const char *wanted, const char *means, const char *look);

#endif
