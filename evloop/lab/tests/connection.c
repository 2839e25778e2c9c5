/*
 * connection: connections to a peer in the same process, and a stream over a
 * socket. The loop is turned by hand: nothing here depends on time.
 */
#include "connection.h"
#include "clock.h"
#include "lab.h"
#include "loop.h"
#include "socket.h"
#include "stream.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A test ends with its process: what it leaves is not looked at. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}

static char byte_at(size_t n)
{
    return (char)(n * 13 + n / 251);
}

static void fill(char *bytes, size_t n, size_t from)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(from + i);
}

static void settle(struct event_base *base, const char *when)
{
    lab_check(loop_settles(base),
              "something is ready all the time and nobody deals with it, so "
              "the loop never sleeps: one CPU is at 100%",
              "connection_pause_bufferevent, connection_resume_bufferevent: "
              "what is still watched, and what is left where",
              "%s: the loop did not go to sleep in %d turns, although nothing "
              "happens any more",
              when, LOOP_TURNS);
}

/* --- A stream over a socket --------------------------------------------- */

static struct event_base *base;
static struct bufferevent *bev;
static struct stream *stream;
static int peer;

static void on_event(struct bufferevent *b, short what, void *arg)
{
    (void)b;
    (void)arg;
    if ((what & BEV_EVENT_ERROR) != 0)
        stream_lost(stream, -EVUTIL_SOCKET_ERROR());
}

/* Little room in the kernel, so that there is something to stash. */
static void make_stream(void)
{
    int ends[2];
    int small = 4096;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                   ends) == -1 ||
        setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == -1)
        lab_broken("no sockets: %s", strerror(errno));
    peer = ends[1];
    base = event_base_new();
    bev = bufferevent_socket_new(base, ends[0], BEV_OPT_CLOSE_ON_FREE);
    stream = bev != NULL ? stream_new(bev) : NULL;
    if (stream == NULL)
        lab_broken("no memory for a stream");
    bufferevent_setcb(bev, NULL, NULL, on_event, NULL);
    (void)bufferevent_enable(bev, EV_READ);
}

static size_t received;

/* Takes what is there, which must be in order; false at the end. */
static bool peer_reads(void)
{
    char bytes[70000];
    ssize_t n = recv(peer, bytes, sizeof bytes, MSG_DONTWAIT);
    for (ssize_t i = 0; i < n; i++, received++)
        lab_check(bytes[i] == byte_at(received),
                  "bytes were lost, doubled or moved on their way through the "
                  "stash",
                  "stream_writev: what it does with the rest of a short "
                  "write, and when something is stashed already",
                  "the receiver's byte %zu is not the one that was written "
                  "there",
                  received);
    return n != 0;
}

/* More pieces than one system call takes (IOV_MAX, 1024). */
static void many_pieces_at_once(void)
{
    static char bytes[1500];
    static struct iovec parts[sizeof bytes];
    size_t before = received;
    fill(bytes, sizeof bytes, received);
    for (size_t i = 0; i < sizeof bytes; i++)
        parts[i] = (struct iovec){bytes + i, 1};
    int error = stream_writev(stream, parts, (int)sizeof bytes);
    for (int i = 0; i < 3; i++) {
        settle(base, "while many pieces are sent");
        (void)peer_reads();
    }
    lab_check(
        error == 0 && stream_loss(stream) == 0 &&
            received - before == sizeof bytes,
        "a system call takes 1024 pieces at most, and refuses more: that "
        "is no loss of the connection",
        "stream_writev: how many pieces it gives to one send",
        "%zu pieces of one byte were written (%d): the peer has %zu of "
        "them, and the stream's loss is %s",
        sizeof bytes, error, received - before,
        lab_value(stream_loss(stream)));
}

static void over_a_connection(void);

static void writes_at_once(void)
{
    char bytes[100];
    make_stream();
    fill(bytes, sizeof bytes, 0);
    int error = stream_write(stream, bytes, sizeof bytes);
    (void)peer_reads();
    lab_check(error == 0 && received == sizeof bytes &&
                  stream_buffered(stream) == 0,
              "the write only stashes, and leaves the sending to a later turn "
              "of the loop: that is a copy and a call of epoll_wait more for "
              "every piece",
              "stream_writev: what it tries first, with an empty stash",
              "100 bytes were written to a socket with room (%d): before any "
              "turn of the loop the peer has %zu of them, %zu are stashed",
              error, received, stream_buffered(stream));
    many_pieces_at_once();
    over_a_connection();
}

static void never(void *arg, int error)
{
    (void)arg;
    lab_fail("nothing was sent: who waits for the low mark waits on",
             "on_change, maybe_resume", "a waiter was called, with %s",
             lab_value(error));
}

