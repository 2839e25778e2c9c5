/*
 * state: whether the program has been in this state before.
 *
 * A state is everything that decides what can come: the program's variables,
 * its heap, the stacks and registers of its threads, what its mutexes and so
 * on hold, what each thread is about to do, what was used up of the limits,
 * and the clock. It is known by a hash of 64 bits. From a state that was seen,
 * whatever can come has been, or will be, searched already.
 */
#ifndef EXPLORE_STATE_H
#define EXPLORE_STATE_H

#include "engine.h"

/* Where the program's variables are; they are kept as they are now, to be put
 * back before each run. Once in a process. 0 or a negative errno. */
int ex_state_open(void);

/* Puts the variables back. */
void ex_state_reset(void);

/* The state now, between two steps. With `last`, who ran last is part of it,
 * but not how many preemptions there have been. */
uint64_t ex_state_hash(const struct ex_thread *last);

/* The states that were seen: empties; adds one: false if it was there. A
 * negative errno for want of memory. */
void ex_states_clear(void);
int ex_states_add(uint64_t hash);
bool ex_states_has(uint64_t hash);
long ex_states_count(void);

/* Mixes a number into a hash; hashes memory. */
uint64_t ex_mix(uint64_t hash, uint64_t number);
uint64_t ex_hash(const void *from, size_t size, uint64_t hash);

/* True for a variable of the program's. */
bool ex_state_has(const void *address);

#endif
