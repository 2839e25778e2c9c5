/*
 * minimal-evloop: many URLs at once, all in one thread, by callbacks.
 *
 * Who sleeps: the loop alone, in event_base_loop. What wakes it: a descriptor
 * that is ready, or a time that is up. What a thread has on its stack, a
 * request has in its struct, from one go_on to the next.
 *
 * Left out: looking a name up without sleeping, its other addresses, and what
 * minimal-threads leaves out (connection.c, request.c, body.c, stream.c).
 */
#include "minimal.h"
#include "minimal_source.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <limits.h>
#include <stdlib.h>

#define HIGH 65536 /* above this standard output is full, down to a quarter */

static struct minimal m; /* options, list of URLs, messages, exit status */
static struct request {
    struct job *job;
    struct exchange *x; /* NULL: the place is free */
    struct minimal_source source;
} requests[MINIMAL_JOBS];
static struct event_base *base;
static struct bufferevent *out; /* standard output */
static bool full;
static uint64_t turn; /* the id of the job whose body is fed; not with -n */

/* What waits for standard output has sunk to the low mark. */
static void on_drained(struct bufferevent *bev, void *unused)
{
    (void)bev, (void)unused;
    full = false;
}

static void on_output_failed(struct bufferevent *bev, short what, void *unused)
{
    (void)bev, (void)what, (void)unused;
    minimal_fail(&m, "standard output", errno);
}

/* Takes a job for a free place; false: there is none. */
static bool step_take(struct request *r)
{
    r->job = minimal_take(&m);
    r->x = r->job != NULL ? minimal_exchange(&m, r->job) : NULL;
    return r->x != NULL;
}

/* Receives some of what libevent has read ahead. */
static size_t step_receive(struct request *r, char *chunk)
{
    return source_read(&r->source, chunk);
}

/* Gives libevent a piece of the body to write. */
static int step_deliver(void *unused, const char *p, size_t n)
{
    if (!m.options.discard)
        minimal_check(&m, "writing", bufferevent_write(out, p, n));
    full = evbuffer_get_length(bufferevent_get_output(out)) > HIGH;
    return unused != NULL;
}

static bool has_turn(const struct request *r)
{
    return m.options.discard || (r->job->id == turn && !full);
}

/* Prints the result; the place is free, and the next in line has the turn. */
static void step_finish(struct request *r)
{
    minimal_finish(&m, r->job, exchange_outcome(r->x));
    exchange_free(r->x);
    source_close(&r->source);
    r->x = NULL;
    turn++;
}

/* Takes the request of a place as far as it goes now; true: there is one. */
static bool go_on(struct request *r)
{
    char chunk[MINIMAL_CHUNK];
    size_t n = 1;
    if (r->x == NULL && !step_take(r))
        return false;
    while (r->source.bev != NULL && has_turn(r) && n > 0) {
        n = step_receive(r, chunk);
        exchange_feed(r->x, chunk, n, step_deliver, NULL, clock_us());
        if (n > 0 && exchange_want(r->x) == WANT_CONNECT)
            source_close(&r->source); /* a redirect */
    }
    if (exchange_want(r->x) == WANT_CONNECT && r->source.bev == NULL)
        source_open(&r->source, base, &m, r->x);
    if (exchange_want(r->x) == WANT_DONE && has_turn(r))
        step_finish(r);
    return r->x != NULL;
}

int main(int argc, char **argv)
{
    uint64_t before;
    minimal_open(&m, "minimal-evloop", argc, argv, _exit);
    (void)setenv("EVENT_NOEPOLL", "1", 1); /* which takes no regular files */
    base = minimal_made(&m, event_base_new());
    struct event *list = minimal_made(
        &m, event_new(base, m.input, EV_READ, minimal_on_list, &m));
    out = minimal_made(&m, bufferevent_socket_new(base, m.output.fd, 0));
    bufferevent_setcb(out, NULL, on_drained, on_output_failed, NULL);
    bufferevent_setwatermark(out, EV_WRITE, HIGH / 4, 0);
    bufferevent_set_max_single_write(out, PIPE_BUF); /* poll says it fits */
    do {
        size_t busy = 0;
        before = turn;
        for (size_t i = 0; i < m.options.jobs; i++)
            busy += go_on(&requests[i]);
        if (turn == before && busy < m.options.jobs && m.input != -1)
            minimal_check(&m, "the list", event_add(list, NULL));
    } while (turn != before || /* or there is something to wait for: */
             minimal_check(&m, "the loop",
                           event_base_loop(base, EVLOOP_ONCE)) == 0);
    bufferevent_free(out);
    event_free(list);
    event_base_free(base);
    return minimal_close(&m);
}