/* The stash grows, and that is no send: what waits for the low mark waits on. */
static void added_is_not_sent(void)
{
    static char bytes[100000];
    struct stream_waiter waiter = {.done = never, .arg = NULL};
    make_stream();
    int error = stream_set_limits(stream, 10000, 2500);
    if (error == 0)
        error = stream_write(stream, bytes, sizeof bytes);
    int said = stream_drain(stream, &waiter);
    lab_check(
        error == 0 && said == STREAM_WAITS,
        "more than the high mark is "
        "stashed",
        "stream_drain",
        "high mark 10000, 100000 bytes written (%d), nobody reads: drain "
        "says %d",
        error, said);
    error = stream_set_limits(stream, 1000000, 500000);
    if (error == 0)
        error = stream_write(stream, "x", 1);
    lab_check(
        error == 0 && stream_is_paused(stream),
        "libevent tells of bytes that are added as it does of those that "
        "it has sent",
        "on_change: what `info` says",
        "paused, the marks are raised, and one byte more is stashed "
        "(%d): the stream has resumed, and nothing was sent",
        error);
    settle(base, "with a stash, and a peer that does not read");
    stream_cancel(stream, &waiter);
}

#define PIECE 5000
#define MUCH  1000000

struct pump {
    struct stream_waiter waiter;
    size_t written;
    unsigned waits;
    bool finished;
    int error;
};

/* stream.h's example. */
static void on_pump(void *arg, int error)
{
    struct pump *pump = arg;
    char bytes[PIECE];
    while (error == 0 && pump->written < MUCH) {
        fill(bytes, PIECE, pump->written);
        error = stream_write(stream, bytes, PIECE);
        pump->written += PIECE;
        size_t stashed = stream_buffered(stream);
        lab_check(stashed <= 10000 + PIECE,
                  "drain says 'go on' although more than the high mark is "
                  "stashed: nothing bounds the memory",
                  "stream_writev: when the stream pauses; stream_drain",
                  "high mark 10000, pieces of %d, a drain after each: %zu "
                  "bytes are stashed",
                  PIECE, stashed);
        if (error == 0)
            error = stream_drain(stream, &pump->waiter);
    }
    pump->waits += error == STREAM_WAITS ? 1 : 0;
    if (error == STREAM_WAITS)
        return;
    pump->finished = true;
    pump->error = error;
}

static void over_a_socket(void)
{
    struct pump pump = {.waiter = {.done = on_pump, .arg = &pump}};
    added_is_not_sent();
    make_stream();
    int error = stream_set_limits(stream, 10000, 2500);
    lab_check(error == 0, "allowed marks are refused", "stream_set_limits",
              "stream_set_limits(10000, 2500) says %d", error);
    on_pump(&pump, 0);
    for (size_t before = 1; received != before;) {
        before = received;
        (void)peer_reads();
        settle(base, "while a stream empties into a socket");
        (void)peer_reads();
    }
    lab_check(pump.finished && pump.error == 0 && received == MUCH,
              "the pump waits for a drain that does not come, or bytes are "
              "missing at the end",
              "on_change: what happens when libevent has sent something; "
              "where the stream resumes",
              "of %d bytes %zu were written, %zu received, %zu are stashed; "
              "drain had to wait %u times, and the pump %s (%d)",
              MUCH, pump.written, received, stream_buffered(stream),
              pump.waits, pump.finished ? "has ended" : "still waits",
              pump.error);
    lab_check(pump.waits > 10, "drain never says 'wait'",
              "stream_writev: when the stream pauses",
              "a megabyte through a high mark of 10000: %u waits", pump.waits);
}

/* --- Connections -------------------------------------------------------- */

/* What a connection's owner has seen. */
struct seen {
    const char *name;
    struct connection *connection;
    unsigned connected;
    unsigned failed;
    unsigned ended;
    int error;
    enum result result; /* of a failure */
    const char *cause;
    size_t bytes;
    size_t bytes_at_end;
    bool wrong;
    bool pauses;   /* ... at the next bytes */
    bool closes;   /* ... the same */
    bool may_fail; /* to connect */
};

static struct loop loop;
static int listener;
static unsigned port;

static void seen_connected(void *arg)
{
    struct seen *seen = arg;
    seen->connected++;
}

static void seen_failed(void *arg, enum result result, const char *cause)
{
    struct seen *seen = arg;
    seen->failed++;
    seen->result = result;
    seen->cause = cause;
    lab_check(seen->may_fail, "the connection could not be made",
              "look_up, connection_has_stream",
              "the connection to %s failed: %s, %s", seen->name,
              result_word(result), cause);
}

