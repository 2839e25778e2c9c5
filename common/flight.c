/* flight: who is in flight, whose turn it is, who gives way. See flight.h. */
#include "flight.h"

#include <assert.h>

void flight_open(struct flight *flight, size_t limit)
{
    *flight = (struct flight){.limit = limit};
}

void flight_check(const struct flight *flight)
{
#ifndef NDEBUG
    size_t count = 0;
    size_t givers = 0;
    const struct flier *before = NULL;
    for (const struct flier *at = flight->first; at != NULL; at = at->after) {
        assert(at->before == before);
        assert(before == NULL || before->id < at->id);
        assert(!at->gives_way || at->id > flight->turn);
        count++;
        givers += at->gives_way;
        before = at;
    }
    assert(flight->last == before);
    assert(flight->count == count);
    assert(flight->givers == givers);
    assert(flight->limit > 0);
#else
    (void)flight;
#endif
}

/* The check walks through all: often enough, but not at each of 10,000. */
static void check_some(const struct flight *flight)
{
    if (flight->count < 64)
        flight_check(flight);
}

bool flight_has_turn(const struct flight *flight, uint64_t id)
{
    return id == flight->turn;
}

bool flight_may_enter(const struct flight *flight, uint64_t id)
{
    return flight->givers == 0 &&
           (flight->count < flight->limit || id == flight->turn);
}

void flight_enter(struct flight *flight, struct flier *flier, uint64_t id)
{
    struct flier *before = flight->last; /* mostly it is the newest */
    while (before != NULL && before->id > id)
        before = before->before;
    struct flier *after = before != NULL ? before->after : flight->first;
    *flier = (struct flier){.id = id, .before = before, .after = after};
    *(before != NULL ? &before->after : &flight->first) = flier;
    *(after != NULL ? &after->before : &flight->last) = flier;
    flight->count++;
    check_some(flight);
}

/* The flier need not give way any more. */
static void spare(struct flight *flight, struct flier *flier)
{
    flight->givers -= flier->gives_way;
    flier->gives_way = false;
}

void flight_leave(struct flight *flight, struct flier *flier)
{
    spare(flight, flier);
    *(flier->before != NULL ? &flier->before->after : &flight->first) =
        flier->after;
    *(flier->after != NULL ? &flier->after->before : &flight->last) =
        flier->before;
    flight->count--;
    check_some(flight);
}

bool flight_pass_turn(struct flight *flight, uint64_t turn)
{
    if (turn <= flight->turn)
        return false;
    flight->turn = turn;
    /* Those before it are finished, and about to leave. */
    for (struct flier *at = flight->first; at != NULL && at->id <= turn;
         at = at->after)
        spare(flight, at);
    return true;
}

/* The newest; NULL if it is its turn. */
static struct flier *newest(const struct flight *flight)
{
    struct flier *last = flight->last;
    return last != NULL && last->id > flight->turn ? last : NULL;
}

struct flier *flight_give_way(struct flight *flight, struct flier *starved)
{
    struct flier *giver = newest(flight);
    if (flight->givers > 0)
        return starved; /* it waits for who gives way already */
    if (giver == NULL)
        return NULL;
    flight->limit = flight->count > 1 ? flight->count - 1 : 1;
    giver->gives_way = true;
    flight->givers++;
    return giver;
}

struct flier *flight_make_room(struct flight *flight, uint64_t id)
{
    struct flier *giver = newest(flight);
    if (flight->count > 0)
        flight->limit = flight->count;
    if (id != flight->turn || flight->givers > 0 || giver == NULL)
        return NULL;
    giver->gives_way = true;
    flight->givers++;
    return giver;
}
