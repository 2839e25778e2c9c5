/*
 * heap: malloc and the like for the code under test.
 *
 * The same calls give the same addresses in each run. Nothing is given out
 * again after it was freed, so that each use of freed memory is seen.
 */
#ifndef EXPLORE_HEAP_H
#define EXPLORE_HEAP_H

#include "engine.h"

/* Reserves the memory. 0 or a negative errno. */
int ex_heap_open(void);

/* A new run: all is free. */
void ex_heap_reset(void);

/* Fails the run if the heap has this address but no block has these bytes. */
void ex_heap_check(const void *address, size_t size, bool write,
                   const void *place);

/* True for an address in it. */
bool ex_heap_has(const void *address);

/* How many blocks are not freed. */
int ex_heap_blocks(void);

uint64_t ex_heap_hash(uint64_t hash);

#endif