static void seen_readable(void *arg, const char *p, size_t n)
{
    struct seen *seen = arg;
    lab_check(!seen->connection->paused,
              "who has paused has no room: nothing may come before it resumes",
              "connection_hand_on_input, connection_is_readable",
              "%zu bytes were handed on while the connection was paused", n);
    for (size_t i = 0; i < n; i++)
        seen->wrong = seen->wrong || p[i] != byte_at(seen->bytes + i);
    seen->bytes += n;
    if (seen->pauses)
        connection_pause(seen->connection);
    seen->pauses = false;
    if (seen->closes)
        connection_close(seen->connection);
    seen->closes = false;
}

static void seen_ended(void *arg, int error)
{
    struct seen *seen = arg;
    seen->ended++;
    seen->error = error;
    seen->bytes_at_end = seen->bytes;
}

static const struct connection_owner owner = {seen_connected, seen_failed,
                                              seen_readable, seen_ended};

static void make_loop(void)
{
    static struct tls tls;
    static struct trace trace;
    base = event_base_new();
    loop = (struct loop){.base = base,
                         .tls = &tls,
                         .trace = &trace,
                         .connect_timeout_us = 1000 * CLOCK_SECOND};
    if (base == NULL || loop_open(&loop, 8) != 0)
        lab_broken("no memory for a loop");
    listener = listen_anywhere(&port);
}

static void open_one(struct seen *seen, const char *host, bool may_fail)
{
    static const struct lane lane;
    struct url url;
    char text[100];
    const char *cause;
    *seen = (struct seen){.name = host, .may_fail = may_fail};
    (void)snprintf(text, sizeof text, "http://%s:%u/", host, port);
    if (url_parse(&url, text, strlen(text), &cause) != RESULT_OK)
        lab_broken("a URL is refused: %s", cause);
    seen->connection = connection_open(&loop, &url, 0, &owner, seen, &lane);
    url_free(&url);
    lab_check(seen->connection != NULL, "there is memory enough",
              "connection_open", "connection_open gave no connection");
    lab_check(seen->connected + seen->failed == 0,
              "who opens does not have the connection in hand yet",
              "look_up, on_resolved",
              "the owner was called from inside of connection_open");
}

static void open_to(struct seen *seen, const char *host)
{
    open_one(seen, host, false);
}

static bool is_connected(void *context)
{
    struct seen *seen = context;
    settle(base, "while connecting");
    return seen->connected > 0;
}

/* The peer's end of a new connection. */
static int accept_from(struct seen *seen)
{
    lab_check(lab_eventually(is_connected, seen),
              "the connection never opened", "look_up, connection_has_stream",
              "the owner of the connection to %s was never told that it is "
              "open",
              seen->name);
    int fd = accept(listener, NULL, NULL);
    if (fd == -1)
        lab_broken("accept: %s", strerror(errno));
    return fd;
}

/* `n` bytes go to the connection, and arrive in its socket. */
static void give(int fd, struct seen *seen, size_t n)
{
    static size_t given;
    char bytes[6000];
    if (seen->bytes == 0)
        given = 0;
    fill(bytes, n, given);
    given += n;
    send_all(fd, bytes, n);
    wait_arrived(fd);
}

static void check_bytes(const struct seen *seen, size_t expected,
                        const char *means, const char *look)
{
    lab_check(seen->bytes == expected, means, look,
              "%zu bytes have arrived in the socket, %zu were handed on to "
              "the owner, and the loop sleeps",
              expected, seen->bytes);
    lab_check(!seen->wrong, "bytes were lost, doubled or moved",
              "connection_hand_on_input",
              "the %zu bytes that were handed on are not those sent",
              seen->bytes);
}

/* The stream of a connection does as one that is made by hand. */
static void over_a_connection(void)
{
    struct seen seen;
    char bytes[100];
    make_loop();
    open_to(&seen, "127.0.0.1");
    int fd = accept_from(&seen);
    int error = stream_write(seen.connection->stream, "whole", 5);
    ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    lab_check(error == 0 && n == 5,
              "what the kernel has room for need not wait for a turn of the "
              "loop: that is for TLS alone",
              "connection_has_stream: which stream it makes",
              "5 bytes were written to the stream of a plain connection (%d): "
              "before any turn of the loop the peer has %zd",
              error, n);
    connection_close(seen.connection);
}

/* libevent has read `n` bytes, and not told of them yet; as it is with TLS, of
 * which it reads all that has come. */
