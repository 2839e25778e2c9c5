/*
 * schedule: the decisions of a run, as text that can be pasted.
 *
 *     0x3.1x5.2s.v1.2x4      thread 0 goes on three times, thread 1 five
 *                            times, thread 2 wakes for no reason, the value
 *                            1 is chosen, thread 2 goes on four times
 *     3t                     the wait of thread 3 times out
 *     2x*                    thread 2 goes on for as long as it can
 *     f1a2b                  the access at this place in the program is a
 *                            point of decision, too
 *
 * After its end, the thread that runs goes on while it can, then the one with
 * the lowest number.
 */
#ifndef EXPLORE_SCHEDULE_H
#define EXPLORE_SCHEDULE_H

#include "engine.h"

#define EX_DECISIONS 32768
#define EX_FOLLOWS   64
#define EX_FOR_EVER  UINT16_MAX

/* So many times the same decision. */
struct ex_turn {
    uint8_t choice; /* enum ex_choice */
    uint16_t number;
    uint16_t times;
};

struct ex_schedule {
    int follows;
    const void *followed[EX_FOLLOWS];
    int count;
    struct ex_turn turns[EX_DECISIONS];
};

/* Adds a decision. False: it is full. */
bool ex_schedule_add(struct ex_schedule *schedule, enum ex_choice choice,
                     uint16_t number);

void ex_schedule_copy(struct ex_schedule *to, const struct ex_schedule *from);

/* The text, allocated; NULL for want of memory. */
char *ex_schedule_text(const struct ex_schedule *schedule);

/* Reads it back. 0 or -EINVAL. */
int ex_schedule_read(struct ex_schedule *schedule, const char *text);

#endif
