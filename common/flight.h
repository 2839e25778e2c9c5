/*
 * flight: which requests are in flight, whose turn it is, who gives way.
 *
 * Only ids, an order and a count: sans I/O, without a lock. A model has its
 * own way to let a request wait, to wake it and to take everything from it;
 * what it must do, and to which request, is decided here.
 *
 *   - The turn is the id of the first request that is not finished. Its body
 *     may go to standard output; the others wait for it, so it never waits for
 *     them: it needs no free place, and is never the one that gives way.
 *   - At most `limit` requests are in flight.
 *   - When memory, descriptors or ports run out, two requests give everything
 *     back and start over later: the newest, whose things the others then
 *     have, and the one that met the shortage, if it is another. The limit
 *     becomes what is left. Until the newest has left no request enters,
 *     or the same shortage would be met again.
 *
 *     (not in flight) -- flight_enter --> FLIES -- flight_give_way --> GIVES
 *            ^                            ^   |      met a shortage,    WAY
 *            |                            |   |      and this one is     | |
 *            |                            |   |      the newest          | |
 *            |                            +---|--- flight_pass_turn -----+ |
 *            +--------- flight_leave ---------+--------- flight_leave -----+
 *
 * Nothing here is allocated: a struct flier is a part of the model's request.
 */
#ifndef TRIPTYCH_FLIGHT_H
#define TRIPTYCH_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A request that is in flight, or may be. */
struct flier {
    uint64_t id;
    bool gives_way; /* it is to give everything back, and to leave */
    struct flier *before, *after;
};

struct flight {
    struct flier *first; /* in flight, by rising id */
    struct flier *last;
    size_t count;  /* of those */
    size_t givers; /* of those, that give way */
    size_t limit;  /* a shortage lowers it */
    uint64_t turn;
};

void flight_open(struct flight *flight, size_t limit);

/* True if it is this request's turn; it stays so until that is finished. */
bool flight_has_turn(const struct flight *flight, uint64_t id);

/* True if a place is free for request `id`. Of those that wait for a place
 * the one with the lowest id is to ask first. */
bool flight_may_enter(const struct flight *flight, uint64_t id);

/* Request `id` is in flight, and `flier` stands for it. */
void flight_enter(struct flight *flight, struct flier *flier, uint64_t id);

/* It is finished, or has given everything back. */
void flight_leave(struct flight *flight, struct flier *flier);

/* Now all requests before `turn` are finished. (A turn that has passed is
 * passed over: two threads may bring theirs in the wrong order.) A request
 * whose turn it now is need not give way any more. True if that is news. */
bool flight_pass_turn(struct flight *flight, uint64_t turn);

/* `starved` has met a shortage, with nothing written. NULL: it is the only one
 * in flight, and there is nothing to wait for. Else it must leave; and the
 * model takes everything from the one that is returned, too: the newest, or
 * (while one gives way already) `starved` itself. */
struct flier *flight_give_way(struct flight *flight, struct flier *starved);

/* The same for a request that met a shortage before it was in flight, while
 * others are. NULL: it waits until one of them has left. */
struct flier *flight_make_room(struct flight *flight, uint64_t id);

/* Stops the program if this is not as said above. In release builds it does
 * nothing. */
void flight_check(const struct flight *flight);

#endif
