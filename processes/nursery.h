/*
 * nursery: fork, for a parent of thousands.
 *
 * A forked child has a copy of every descriptor of its parent and must close
 * what is not for it: above all the ends of its siblings' pipes. With
 * thousands of siblings that is most of what a fork costs.
 *
 * So here the child gets no copy at first. It shares the table with its parent
 * (clone with CLONE_FILES), and then asks for a table of its own that has the
 * low numbers only (close_range with CLOSE_RANGE_UNSHARE). What it is to keep
 * is put there before, in numbers that were reserved when there were few
 * others: a crib. Until then the table is shared: a close by either process
 * affects both, so the parent must not touch these descriptors. It waits for
 * that before it uses the crib again, or sleeps. There are several cribs, so
 * that it need not wait for each child to get a processor. A child that has
 * been stopped may never get there: when the run is to stop it is killed.
 *
 * And fork copies the page tables of all the parent's memory, of which a child
 * needs little; then each page that either writes to is copied. So most of
 * what the parent keeps for each worker is in memory that children are spared.
 *
 * With 10,000 workers this halves the time. With 1,000 it is no faster, but
 * uses 17% less processor time (tests/bench/MEASURED.md).
 *
 * Where this is not to be had - Linux before 5.9, valgrind, the thread
 * sanitizer, a container that forbids it - a plain fork does the same.
 *
 * For the parent, which has one thread.
 */
#ifndef TRIPTYCH_NURSERY_H
#define TRIPTYCH_NURSERY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* So many children may be on their way at the same time. */
#define NURSERY_CRIBS 8

struct crib {
    int reserved[2];
    int ready; /* eventfd: the child has a table of its own */
    int pidfd; /* of the child that may not have one yet; -1: none */
};

struct nursery {
    bool shares; /* false: fork */
    bool spares; /* nursery_calloc's memory is not there in children */
    int stop_fd; /* polls as readable once the run is to stop; -1: none */
    int null;    /* stands in the reserved numbers meanwhile */
    int top;     /* the highest number that a child needs */
    int count;   /* cribs that there are */
    int next;    /* the one to be used next */
    struct crib cribs[NURSERY_CRIBS];
};

/* Reserves descriptors. What children need besides is open already: the
 * `count` numbers at `kept`, of which any may be -1. 0 or a negative errno. */
int nursery_open(struct nursery *nursery, const int *kept, int count);

/* Waits until there is a crib for another child. No signal that stops the run
 * may be blocked. */
void nursery_make_room(struct nursery *nursery);

/* Like fork, with two descriptors for the child: there they may have other
 * numbers on return. Only for a nursery that shares, after nursery_make_room.
 * All signals must be blocked. In the child there may still be others to be
 * closed, but not many. */
pid_t nursery_fork(struct nursery *nursery, int *first, int *second);

/* Waits until no child shares the table any more. Before that the parent holds
 * what the last child holds, and would not see its end. */
void nursery_settle(struct nursery *nursery);

void nursery_close(struct nursery *nursery);

/* Zeroed memory for `count` elements of `size` bytes that no child may use: it
 * may not be there. NULL when memory is short. */
void *nursery_calloc(const struct nursery *nursery, size_t count, size_t size);

/* Gives back what nursery_calloc gave for the same numbers, in the parent; or
 * NULL. */
void nursery_free(const struct nursery *nursery, void *memory, size_t count,
                  size_t size);

#endif
