/*
 * context: a stack of one's own, and the switch from one stack to another.
 *
 * A function that waits keeps what it knows on its stack. To have many
 * functions wait at once in one thread, each is given a stack, and the thread
 * goes from one to the other. A switch does what every call does anyway: it
 * saves the registers that a function may not change, here on the stack that
 * is left. Then it takes another stack pointer, and gets the same registers
 * back from there. To the function that was left it was a call that took long.
 *
 *     context_open(&c, size);            a stack
 *     context_begin(&c, f, arg);         f(arg) will run on it
 *     context_switch(&here, &c, false);  ... from now on; returns when f
 *                                        switches back to `here`
 *     context_close(&c);                 not by f itself, which stands on it
 *
 * Three ways to switch were measured (there and back, halved):
 *
 *     swapcontext                                            163 ns
 *     makecontext once, then _setjmp and _longjmp             12 ns
 *     the instructions in context.c                            8 ns
 *
 * swapcontext asks the kernel for the signal mask, and sets it, each time.
 * longjmp to another stack works in most places, but nothing promises that:
 * _FORTIFY_SOURCE takes it for an attack and ends the program, the thread
 * sanitizer looks in vain for the setjmp, and a shadow stack is not switched.
 * So x86-64 and arm64 have their instructions, which are few and hide nothing;
 * any other machine, and a build with shadow stacks, has swapcontext.
 *
 * Not switched: the signal mask, errno, the rounding mode. These are the
 * thread's.
 *
 * Below each stack is a guard, so a function that runs out of stack is killed
 * there and writes into nothing else. One page would be enough if each call
 * touched the next; one with a large array may begin above the guard and write
 * below it, so the guard has CONTEXT_GUARD bytes. Memory is taken page by page as
 * it is touched; the size is only address space. AddressSanitizer,
 * ThreadSanitizer and valgrind are told of every stack and every switch.
 */
#ifndef TRIPTYCH_CONTEXT_H
#define TRIPTYCH_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#ifndef CONTEXT_PORTABLE
#if !defined __x86_64__ && !defined __aarch64__
#define CONTEXT_PORTABLE
#elif defined __CET__
#if __CET__ & 2 /* shadow stacks */
#define CONTEXT_PORTABLE
#endif
#endif
#endif

#ifdef CONTEXT_PORTABLE
#include <ucontext.h>
#endif

/* Whole pages of any size that Linux has, up to 64 KiB. */
#define CONTEXT_GUARD ((size_t)64 * 1024)

struct context {
    char *stack; /* the mapping, guard first; NULL: the thread's own */
    size_t size; /* of it */
    void (*f)(void *arg);
    void *arg;
    struct context *from; /* which context switched to it last */
#ifdef CONTEXT_PORTABLE
    ucontext_t saved;
#else
    void *saved; /* the stack pointer, while it does not run */
#endif
    /* For the tools that look on: */
    const void *bottom; /* the stack's lowest address, and ... */
    size_t height;      /* ... how far it reaches up from there */
    void *fiber;        /* the thread sanitizer's name for it */
    unsigned id;        /* valgrind's */
};

/* The context of the thread that calls, on its own stack. Needs no closing. */
void context_here(struct context *context);

/* Maps a stack of `size` bytes, whole pages, beside the guard. 0 or a
 * negative errno. */
int context_open(struct context *context, size_t size);

/* The next switch to the context calls f(arg), which must not return. What
 * else was on the stack is forgotten, so it may be used again. */
void context_begin(struct context *context, void (*f)(void *arg), void *arg);

/* Goes on at `to`; returns when it is switched back to `from`, which is the
 * context that runs. `for_good`: it never will. */
void context_switch(struct context *from, struct context *to, bool for_good);

/* Unmaps the stack. It must not be the one that runs. */
void context_close(struct context *context);

#endif