static void has_been_read(struct seen *seen, size_t n)
{
    char bytes[6000];
    struct evbuffer *input = bufferevent_get_input(seen->connection->bev);
    fill(bytes, n, seen->bytes);
    if (evbuffer_unfreeze(input, 0) != 0 || evbuffer_add(input, bytes, n) != 0)
        lab_broken("no memory for %zu bytes", n);
    (void)evbuffer_freeze(input, 0);
}

/* No end comes to push the tail out. */
static void short_tail(void)
{
    static const size_t pieces[] = {1, 100, 80, 6000, 5000, 1000, 4096, 1};
    struct seen seen;
    size_t given = 0;
    make_loop();
    open_to(&seen, "127.0.0.1");
    int fd = accept_from(&seen);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        given += pieces[i];
        give(fd, &seen, pieces[i]);
        settle(base, "after some bytes have arrived");
        check_bytes(&seen, given,
                    "libevent holds the tail back until more comes, which may "
                    "be never: a message that is shorter than a mark is not "
                    "told at all",
                    "connection_has_stream and connection_hand_on_input: what "
                    "is asked of libevent, and whether all that is there is "
                    "taken");
    }
    connection_close(seen.connection);
    settle(base, "after a connection was closed");
}

static void reset(int fd)
{
    struct linger linger = {.l_onoff = 1};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    (void)close(fd);
}

static bool has_ended(void *context)
{
    struct seen *seen = context;
    settle(base, "while a connection ends");
    return seen->ended > 0;
}

static void end_in(bool in_good_order)
{
    struct seen seen;
    int wanted = in_good_order ? 0 : -ECONNRESET;
    make_loop();
    open_to(&seen, "127.0.0.1");
    int fd = accept_from(&seen);
    give(fd, &seen, 5000);
    settle(base, "after some bytes have arrived");
    if (in_good_order)
        (void)close(fd);
    else
        reset(fd);
    lab_check(lab_eventually(has_ended, &seen),
              "nobody is told of the end: a request waits until its time is "
              "over",
              "connection_ended",
              "the peer has %s: the owner never heard of it",
              in_good_order ? "closed" : "reset the connection");
    lab_check(seen.ended == 1 && seen.error == wanted &&
                  seen.bytes_at_end == 5000,
              "what has come before the end comes first; the end comes once, "
              "with 0 for a close and the error for a reset",
              "connection_ended, and what it is called with",
              "5000 bytes, then the peer has %s: the end was told %u times, "
              "with %d (%s), after %zu bytes",
              in_good_order ? "closed" : "reset the connection", seen.ended,
              seen.error, strerror(-seen.error), seen.bytes_at_end);
    connection_close(seen.connection);
    settle(base, "after a connection was closed");
}

/* The owner is paused when the end comes: it hears of the bytes, and then of
 * the end, when it reads on. */
static void end_while_paused(bool in_good_order)
{
    struct seen seen;
    int wanted = in_good_order ? 0 : -ECONNRESET;
    make_loop();
    open_to(&seen, "127.0.0.1");
    int fd = accept_from(&seen);
    give(fd, &seen, 100);
    settle(base, "after some bytes have arrived");
    connection_pause(seen.connection);
    give(fd, &seen, 6000);
    if (in_good_order)
        (void)close(fd);
    else
        reset(fd);
    settle(base, "a paused connection has ended");
    lab_check(seen.ended == 0, "who has paused is not told, not even the end",
              "connection_ended, tell_end",
              "the connection is paused, and its end was told");
    connection_resume(seen.connection);
    lab_check(
        lab_eventually(has_ended, &seen),
        "nobody is told of the end: a request waits until its time is "
        "over",
        "connection_resume_bufferevent",
        "a paused connection has ended, and was resumed: the owner never "
        "heard of it");
    lab_check(seen.ended == 1 && seen.error == wanted &&
                  (!in_good_order || seen.bytes_at_end == 6100),
              "what has come before the end comes first; the end comes once",
              "connection_resume_bufferevent: in which order",
              "6100 bytes, and while we were paused a %s: the end was told %u "
              "times, with %s, after %zu bytes",
              in_good_order ? "close" : "reset", seen.ended,
              lab_value(seen.error), seen.bytes_at_end);
    connection_close(seen.connection);
    settle(base, "after a connection was closed");
}

/* One reading brings bytes, at which the owner pauses, and meets the reset
 * behind them. The kernel tells that once: the next reading finds an end. */
