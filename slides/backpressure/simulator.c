/* simulator: what stands around the streams. See simulator.h. */
#include "simulator.h"

#include "stream.h"

#include <errno.h>
#include <event2/event.h>
#include <stdint.h>
#include <string.h>

#ifdef __wasm__
#define EXPORT(name) __attribute__((export_name(#name))) name
#else
#define EXPORT(name) name
#endif

#define PIPE    65536
#define SOCKETS 131072 /* the server's kernel and ours */
#define CHUNK   16384  /* what one reading brings, at most */

static struct source {
    struct stream *stream;
    struct stream_waiter waiter;
    unsigned id;     /* in order of the bodies */
    unsigned unsent; /* of its body, by the server */
    unsigned unread; /* by us */
    unsigned socket; /* bytes in it */
    bool watched;    /* to be told when the pipe has room */
} sources[SIMULATOR_MOST];

static struct event_base *base;
static unsigned count, turn, next_id;
static unsigned consumer = 1000, server = 8000, body = 4 << 20;
static bool forgotten;
static unsigned in_pipe, drained;
static double taken;

/* --- The streams' transport: the pipe, for the source that has the turn --- */

static ssize_t pipe_send(void *context, const struct iovec *parts, int n)
{
    const struct source *s = context;
    size_t length = 0;
    for (int i = 0; i < n; i++)
        length += parts[i].iov_len;
    size_t room = PIPE - in_pipe;
    size_t sent = length < room ? length : room;
    if (s->id != turn || sent == 0)
        return -EAGAIN;
    in_pipe += (unsigned)sent;
    return (ssize_t)sent;
}

static void pipe_watch(void *context, bool on)
{
    struct source *s = context;
    s->watched = on;
}

static void pipe_shut(void *context)
{
    (void)context;
}

static const struct stream_transport transport = {pipe_send, pipe_watch,
                                                  pipe_shut};

/* --- The sources ---------------------------------------------------------- */

/* The stash has sunk to the low mark: the source goes on. */
static void on_drained(void *arg, int error)
{
    (void)arg, (void)error;
    drained++;
}

static void begin_body(struct source *s)
{
    s->id = next_id++;
    s->unsent = s->unread = body;
}

/* Hands a chunk on, as step_deliver does: write, then drain. */
static void read_some(struct source *s)
{
    static const char bytes[CHUNK];
    unsigned n = s->socket < CHUNK ? s->socket : CHUNK;
    if (n == 0 || s->waiter.waits)
        return;
    s->socket -= n;
    s->unread -= n;
    (void)stream_write(s->stream, bytes, n);
    if (!forgotten)
        (void)stream_drain(s->stream, &s->waiter);
}

static void free_all(void)
{
    for (unsigned i = 0; i < count; i++)
        stream_free(sources[i].stream);
    memset(sources, 0, sizeof sources);
    count = 0;
}

int EXPORT(simulator_begin)(unsigned n, double high, double low)
{
    free_all();
    if (base == NULL)
        base = event_base_new();
    turn = next_id = in_pipe = drained = 0;
    taken = 0;
    while (base != NULL && count < n && count < SIMULATOR_MOST) {
        struct source *s = &sources[count];
        s->stream = stream_new_over(base, &transport, s);
        if (s->stream == NULL)
            return 0;
        s->waiter.done = on_drained;
        begin_body(s);
        count++;
    }
    return base != NULL && simulator_limits(high, low);
}

void EXPORT(simulator_set)(unsigned consumer_rate, unsigned server_rate,
                           unsigned body_length, int is_forgotten)
{
    consumer = consumer_rate;
    server = server_rate;
    body = body_length;
    forgotten = is_forgotten != 0;
}

int EXPORT(simulator_limits)(double high, double low)
{
    for (unsigned i = 0; i < count; i++) {
        if (stream_set_limits(sources[i].stream, (int64_t)high,
                              (int64_t)low) != 0)
            return 0;
    }
    return 1;
}

/* The source whose body is out passes the turn on, and begins another. */
static void pass_on(struct source *s)
{
    if (s->id != turn || s->unread > 0 || stream_buffered(s->stream) > 0)
        return;
    turn++;
    begin_body(s);
}

void EXPORT(simulator_step)(void)
{
    unsigned n = in_pipe < consumer ? in_pipe : consumer;
    in_pipe -= n;
    taken += n;
    for (unsigned i = 0; i < count; i++) {
        struct source *s = &sources[i];
        unsigned room = SOCKETS - s->socket;
        n = server < s->unsent ? server : s->unsent;
        n = n < room ? n : room;
        s->socket += n;
        s->unsent -= n;
    }
    for (unsigned i = 0; i < count; i++) {
        struct source *s = &sources[i];
        if (s->id == turn && (s->watched || stream_buffered(s->stream) > 0))
            stream_writable(s->stream);
        read_some(s);
        pass_on(s);
    }
    (void)event_base_loop(base, EVLOOP_NONBLOCK);
}

/* --- How it stands -------------------------------------------------------- */

unsigned EXPORT(simulator_socket)(unsigned i)
{
    return sources[i].socket;
}

unsigned EXPORT(simulator_stash)(unsigned i)
{
    return (unsigned)stream_buffered(sources[i].stream);
}

int EXPORT(simulator_paused)(unsigned i)
{
    return sources[i].waiter.waits;
}

unsigned EXPORT(simulator_turn)(void)
{
    for (unsigned i = 0; i < count; i++) {
        if (sources[i].id == turn)
            return i;
    }
    return 0;
}

unsigned EXPORT(simulator_pipe)(void)
{
    return in_pipe;
}

double EXPORT(simulator_taken)(void)
{
    return taken;
}

unsigned EXPORT(simulator_drained)(void)
{
    return drained;
}
