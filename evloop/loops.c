/* loops: what the event loops of one run share. See loops.h. */
#include "loops.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

int loops_open(struct loops *loops, struct run *run, size_t count)
{
    *loops = (struct loops){
        .run = run, .count = count, .limit = run->options->jobs};
    loops->members = calloc(count, sizeof *loops->members);
    if (loops->members == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        loops->members[i].first = NO_ID;
    int error = -pthread_mutex_init(&loops->lock, NULL);
    if (error != 0)
        free(loops->members);
    return error;
}

void loops_close(struct loops *loops)
{
    (void)pthread_mutex_destroy(&loops->lock);
    free(loops->members);
}

/* --- Bells -------------------------------------------------------------- */

static void ring_locked(struct loops *loops, size_t number)
{
    struct member *member = &loops->members[number];
    if (member->awake)
        event_active(&member->bell, EV_TIMEOUT, 1);
}

static void ring_others_locked(struct loops *loops, size_t self)
{
    for (size_t i = 0; i < loops->count; i++) {
        if (i != self)
            ring_locked(loops, i);
    }
}

void loops_set_awake(struct loops *loops, size_t self, bool awake)
{
    pthread_mutex_lock(&loops->lock);
    loops->members[self].awake = awake;
    pthread_mutex_unlock(&loops->lock);
}

/* --- Places ------------------------------------------------------------- */

static void note_locked(struct loops *loops, size_t self, uint64_t first,
                        uint64_t last)
{
    loops->members[self].first = first;
    loops->members[self].last = last;
}

/* The job is one of the loop's from here on, and not only when it is linked:
 * who looks for the newest meanwhile would pass it over, and the first in line
 * would wait for a place that it has. */
static void note_taken_locked(struct loops *loops, size_t self, uint64_t id)
{
    struct member *member = &loops->members[self];
    note_locked(loops, self, id < member->first ? id : member->first,
                id > member->last ? id : member->last);
}

/* True if the first in line has given way. It needs no place: all that have
 * one may be waiting for it. */
static bool first_waits_locked(const struct loops *loops)
{
    return jobs_first(&loops->run->jobs) == atomic_load(&loops->turn);
}

int loops_take(struct loops *loops, size_t self, struct job **job)
{
    int got = 0;
    pthread_mutex_lock(&loops->lock);
    if (loops->in_flight < loops->limit || first_waits_locked(loops)) {
        got = run_next(loops->run, job);
        if (got == 1) {
            loops->in_flight++;
            note_taken_locked(loops, self, (*job)->id);
        }
        if (got == 0)
            got = jobs_done(&loops->run->jobs) ? -ENOENT : -EAGAIN;
        if (got == -EBUSY)
            loops->turn_wanted = true;
        if (got == -EAGAIN && loops->run->input != -1 && self != 0) {
            loops->input_wanted = true;
            ring_locked(loops, 0);
        }
    }
    pthread_mutex_unlock(&loops->lock);
    return got;
}

void loops_note(struct loops *loops, size_t self, uint64_t first,
                uint64_t last)
{
    pthread_mutex_lock(&loops->lock);
    note_locked(loops, self, first, last);
    pthread_mutex_unlock(&loops->lock);
}

void loops_leave(struct loops *loops, size_t self, uint64_t first,
                 uint64_t last, struct job *returned)
{
    pthread_mutex_lock(&loops->lock);
    loops->in_flight--;
    note_locked(loops, self, first, last);
    if (returned != NULL)
        jobs_give_back(&loops->run->jobs, returned);
    pthread_mutex_unlock(&loops->lock);
}

bool loops_are_done(struct loops *loops, size_t self)
{
    pthread_mutex_lock(&loops->lock);
    bool done = loops->in_flight == 0 && jobs_done(&loops->run->jobs);
    if (done)
        ring_others_locked(loops, self);
    pthread_mutex_unlock(&loops->lock);
    return done;
}

/* --- The turn ----------------------------------------------------------- */

void loops_pass_turn(struct loops *loops, size_t self, uint64_t turn)
{
    pthread_mutex_lock(&loops->lock);
    /* Of two loops that finish at once, the slower may bring an older turn. */
    if (turn > atomic_load(&loops->turn)) {
        atomic_store(&loops->turn, turn);
        for (size_t i = 0; i < loops->count; i++) {
            if (i != self &&
                (loops->turn_wanted || loops->members[i].first == turn))
                ring_locked(loops, i);
        }
        loops->turn_wanted = false;
    }
    pthread_mutex_unlock(&loops->lock);
}

/* --- Shortages ---------------------------------------------------------- */

size_t loops_begin_later(struct loops *loops, size_t self, uint64_t first,
                         uint64_t last, struct job *job)
{
    pthread_mutex_lock(&loops->lock);
    note_locked(loops, self, first, last);
    size_t left = loops->in_flight - (job != NULL ? 1 : 0);
    if (left > 0 && job != NULL) {
        loops->in_flight--;
        jobs_give_back(&loops->run->jobs, job);
    }
    if (left > 0)
        loops->limit = left;
    pthread_mutex_unlock(&loops->lock);
    return left;
}

/* The loop that has the newest request is told to give way; true if that is
 * the caller, who is not told but knows. */
static bool ask_newest_locked(struct loops *loops, size_t self)
{
    size_t newest = self;
    for (size_t i = 0; i < loops->count; i++) {
        if (loops->members[i].last > loops->members[newest].last)
            newest = i;
    }
    if (newest != self) {
        loops->members[newest].give_way = true;
        ring_locked(loops, newest);
    }
    return newest == self;
}

bool loops_ask_newest(struct loops *loops, size_t self)
{
    pthread_mutex_lock(&loops->lock);
    bool own = ask_newest_locked(loops, self);
    pthread_mutex_unlock(&loops->lock);
    return own;
}

size_t loops_find_newest(struct loops *loops, size_t self, bool *own)
{
    pthread_mutex_lock(&loops->lock);
    size_t left = loops->in_flight - 1 + (first_waits_locked(loops) ? 1 : 0);
    if (left > 0) {
        loops->limit = left;
        *own = ask_newest_locked(loops, self);
    }
    pthread_mutex_unlock(&loops->lock);
    return left;
}

bool loops_must_give_way(struct loops *loops, size_t self)
{
    pthread_mutex_lock(&loops->lock);
    bool must = loops->members[self].give_way;
    loops->members[self].give_way = false;
    pthread_mutex_unlock(&loops->lock);
    return must;
}

/* --- Input -------------------------------------------------------------- */

int loops_read_input(struct loops *loops)
{
    char text[RUN_INPUT];
    pthread_mutex_lock(&loops->lock);
    int error = jobs_reserve(&loops->run->jobs, sizeof text);
    pthread_mutex_unlock(&loops->lock);
    /* A disk, or a message about it, may take its time. */
    ssize_t n = error == 0 ? run_take_input(loops->run, text) : -EAGAIN;
    pthread_mutex_lock(&loops->lock);
    if (error == 0)
        error = run_feed_input(loops->run, text, n);
    loops->input_wanted = false;
    ring_others_locked(loops, 0);
    pthread_mutex_unlock(&loops->lock);
    return error;
}

bool loops_want_input(struct loops *loops)
{
    pthread_mutex_lock(&loops->lock);
    bool wanted = loops->input_wanted;
    pthread_mutex_unlock(&loops->lock);
    return wanted;
}

bool loops_want_turn(struct loops *loops)
{
    pthread_mutex_lock(&loops->lock);
    bool wanted = loops->turn_wanted;
    pthread_mutex_unlock(&loops->lock);
    return wanted;
}
