/*
 * minimal_steps: the steps on a socket, for the two minimal programs that
 * block: threads and processes. What differs between them is who sleeps here.
 */
#ifndef TRIPTYCH_MINIMAL_STEPS_H
#define TRIPTYCH_MINIMAL_STEPS_H

#include "minimal.h"

/* Step connect: sleeps for the look-up, then for each address in turn. Returns
 * a non-blocking socket; or -1 when the exchange has failed. The writing side
 * is shut, here or in step_send, as soon as that is wanted. */
int step_connect(struct exchange *x);

/* Step send: sends what the socket takes; sleeps while it is full. */
void step_send(struct exchange *x, int fd);

/* Step receive: reads once, and feeds the exchange; sleeps while there is
 * nothing. While `deliver` sleeps the request's time stands still. */
void step_receive(struct exchange *x, int fd,
                  int (*deliver)(void *context, const char *p, size_t n),
                  void *context);

/* Step expire: the request's time may be up. */
void step_expire(struct exchange *x);

/*
 * Forks, with *pid noted before a signal is let in. In the parent it returns
 * the child's id. In the child it returns 0, and `body` has become its
 * standard output; it leaves SIGINT and SIGHUP to the parent, ends by itself
 * when the program cannot go on, and when the parent ends.
 */
pid_t minimal_fork(struct minimal *m, volatile pid_t *pid, int body);

/* The outcome of a request whose worker left none; `status` is waitpid's. */
void minimal_crashed(struct outcome *outcome, int status);

#endif
