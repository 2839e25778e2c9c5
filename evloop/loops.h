/*
 * loops: what the event loops of one run share: jobs, places, the turn.
 *
 * With --loops each loop is a thread of its own, with connections and requests
 * that no other loop touches. It takes its jobs by itself, whenever it has a
 * place. What must be agreed on stands here, behind one lock that nobody holds
 * during I/O: how many requests are in flight, whose body may go to standard
 * output, who gives way in a shortage, and that --input is read by loop 0
 * alone. Where one loop's doing concerns another, that one's bell is rung.
 *
 * With one loop, which is the rule, nobody else is there: no bell rings.
 *
 * Any loop may call these functions.
 */
#ifndef TRIPTYCH_LOOPS_H
#define TRIPTYCH_LOOPS_H

#include "run.h"

#include <event2/event_struct.h>
#include <pthread.h>
#include <stdatomic.h>

#define NO_ID UINT64_MAX

/* One loop, as the others see it. */
struct member {
    struct event bell; /* activated by others */
    /* Behind the lock: */
    bool awake;     /* the bell is there */
    uint64_t first; /* the lowest id in flight there; NO_ID: none */
    uint64_t last;  /* the highest; 0: none */
    bool give_way;  /* it is to give back its newest request */
};

struct loops {
    struct run *run;
    struct member *members;
    size_t count;
    atomic_uint_fast64_t turn; /* written behind the lock */

    /* Behind `lock`, and with it run->jobs and run->input: */
    pthread_mutex_t lock;
    size_t in_flight;
    size_t limit; /* of those; a shortage lowers it */
    bool input_wanted;
    bool turn_wanted; /* a loop was refused a job until the turn moves */
};

/* Prepares for `count` loops. 0 or a negative errno. */
int loops_open(struct loops *loops, struct run *run, size_t count);
void loops_close(struct loops *loops);

/* The loop can be rung, or no more. */
void loops_set_awake(struct loops *loops, size_t self, bool awake);

/* Takes a job, and a place for it: it counts as in flight there from now on.
 * 1; 0 when all places are taken; -EAGAIN when there is no job for now;
 * -ENOENT when there is none left; -EBUSY when there may be, but must not
 * begin before the turn has moved, or a stalled reader goes on; -ENOMEM. */
int loops_take(struct loops *loops, size_t self, struct job **job);

/* Gives the place back, with the job if it is to start over. Now these are the
 * lowest and the highest id in flight there. */
void loops_leave(struct loops *loops, size_t self, uint64_t first,
                 uint64_t last, struct job *returned);

/* These are, now that a request has begun there. */
void loops_note(struct loops *loops, size_t self, uint64_t first,
                uint64_t last);

/* The turn has moved on: rings for whom it is, and for who waits for that. */
void loops_pass_turn(struct loops *loops, size_t self, uint64_t turn);

/* Memory is too short to begin with a job (NULL: to get one) that has its
 * place; both are given back, and these are the lowest and the highest id in
 * flight there. Returns how many requests go on; with none, job and place are
 * still the caller's. */
size_t loops_begin_later(struct loops *loops, size_t self, uint64_t first,
                         uint64_t last, struct job *job);

/* Resources are short. Returns 0 if the request is the only one in flight, and
 * the first in line does not wait to be taken again. Else the newest is to
 * give way: *own if that is the caller's own, else the other loop is told; and
 * so many go on, which is returned. */
size_t loops_find_newest(struct loops *loops, size_t self, bool *own);

/* The same where places are lowered already: true if the newest is the
 * caller's own. */
bool loops_ask_newest(struct loops *loops, size_t self);

/* True, once, if the loop was told to give way. */
bool loops_must_give_way(struct loops *loops, size_t self);

/* For loop 0: reads --input once, and rings for all. 0 or -ENOMEM. */
int loops_read_input(struct loops *loops);

/* True if another loop has a place, and no job. */
bool loops_want_input(struct loops *loops);

/* True if a loop was refused a job that there may be (-EBUSY). */
bool loops_want_turn(struct loops *loops);

/* True when nothing is in flight and no job will come; then all are rung. */
bool loops_are_done(struct loops *loops, size_t self);

#endif
