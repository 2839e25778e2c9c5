/* query: a connection to a database: a plain event over a socket that is
 * libpq's. See connection_kind.h and database.h.
 *
 * libpq says what it waits for, and one event, armed anew each time, waits for
 * it. It may have another socket by then.
 */
#include "connection_kind.h"

#include "base.h"
#include "clock.h"
#include "database.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <sys/ioctl.h>

/* Chunks read in a row for one connection, before the others have their turn.
 */
#define FAIR_SHARE 4

/* --- Open: reading ------------------------------------------------------ */

static void on_ready(evutil_socket_t fd, short what, void *arg);

/* Has on_ready called when the socket is ready for what libpq waits for, or at
 * the limit (CLOCK_NEVER: none). 0 or a negative errno. */
static int arm(struct connection *c, short events, int64_t limit)
{
    int64_t left = limit - clock_us();
    struct timeval time = {left > 0 ? left / CLOCK_SECOND : 0,
                           left > 0 ? left % CLOCK_SECOND : 0};
    short what = (short)(((events & POLLIN) != 0 ? EV_READ : 0) |
                         ((events & POLLOUT) != 0 ? EV_WRITE : 0));
    event_assign(&c->event, c->loop->base, database_fd(c->database), what,
                 on_ready, c);
    return event_add(&c->event, limit != CLOCK_NEVER ? &time : NULL) == 0
               ? 0
               : -ENOMEM;
}

/* Has it called on the next turn: libpq may have more in its buffer. */
static void go_on_later(struct connection *c)
{
    evtimer_assign(&c->event, c->loop->base, on_ready, c);
    base_next_turn(&c->event);
}

/* Reads a chunk and hands it on. Its bytes; 0 or a negative errno after which
 * nothing is to be done here. */
static ssize_t read_chunk(struct connection *c)
{
    short events = POLLIN;
    ssize_t n =
        database_read(c->database, c->loop->chunk, LOOP_CHUNK, &events);
    int error = n == -EAGAIN ? arm(c, events, CLOCK_NEVER) : 0;
    if (n > 0)
        c->owner->readable(c->arg, c->loop->chunk, (size_t)n);
    else if (error != 0)
        c->owner->ended(c->arg, error);
    else if (n != -EAGAIN)
        c->owner->ended(c->arg, (int)n);
    return n;
}

static void read_on(struct connection *c)
{
    for (int i = 0; i < FAIR_SHARE; i++) {
        if (read_chunk(c) <= 0 || !connection_is_readable(c))
            return;
    }
    go_on_later(c);
}

static void pause_reading(struct connection *c)
{
    event_del(&c->event);
}

static void resume_reading(struct connection *c)
{
    go_on_later(c);
}

/* Reads as many bytes of rows as there were bytes on the socket, and one more
 * for the end. Rows have fewer bytes than what carries them, so this reads
 * what libpq has in its buffer, too. */
static void read_arrived(struct connection *c)
{
    int arrived = 0;
    if (ioctl(database_fd(c->database), FIONREAD, &arrived) == -1)
        arrived = 0;
    ssize_t left = (ssize_t)arrived + 1;
    event_del(&c->event);
    while (left > 0 && connection_is_readable(c)) {
        ssize_t n = read_chunk(c);
        if (n <= 0)
            return;
        left -= n;
    }
    if (connection_is_readable(c))
        go_on_later(c);
}

/* Failures come out of reading. */
static int ask(struct connection *c, const void *p, size_t n)
{
    database_ask(c->database, p, n);
    go_on_later(c);
    return 0;
}

/* --- Connecting --------------------------------------------------------- */

static void go_on_connecting(struct connection *c)
{
    short events;
    int error = database_connect(c->database, &events);
    if (error == -EAGAIN)
        error = arm(c, events, c->limit);
    else if (error == 0)
        connection_is_open(c);
    if (error != 0)
        connection_address_failed(c, error);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct connection *c = arg;
    if (c->state == OPEN) {
        read_on(c); /* paused, it is not armed */
        return;
    }
    if (what == EV_TIMEOUT && clock_us() < c->limit &&
        connection_set_limit(c) == 0)
        return; /* too soon: once more */
    /* After a SIGCONT the time may be over, and the answer here: so libpq is
     * asked once more after the limit. But only if there is news: it takes a
     * call to mean that the socket is connected, and waits, deaf, if that is
     * not so. */
    bool was_late = c->late;
    bool has_news = what != EV_TIMEOUT || net_has_news(fd);
    c->late = clock_us() >= c->limit;
    if (was_late || !has_news)
        connection_address_failed(c, -ETIMEDOUT);
    else
        go_on_connecting(c);
}

static void drop(struct connection *c)
{
    event_del(&c->event);
    database_end(c->database);
    c->database = NULL;
}

/* The first of a run loads libpq, and the loop waits for the disk. */
static int open_query(struct connection *c, const struct addrinfo *address)
{
    short events;
    int error = database_begin(c->url, address, &c->database);
    if (error != 0)
        return error;
    c->limit = clock_us() + c->loop->connect_timeout_us;
    c->late = false;
    error = database_connect(c->database, &events);
    return error == -EAGAIN ? arm(c, events, c->limit) : error;
}

const struct connection_kind query_kind = {
    .looks_up = true,
    .open = open_query,
    .send = ask,
    .pause = pause_reading,
    .resume = resume_reading,
    .read_arrived = read_arrived,
    .drop = drop,
};
