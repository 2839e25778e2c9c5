/*
 * held: what a program takes while all its requests wait for their answers.
 *
 * Whoever looks at it now and then sees it grow and shrink, and of thousands
 * of processes those that are there just then. So the server holds all
 * requests, by a barrier for one more, until it has been looked at, once, with
 * all the time that takes; the last request is the benchmark's own.
 *
 * The server is one of its own. Where descriptors do not suffice for two a
 * request, as processes need, fewer are held, of all programs alike.
 */
#ifndef TRIPTYCH_HELD_H
#define TRIPTYCH_HELD_H

#include "contestant.h"
#include "trial.h"

/*
 * Runs the program with as many requests as it may have in flight, and takes
 * its memory, threads, processes and descriptors into the row, and what the
 * kernel has for it: stacks of 16 KiB for each thread, page tables, and
 * sockets (their number, times what the kernel's caches say of one; root
 * alone can read that). Not in it: pipes, and what epoll has for each
 * descriptor. Makes the row's no known figures if that cannot be had.
 */
void held_weigh(const struct contestant *contestant, const struct task *task,
                const struct surroundings *around, struct row *row);

#endif