static void reset_met_while_pausing(void)
{
    char bytes[4096];
    struct seen seen;
    make_loop();
    open_to(&seen, "127.0.0.1");
    int fd = accept_from(&seen);
    fill(bytes, sizeof bytes, 0);
    send_all(fd, bytes, sizeof bytes);
    wait_arrived(fd);
    reset(fd);
    seen.pauses = true;
    settle(base, "a connection was reset behind some bytes");
    lab_check(seen.ended == 0, "who has paused is not told, not even the end",
              "tell_end", "the connection is paused, and its end was told");
    connection_resume(seen.connection);
    lab_check(lab_eventually(has_ended, &seen) && seen.ended == 1 &&
                  seen.error == -ECONNRESET,
              "a part of a body would pass for the whole",
              "connection_resume_bufferevent: has_end",
              "%zu bytes came, at which we paused, and a reset behind them: "
              "when resumed the end was told %u times, with %s",
              seen.bytes, seen.ended, lab_value(seen.error));
    connection_close(seen.connection);
    settle(base, "after a connection was closed");
}

/* A server that takes no more of an upload has answered why. */
static void writing_ends_alone(int told, int expected)
{
    struct seen seen;
    make_loop();
    open_to(&seen, "127.0.0.1");
    int fd = accept_from(&seen);
    connection_ended(seen.connection, true, told);
    int loss = stream_loss(seen.connection->stream);
    lab_check(loss == expected,
              "who waits for a drain waits for ever, or hears another reason; "
              "an end without an error is a broken pipe",
              "connection_ended",
              "the writing side is broken (%s), and the stream's loss is %s",
              lab_value(told), lab_value(loss));
    give(fd, &seen, 5000);
    settle(base, "after the writing side has broken");
    check_bytes(&seen, 5000,
                "the peer takes no more, and has said why: that is to be read",
                "connection_ended: what `writing` is for");
    lab_check(seen.ended == 0, "the reading side is whole",
              "connection_ended: what `writing` is for",
              "the writing side is broken, and the end was told");
    (void)close(fd);
    lab_check(lab_eventually(has_ended, &seen) && seen.ended == 1 &&
                  seen.error == 0,
              "the reading side is whole, and its end is told as ever",
              "connection_ended",
              "the writing side is broken, and the peer closes: the end was "
              "told %u times, with %s",
              seen.ended, lab_value(seen.error));
    connection_close(seen.connection);
    settle(base, "after a connection was closed");
}

/* libevent has read some bytes, and the end behind them. At the bytes the
 * owner closes. */
static void closed_at_the_last_bytes(void)
{
    struct seen seen;
    make_loop();
    open_to(&seen, "127.0.0.1");
    int fd = accept_from(&seen);
    has_been_read(&seen, 100);
    seen.closes = true;
    lab_doing("telling of an end behind bytes at which the owner closes",
              "who calls the owner may find the connection closed on return",
              "connection_ended: what it looks at after the bytes");
    connection_ended(seen.connection, false, 0);
    lab_check(seen.bytes == 100 && seen.ended == 0,
              "after connection_close no call is made any more",
              "connection_ended",
              "100 bytes and the end, and at the bytes the owner closes: "
              "%zu bytes and %u ends were told",
              seen.bytes, seen.ended);
    settle(base, "after a connection was closed");
    (void)close(fd);
}

static bool is_closed(void *context)
{
    settle(base, "while an idle connection ends");
    return fcntl(*(int *)context, F_GETFD) == -1;
}

/* A connection that no request has. The server's end of it; `kept` is ours. */
static int keep_one(struct seen *seen, int *kept)
{
    make_loop();
    open_to(seen, "127.0.0.1");
    int fd = accept_from(seen);
    *kept = bufferevent_getfd(seen->connection->bev);
    connection_keep(seen->connection);
    return fd;
}

/* ... and of one that nobody has the writing side may break, as well. */
static void broken_while_idle(void)
{
    struct seen seen;
    int kept;
    int fd = keep_one(&seen, &kept);
    lab_doing("telling that an idle connection's writing side has broken",
              "it is closed by then, and has no stream any more",
              "connection_ended: connection_drop_idle");
    connection_ended(seen.connection, true, -EPIPE);
    lab_check(is_closed(&kept) && seen.ended == 0,
              "an idle connection that breaks is of no use any more",
              "connection_ended: connection_drop_idle",
              "an idle connection's writing side has broken: %u ends were "
              "told, and its descriptor is %s",
              seen.ended, is_closed(&kept) ? "closed" : "still open");
    (void)close(fd);
}

