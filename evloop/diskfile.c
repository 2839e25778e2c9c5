/* diskfile: a connection to a file, which only speaks. See connection_kind.h
 * and reader.h. */
#include "connection_kind.h"

#include "regular.h"

#include <errno.h>

/* Hands on what was read, unless we are paused, and asks for more, unless we
 * are paused by that. */
static void hand_on(struct connection *c)
{
    struct reading *r = c->reading;
    c->held = !connection_is_readable(c);
    if (c->held)
        return;
    if (r->length <= 0) {
        c->owner->ended(c->arg, (int)r->length);
        return;
    }
    c->owner->readable(c->arg, r->chunk, (size_t)r->length);
    if (connection_is_readable(c) && reading_next(&c->loop->reader, r) != 0)
        c->owner->ended(c->arg, -ENOMEM);
}

/* The file cannot be opened; when descriptors are short, an idle connection's
 * place will do. */
static void open_failed(struct connection *c, int error)
{
    enum result result = regular_result(error);
    if (result == RESULT_NO_RESOURCES && idle_drop(&c->loop->idle) &&
        reading_next(&c->loop->reader, c->reading) == 0)
        return;
    c->owner->failed(c->arg, result, regular_fault(error));
}

static void on_read(struct reading *r, void *arg)
{
    struct connection *c = arg;
    trace_take_over(c->lane, PARCEL_BODY, r->parcel);
    if (c->state != OPEN && r->length < 0) {
        open_failed(c, (int)r->length);
        return;
    }
    if (c->state != OPEN)
        connection_is_open(c);
    if (c->state == OPEN)
        hand_on(c);
}

static void pause_reading(struct connection *c)
{
    (void)c; /* what is being read just now is held */
}

static void resume_reading(struct connection *c)
{
    if (c->held)
        hand_on(c);
    else if (!c->reading->busy &&
             reading_next(&c->loop->reader, c->reading) != 0)
        c->owner->ended(c->arg, -ENOMEM);
}

static void read_arrived(struct connection *c)
{
    (void)c; /* nothing arrives by itself */
}

static void drop(struct connection *c)
{
    reading_drop(&c->loop->reader, c->reading);
    c->reading = NULL;
}

static int open_file(struct connection *c, const struct addrinfo *address)
{
    (void)address; /* a file has none */
    c->reading = reading_new(c->url->target, c->lane->id, on_read, c);
    if (c->reading == NULL)
        return -ENOMEM;
    return reading_next(&c->loop->reader, c->reading);
}

const struct connection_kind diskfile_kind = {
    .open = open_file,
    .pause = pause_reading,
    .resume = resume_reading,
    .read_arrived = read_arrived,
    .drop = drop,
};
