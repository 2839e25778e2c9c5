/*
 * thread: a helper thread, which is not interrupted by signals.
 *
 * A signal is delivered to any thread that does not block it. The programs
 * wait for theirs in the main thread; a helper that took one would have it
 * lost there.
 */
#ifndef TRIPTYCH_THREAD_H
#define TRIPTYCH_THREAD_H

#include <pthread.h>
#include <stddef.h>

/* The stack of a helper thread that calls into a library; the usual 8 MiB
 * would cost, mapped so often. */
#define THREAD_STACK ((size_t)256 * 1024)

/* Starts a thread that calls f(arg), with all signals blocked and a stack of
 * `stack` bytes (0: the usual). It is joined by *thread; with `thread` NULL it
 * is detached. 0 or a negative errno. */
int thread_start(pthread_t *thread, size_t stack, void *(*f)(void *arg),
                 void *arg);

#endif