/* Between two requests it is listened to. */
static void ended_while_idle(void)
{
    struct seen seen;
    int kept;
    int fd = keep_one(&seen, &kept);
    settle(base, "with an idle connection");
    lab_check(fcntl(kept, F_GETFD) != -1, "it is kept for the next request",
              "connection_ended", "an idle connection was closed");
    (void)close(fd);
    lab_check(lab_eventually(is_closed, &kept),
              "the server has closed a connection that no request has: kept, "
              "it takes a descriptor until the end of the run",
              "connection_ended: connection_drop_idle",
              "an idle connection's peer has closed: its descriptor is still "
              "open, and the loop sleeps");
    lab_check(seen.ended == 0, "it has no owner any more", "connection_ended",
              "an idle connection has ended, and the one that had it was "
              "told");
}

static void ends_are_told(void)
{
    closed_at_the_last_bytes();
    ended_while_idle();
    broken_while_idle();
    end_in(true);
    end_in(false);
    end_while_paused(true);
    end_while_paused(false);
    reset_met_while_pausing();
    writing_ends_alone(-EPIPE, -EPIPE);
    writing_ends_alone(-ETIMEDOUT, -ETIMEDOUT);
    writing_ends_alone(0, -EPIPE);
}

static void pause_sleeps(void)
{
    struct seen seen;
    make_loop();
    open_to(&seen, "127.0.0.1");
    int fd = accept_from(&seen);
    give(fd, &seen, 5000);
    settle(base, "after some bytes have arrived");
    check_bytes(&seen, 5000, "what is there is handed on",
                "connection_hand_on_input");
    connection_pause(seen.connection);
    give(fd, &seen, 6000); /* seen_readable would complain */
    settle(base, "a connection is paused, and 6000 bytes wait in its socket");
    connection_resume(seen.connection);
    settle(base, "after a connection was resumed");
    check_bytes(&seen, 11000,
                "resuming must also hand on what was read before the pause, "
                "and read on",
                "connection_resume_bufferevent");
    connection_pause(seen.connection);
    has_been_read(&seen, 1000);
    settle(base, "a connection is paused, and libevent has read 1000 bytes");
    connection_resume(seen.connection);
    settle(base, "after a connection was resumed");
    check_bytes(&seen, 12000,
                "libevent tells of bytes once, when it reads them: what it "
                "has read before the pause waits until more comes",
                "connection_resume_bufferevent");
    connection_close(seen.connection);
    settle(base, "after a connection was closed");
}

/* --- A name server that does not answer --------------------------------- */

static pthread_t loop_thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;
static bool has_answered;

static bool is_stalled(const char *host)
{
    return host != NULL && strcmp(host, "stalled.test") == 0;
}

int __real_getaddrinfo(const char *host, const char *service,
                       const struct addrinfo *hints, struct addrinfo **out);
int __wrap_getaddrinfo(const char *host, const char *service,
                       const struct addrinfo *hints, struct addrinfo **out);

/* The system's resolver asks the same name server. */
int __wrap_getaddrinfo(const char *host, const char *service,
                       const struct addrinfo *hints, struct addrinfo **out)
{
    if (!is_stalled(host))
        return __real_getaddrinfo(host, service, hints, out);
    if (pthread_equal(pthread_self(), loop_thread))
        lab_fail("getaddrinfo waits as long as the name server likes, and the "
                 "loop with it: one stalled look-up freezes every other "
                 "request",
                 "look_up: which of the calls in it may block",
                 "getaddrinfo(\"%s\") was called from a callback, in the "
                 "loop's own thread, and the name server does not answer",
                 host);
    pthread_mutex_lock(&lock); /* a thread of its own: that is all right */
    while (!has_answered)
        pthread_cond_wait(&answered, &lock);
    pthread_mutex_unlock(&lock);
    return __real_getaddrinfo("127.0.0.1", service, hints, out);
}

static unsigned dropped;

void __real_lookup_drop(struct lookup *lookup);
void __wrap_lookup_drop(struct lookup *lookup);

void __wrap_lookup_drop(struct lookup *lookup)
{
    dropped += lookup != NULL ? 1 : 0;
    __real_lookup_drop(lookup);
}

/* So many calls fail for want of memory. */
static unsigned begin_fails, add_fails;
static unsigned begun;

int __real_lookup_begin(const struct url *url, bool may_wait,
                        struct lookup **lookup);
int __wrap_lookup_begin(const struct url *url, bool may_wait,
                        struct lookup **lookup);

int __wrap_lookup_begin(const struct url *url, bool may_wait,
                        struct lookup **lookup)
{
    int error = -ENOMEM;
    *lookup = NULL;
    if (begin_fails == 0)
        error = __real_lookup_begin(url, may_wait, lookup);
    else
        begin_fails--;
    begun += error == 0 ? 1 : 0;
    return error;
}

int __real_event_add(struct event *event, const struct timeval *time);
int __wrap_event_add(struct event *event, const struct timeval *time);

