/*
 * family: a program and all its descendants, looked at from outside, in /proc.
 *
 * Memory is the proportional set size (PSS): a page shared by N processes
 * counts 1/N in each, so that the sum over a family of forked workers is what
 * they really take. Not for more than one thread at a time.
 */
#ifndef TRIPTYCH_FAMILY_H
#define TRIPTYCH_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct family {
    size_t pss; /* bytes, of all its processes together */
    unsigned threads;
    unsigned processes;
    unsigned descriptors;
};

/* How they are now; zeroes, or nearly, if the program is gone. */
void family_look(pid_t pid, struct family *now);

/* What the kernel holds for it beside that: bytes. */
struct weight {
    size_t kernel_stacks; /* one for each thread */
    size_t page_tables;
    size_t sockets; /* how many, each counted once */
};

void family_weigh(pid_t pid, struct weight *now);

/* Bytes of the kernel's for one connection that waits: its socket, and what
 * makes a descriptor of that. 0: only root can tell. */
size_t family_socket_size(void);

/* The memory alone. */
size_t family_memory(pid_t pid);

/* How often their living threads have gone to sleep, or were made to yield,
 * so far: context switches of both kinds. */
unsigned long family_switches(pid_t pid);

/* Kills one of its children, if it has any just now. */
void family_kill_child(pid_t pid);

#endif
