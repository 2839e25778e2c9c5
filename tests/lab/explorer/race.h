/*
 * race: who knows of what, and accesses that nothing orders.
 *
 * Each thread has a vector clock: of each other thread, up to which of its
 * epochs this one knows what it did. Releasing (an unlock, a post, an atomic
 * store with release) hands the clock to the object and begins an epoch;
 * acquiring joins the object's into one's own. Two accesses to the same byte
 * by different threads, at least one a write and not both atomic, race if the
 * later thread does not know the earlier one's epoch. (The algorithm is that
 * of Djit+: Pozniansky and Schuster, PPoPP 2003.)
 *
 * Only what the search can reach makes this sound: without a race, a program
 * behaves as if threads could part only at its synchronisation, and that is
 * where the search parts them. So accesses are not points of decision, until
 * they are seen to race.
 */
#ifndef EXPLORE_RACE_H
#define EXPLORE_RACE_H

#include "engine.h"

enum ex_access {
    EX_READ = 0,
    EX_WRITE = 1,
    EX_ATOMIC_READ = 2,
    EX_ATOMIC_WRITE = 3
};

/* Reserves the memory. 0 or a negative errno. */
int ex_race_open(void);

/* A new run. */
void ex_race_reset(void);

/* A point of decision, if accesses at this place are. */
void ex_race_point(enum ex_access access, const void *place);

/* The current thread accesses memory. May not come back: a race, or memory
 * that is not there. */
void ex_race_access(const void *address, size_t size, enum ex_access access,
                    const void *place);

/* The current thread learns what the clock knows; tells it; starts it anew
 * with what it knows. */
void ex_race_acquire(const uint32_t *clock);
void ex_race_release(uint32_t *clock);
void ex_race_publish(uint32_t *clock);

/* The clock of an atomic variable. */
uint32_t *ex_race_clock_of(const void *address);

/* Makes the accesses at this place points of decision, for ever. */
void ex_race_follow(const void *place);

/* Those places, at most EX_FOLLOWS; their number. */
int ex_race_follows(const void **places);

/* True once after places were added: a search has to begin again. */
bool ex_race_followed(void);

#endif