int __wrap_event_add(struct event *event, const struct timeval *time)
{
    if (add_fails == 0)
        return __real_event_add(event, time);
    add_fails--;
    return -1;
}

static void answer(void)
{
    pthread_mutex_lock(&lock);
    has_answered = true;
    pthread_cond_broadcast(&answered);
    pthread_mutex_unlock(&lock);
}

/* The owner is told, on a later turn, and why. */
static void check_shortage(struct seen *seen, const char *what)
{
    settle(base, "after a look-up that could not begin");
    lab_check(seen->connected == 0 && seen->failed == 1 &&
                  seen->result == RESULT_NO_RESOURCES && seen->cause != NULL &&
                  strcmp(seen->cause, strerror(ENOMEM)) == 0,
              "the owner waits for an answer that never comes, or takes a "
              "shortage for something else",
              "look_up: what if memory is short; `failure`",
              "%s: the owner was told of %u connections and %u failures, the "
              "last of them '%s', '%s'",
              what, seen->connected, seen->failed, result_word(seen->result),
              seen->cause != NULL ? seen->cause : "");
    connection_close(seen->connection);
    settle(base, "after a connection was closed");
    lab_check(dropped == begun, "a look-up that was begun is to be given back",
              "look_up, connection_close: drop_lookup",
              "%s, and the connection was closed: of %u look-ups %u were "
              "given back",
              what, begun, dropped);
}

/* An idle connection's memory and descriptors will do for a look-up. */
static void idle_ones_give_way(void)
{
    struct seen kept[3], seen;
    for (int i = 0; i < 3; i++) {
        open_to(&kept[i], "127.0.0.1");
        (void)accept_from(&kept[i]);
    }
    for (int i = 0; i < 3; i++)
        connection_keep(kept[i].connection);
    open_to(&seen, "127.0.0.1");
    lab_check(loop.idle.count == 3,
              "idle connections are for the next requests",
              "look_up: when idle_drop is called",
              "of three idle connections %zu are left after a look-up that "
              "has lacked nothing",
              loop.idle.count);
    (void)close(accept_from(&seen));
    connection_close(seen.connection);
    begin_fails = 2;
    open_to(&seen, "127.0.0.1");
    (void)close(accept_from(&seen));
    lab_check(loop.idle.count == 1 && begin_fails == 0,
              "an idle connection gives its place to a look-up that lacks "
              "memory, a descriptor or a thread; one after the other, and no "
              "more than that takes",
              "look_up: idle_drop",
              "a look-up has failed twice for want of memory, with three idle "
              "connections: %zu are left",
              loop.idle.count);
    connection_close(seen.connection);
    while (idle_drop(&loop.idle))
        continue;
    settle(base, "after the connections were closed");
}

static void no_memory_for_a_lookup(void)
{
    struct seen seen;
    make_loop();
    idle_ones_give_way();
    lab_doing("looking a name up without memory",
              "what fails is tried for ever, or goes unnoticed", "look_up");
    begin_fails = 1;
    open_one(&seen, "127.0.0.1", true);
    check_shortage(&seen, "a look-up cannot begin for want of memory");
    add_fails = 1;
    open_one(&seen, "stalled.test", true);
    bool failed = add_fails == 0;
    add_fails = 0;
    if (failed)
        check_shortage(&seen, "nobody can wait for the look-up's answer, for "
                              "want of memory");
    else
        connection_close(seen.connection);
    settle(base, "after a connection was closed");
}

static void stalled_lookup(void)
{
    struct seen stalled, other, left;
    loop_thread = pthread_self();
    no_memory_for_a_lookup();
    dropped = 0;
    make_loop();
    open_to(&stalled, "stalled.test");
    open_to(&left, "stalled.test");
    open_to(&other, "127.0.0.1");
    int fd = accept_from(&other);
    give(fd, &other, 5000);
    settle(base, "while a name is looked up");
    check_bytes(&other, 5000,
                "a look-up that stalls must not keep others from going on",
                "look_up");
    lab_check(stalled.connected == 0, "nobody has said where stalled.test is",
              "look_up", "the connection to stalled.test is open already");
    lab_doing("closing a connection whose name is being looked up",
              "the answer comes later, to what is freed by then",
              "connection_close");
    connection_close(left.connection);
    settle(base, "after a connection was closed during its look-up");
    answer();
    (void)close(accept_from(&stalled));
    connection_close(stalled.connection);
    connection_close(other.connection);
    settle(base, "after the connections were closed");
    lab_check(dropped == 3,
              "a look-up is the connection's, also when that is closed before "
              "the answer is here: nobody else gives its memory back",
              "connection_close: drop_lookup",
              "of the look-ups of three connections %u were given back, when "
              "all were closed",
              dropped);
    lab_check(left.connected + left.failed + left.ended == 0,
              "after connection_close no call is made any more",
              "connection_close",
              "a connection was closed during its look-up, and its owner was "
              "called %u times",
              left.connected + left.failed + left.ended);
}

