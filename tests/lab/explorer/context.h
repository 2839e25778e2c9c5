/*
 * context: threads of a run, as contexts of one thread of the system.
 *
 * Each has a stack between guard pages, and a copy of the program's
 * thread-local variables while others run. Going from one to another is a jump
 * (some nanoseconds), where threads of the system would wake each other. Other
 * libraries' thread-local variables, apart from errno, are shared.
 */
#ifndef EXPLORE_CONTEXT_H
#define EXPLORE_CONTEXT_H

#include "engine.h"

#define EX_STACK ((size_t)256 * 1024)

/* Maps the stacks. Once in a process. 0 or a negative errno. */
int ex_context_open(void);

/* Makes the thread ready to call `entry`, which never returns. */
void ex_context_make(struct ex_thread *thread, void (*entry)(void));

/* From the engine: goes on with the thread until it comes back. */
void ex_context_enter(struct ex_thread *thread);

/* From a thread: back to the engine, to go on here when entered again. */
void ex_context_leave(void);

/* From a thread, or a signal handler on it: back to the engine for good. */
_Noreturn void ex_context_abandon(void);

/* Wipes what calls that returned have left on the stack below the caller: ours
 * leave clocks and such there, which would make states differ in nothing that
 * matters. */
void ex_context_wipe(void);

/* The part of its stack that a thread which has left uses. */
const char *ex_context_top(const struct ex_thread *thread);

/* How many bytes of thread-local variables there are for each thread. */
size_t ex_context_tls(void);

/* True for an address within the stacks, or just below one: `overflow`. */
bool ex_context_has(const void *address, bool *overflow);

#endif
