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
#include <netdb.h>
#include <pthread.h>
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
    size_t bytes;
    size_t bytes_at_end;
    bool wrong;
    bool pauses; /* ... at the next bytes */
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
    lab_fail("the connection could not be made",
             "look_up, "
             "connection_has_stream",
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

static void open_to(struct seen *seen, const char *host)
{
    static const struct lane lane;
    struct url url;
    char text[100];
    const char *cause;
    *seen = (struct seen){.name = host};
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
static void writing_ends_alone(void)
{
    struct seen seen;
    make_loop();
    open_to(&seen, "127.0.0.1");
    int fd = accept_from(&seen);
    connection_ended(seen.connection, true, -EPIPE);
    lab_check(
        stream_loss(seen.connection->stream) == -EPIPE,
        "who waits for a drain waits for ever", "connection_ended",
        "the writing side is broken (EPIPE), and the stream's loss is %s",
        lab_value(stream_loss(seen.connection->stream)));
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

static void ends_are_told(void)
{
    end_in(true);
    end_in(false);
    end_while_paused(true);
    end_while_paused(false);
    reset_met_while_pausing();
    writing_ends_alone();
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

static void answer(void)
{
    pthread_mutex_lock(&lock);
    has_answered = true;
    pthread_cond_broadcast(&answered);
    pthread_mutex_unlock(&lock);
}

static void stalled_lookup(void)
{
    struct seen stalled, other, left;
    loop_thread = pthread_self();
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

int main(void)
{
    static const struct lab_test tests[] = {{"writes_at_once", writes_at_once},
                                            {"over_a_socket", over_a_socket},
                                            {"short_tail", short_tail},
                                            {"ends_are_told", ends_are_told},
                                            {"pause_sleeps", pause_sleeps},
                                            {"stalled_lookup", stalled_lookup},
                                            {0}};
    return lab_main(tests);
}