/* --- Closing ------------------------------------------------------------- */

static struct ssl_st *session; /* a pretended one, while it is closed */
static unsigned shut_down, freed;

void __real_tls_shutdown(struct ssl_st *of);
void __wrap_tls_shutdown(struct ssl_st *of);

void __wrap_tls_shutdown(struct ssl_st *of)
{
    if (of == NULL || of != session) {
        __real_tls_shutdown(of);
        return;
    }
    shut_down++;
    lab_check(freed == 0, "a session that is freed has nothing to say",
              "connection_drop_bufferevent",
              "tls_shutdown is called after tls_free");
}

void __real_tls_free(struct ssl_st *of);
void __wrap_tls_free(struct ssl_st *of);

void __wrap_tls_free(struct ssl_st *of)
{
    if (of != NULL && of == session)
        freed++;
    else
        __real_tls_free(of);
}

static void tls_ends(void)
{
    static char place;
    struct seen seen;
    make_loop();
    open_to(&seen, "127.0.0.1");
    (void)accept_from(&seen);
    session = (struct ssl_st *)&place;
    seen.connection->tls = session;
    connection_close(seen.connection);
    settle(base, "after a connection was closed");
    lab_check(shut_down == 1 && freed == 1,
              "a session of TLS says good-bye, and is freed, when its "
              "connection is closed",
              "connection_drop_bufferevent",
              "a connection with TLS was closed: tls_shutdown was called %u "
              "times with its session, and tls_free %u times",
              shut_down, freed);
}

static int events(void)
{
    settle(base, "when nothing is to be done");
    return event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED);
}

/* Closed while its name is looked up, and while it connects: the loop waits
 * for nothing that was of it. */
static void closed_before_it_is_open(void)
{
    struct seen seen;
    make_loop();
    int before = events();
    open_to(&seen, "stalled.test");
    connection_close(seen.connection);
    int looking_up = events() - before;
    open_to(&seen, "127.0.0.1");
    while (seen.connection->state < CONNECTING)
        (void)event_base_loop(base, EVLOOP_ONCE);
    connection_close(seen.connection);
    int connecting = events() - before;
    lab_check(looking_up == 0 && connecting == 0,
              "the loop keeps the address of an event whose memory is freed "
              "on the next turn",
              "connection_close: event_del",
              "closed while its name was looked up a connection leaves %d "
              "events in the loop; two, of which one was connecting, leave %d",
              looking_up, connecting);
}

/* Nothing is left of a connection: of its parts when it is closed, and of
 * itself a turn later. */
static void closed_whole(void)
{
    struct seen seen;
    make_loop();
    open_to(&seen, "127.0.0.1");
    (void)accept_from(&seen);
    const struct connection *c = seen.connection;
    int fd = bufferevent_getfd(c->bev);
    connection_close(seen.connection);
    lab_check(fcntl(fd, F_GETFD) == -1, "a descriptor is scarcer than memory",
              "connection_close, connection_drop_bufferevent",
              "a connection was closed, and its descriptor is still open");
    lab_check(!__asan_address_is_poisoned(c),
              "who calls the owner looks at the connection once more",
              "connection_close, free_soon",
              "a connection's memory is freed within connection_close");
    lab_check(c->owner == NULL && c->stream == NULL && c->lookup == NULL &&
                  c->bev == NULL,
              "for who looks at it once more it is closed, and has nothing",
              "connection_close", "a connection was closed, and has still %s",
              c->owner != NULL    ? "an owner"
              : c->stream != NULL ? "a stream, which is freed"
              : c->lookup != NULL ? "a look-up, which is given back"
                                  : "a bufferevent, which is freed");
    connection_close(seen.connection); /* does nothing */
    settle(base, "after a connection was closed");
    lab_check(__asan_address_is_poisoned(c),
              "a long list of URLs fills the memory with closed connections",
              "free_soon, on_reap",
              "a connection was closed, the loop sleeps, and the connection's "
              "memory is not freed");
    tls_ends();
    closed_before_it_is_open();
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"writes_at_once", writes_at_once}, {"over_a_socket", over_a_socket},
        {"short_tail", short_tail},         {"ends_are_told", ends_are_told},
        {"pause_sleeps", pause_sleeps},     {"stalled_lookup", stalled_lookup},
        {"closed_whole", closed_whole},     {0}};
    return lab_main(tests);
}
