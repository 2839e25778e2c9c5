/*
 * stream: the rows of the table of asyncio's cases that are about a
 * connection, by number, on bufferevents over real sockets.
 */
#include "stream.h"

#include "counter.h"
#include "main.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct event_base *base;
static struct bufferevent *bev;
static struct stream *stream;
static int peer; /* the other end; blocking */

/* --- Two ends ----------------------------------------------------------- */

/* What an owner does: the stream cannot know that its connection is lost. */
static void on_event(struct bufferevent *b, short what, void *arg)
{
    (void)b;
    (void)arg;
    if ((what & BEV_EVENT_ERROR) != 0)
        stream_lost(stream, -EVUTIL_SOCKET_ERROR());
}

/* A connection over TCP: a socket pair has no RST. */
static void make_connection(int ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int small = 4096;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ne(listener, -1);
    ck_assert_int_ne(ends[0], -1);
    /* Little room in the kernel, so that there is something to stash. */
    ck_assert_int_eq(
        setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    ck_assert_int_eq(
        setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    ck_assert_int_eq(
        bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(
        getsockname(listener, (struct sockaddr *)&address, &length), 0);
    ck_assert_int_eq(
        connect(ends[0], (struct sockaddr *)&address, sizeof address), 0);
    ends[1] = accept(listener, NULL, NULL);
    ck_assert_int_ne(ends[1], -1);
    ck_assert_int_eq(close(listener), 0);
}

static void setup(void)
{
    int ends[2];
    (void)signal(SIGPIPE, SIG_IGN);
    make_connection(ends);
    peer = ends[1];
    base = event_base_new();
    ck_assert_ptr_nonnull(base);
    ck_assert_int_eq(evutil_make_socket_nonblocking(ends[0]), 0);
    bev = bufferevent_socket_new(base, ends[0], BEV_OPT_CLOSE_ON_FREE);
    ck_assert_ptr_nonnull(bev);
    bufferevent_setcb(bev, NULL, NULL, on_event, NULL);
    ck_assert_int_eq(bufferevent_enable(bev, EV_READ), 0);
    stream = stream_new(bev);
    ck_assert_ptr_nonnull(stream);
}

static void teardown(void)
{
    stream_free(stream);
    bufferevent_free(bev);
    (void)event_base_loop(base, EVLOOP_NONBLOCK);
    event_base_free(base);
    if (peer != -1)
        (void)close(peer);
}

static void turn(void)
{
    (void)event_base_loop(base, EVLOOP_NONBLOCK);
}

/* --- Bytes that can be told apart --------------------------------------- */

#define PART ((size_t)200000)

static char byte_at(size_t n)
{
    return (char)(n * 7 + n / 251);
}

static size_t written;

static void write_bytes(size_t n)
{
    static char bytes[PART];
    ck_assert_uint_le(n, PART);
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(written + i);
    ck_assert_int_eq(stream_write(stream, bytes, n), 0);
    written += n;
}

static size_t received;

/* The peer reads what is there, and finds it in order. False at the end. */
static bool peer_reads(void)
{
    char bytes[65536];
    ssize_t n = recv(peer, bytes, sizeof bytes, MSG_DONTWAIT);
    ssize_t same = 0; /* one assertion for all: each one leaves a mark */
    while (same < n && bytes[same] == byte_at(received + (size_t)same))
        same++;
    ck_assert_msg(same >= n, "byte %zu differs", received + (size_t)same);
    if (n > 0)
        received += (size_t)n;
    return n != 0;
}

/* The peer reads until it has everything that was written. */
static void peer_reads_all(void)
{
    while (received < written) {
        ck_assert(peer_reads());
        turn();
    }
}

/* --- Waiters that count ------------------------------------------------- */

static int drain(struct counter *counter)
{
    return drain_into(stream, counter);
}

/* Turns the loop until the waiter was called, which it must be. */
static void await(const struct counter *counter)
{
    while (counter->calls == 0)
        ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
    turn();
    ck_assert_uint_eq(counter->calls, 1);
}

/* Writes until more than `high` waits. */
static void fill(int64_t high)
{
    ck_assert_int_eq(stream_set_limits(stream, high, STREAM_UNSET), 0);
    while (!stream_is_paused(stream))
        write_bytes(50000);
}

/* The peer's end sends RST. */
static void peer_resets(void)
{
    struct linger linger = {.l_onoff = 1};
    ck_assert_int_eq(
        setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    ck_assert_int_eq(close(peer), 0);
    peer = -1;
}

/* --- The rows ----------------------------------------------------------- */

START_TEST(row_15_eager)
{
    write_bytes(100); /* without a turn of the loop */
    ck_assert_uint_eq(stream_buffered(stream), 0);
    ck_assert(peer_reads());
    ck_assert_uint_eq(received, 100);
}
END_TEST

/* Rows 7 to 12 once more, where libevent does the sending: a waiter is woken
 * with the stash at the low mark or below, not above it. */
static size_t left_over;

static void note_what_is_left(void *arg, int error)
{
    left_over = stream_buffered(stream);
    count(arg, error);
}

START_TEST(row_10_low_mark)
{
    struct counter counter = {
        .waiter = {.done = note_what_is_left, .arg = &counter}};
    ck_assert_int_eq(stream_set_limits(stream, 100000, 30000), 0);
    while (!stream_is_paused(stream))
        write_bytes(10000);
    ck_assert_int_eq(stream_drain(stream, &counter.waiter), STREAM_WAITS);
    while (counter.calls == 0) {
        ck_assert(stream_is_paused(stream) ||
                  stream_buffered(stream) <= 30000);
        ck_assert(peer_reads());
        turn();
    }
    ck_assert_uint_le(left_over, 30000);
    peer_reads_all();
}
END_TEST

START_TEST(row_20_several_wait)
{
    struct counter first;
    struct counter second;
    fill(1000);
    ck_assert_int_eq(drain(&first), STREAM_WAITS);
    ck_assert_int_eq(drain(&second), STREAM_WAITS);
    while (stream_is_paused(stream)) {
        ck_assert_uint_eq(first.calls + second.calls, 0);
        ck_assert(peer_reads());
        turn();
    }
    turn();
    ck_assert_uint_eq(first.calls, 1);
    ck_assert_uint_eq(second.calls, 1);
    ck_assert_int_eq(first.error, 0);
    ck_assert_int_eq(second.error, 0);
    peer_reads_all();
}
END_TEST

START_TEST(row_21_one_is_cancelled)
{
    struct counter first;
    struct counter second;
    fill(1000);
    size_t before = stream_buffered(stream);
    ck_assert_int_eq(drain(&first), STREAM_WAITS);
    ck_assert_int_eq(drain(&second), STREAM_WAITS);
    stream_cancel(stream, &first.waiter);
    ck_assert_uint_eq(stream_buffered(stream), before);
    peer_reads_all();
    await(&second);
    ck_assert_int_eq(second.error, 0);
    ck_assert_uint_eq(first.calls, 0);
}
END_TEST

/* ... even after it has been decided that both will be called. */
START_TEST(row_21_cancelled_late)
{
    struct counter first;
    struct counter second;
    fill(1000);
    ck_assert_int_eq(drain(&first), STREAM_WAITS);
    ck_assert_int_eq(drain(&second), STREAM_WAITS);
    stream_abort(stream);
    stream_cancel(stream, &second.waiter);
    await(&first);
    ck_assert_uint_eq(second.calls, 0);
}
END_TEST

START_TEST(row_22_reset_while_some_wait)
{
    struct counter first;
    struct counter second;
    struct counter late;
    fill(1000);
    ck_assert_int_eq(drain(&first), STREAM_WAITS);
    ck_assert_int_eq(drain(&second), STREAM_WAITS);
    peer_resets();
    await(&first);
    await(&second);
    ck_assert_int_eq(first.error, -ECONNRESET);
    ck_assert_int_eq(second.error, -ECONNRESET);
    ck_assert_uint_eq(stream_buffered(stream), 0);
    ck_assert_int_eq(drain(&late), -ECONNRESET);
}
END_TEST

START_TEST(row_23_lost_while_nobody_waits)
{
    struct counter counter;
    peer_resets();
    ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
    ck_assert_int_eq(drain(&counter), -ECONNRESET);
    ck_assert_int_eq(drain(&counter), -ECONNRESET); /* and again */
}
END_TEST

/* The first deliberate difference. */
START_TEST(row_24_abort)
{
    struct counter counter;
    fill(1000);
    ck_assert_int_eq(drain(&counter), STREAM_WAITS);
    stream_abort(stream);
    ck_assert_uint_eq(counter.calls, 0); /* not from inside */
    await(&counter);
    ck_assert_int_eq(counter.error, -ECANCELED);
    ck_assert_uint_eq(stream_buffered(stream), 0);
}
END_TEST

/* The second. */
START_TEST(row_25_eager_send_fails)
{
    struct counter counter;
    ck_assert_int_eq(shutdown(bufferevent_getfd(bev), SHUT_WR), 0);
    ck_assert_int_eq(stream_write(stream, "x", 1), 0);
    ck_assert_int_eq(drain(&counter), -EPIPE);
}
END_TEST

START_TEST(row_27_closing_with_little)
{
    struct counter counter;
    struct counter closed = {.waiter = {.done = count, .arg = &closed}};
    fill(1000);
    ck_assert_int_eq(stream_set_limits(stream, 1 << 20, STREAM_UNSET), 0);
    while (stream_is_paused(stream)) { /* row 14: needs a send first */
        ck_assert(peer_reads());
        turn();
    }
    while (stream_buffered(stream) == 0)
        write_bytes(50000);
    stream_close(stream);
    ck_assert_int_eq(stream_wait_closed(stream, &closed.waiter), STREAM_WAITS);
    ck_assert_int_eq(drain(&counter), STREAM_WAITS);
    turn();
    ck_assert_uint_eq(counter.calls, 1); /* a turn, not the flush */
    ck_assert_int_eq(counter.error, 0);
    ck_assert_uint_gt(stream_buffered(stream), 0);
    peer_reads_all();
    await(&closed);
    ck_assert_int_eq(closed.error, 0);
}
END_TEST

START_TEST(row_28_closing_with_much)
{
    struct counter counter;
    fill(1000);
    stream_close(stream);
    ck_assert_int_eq(drain(&counter), STREAM_WAITS);
    turn();
    ck_assert_uint_eq(counter.calls, 0);
    peer_reads_all();
    await(&counter);
    ck_assert_int_eq(counter.error, 0);
}
END_TEST

START_TEST(row_29_closed)
{
    struct counter counter;
    stream_close(stream);
    turn();
    ck_assert_int_lt(drain(&counter), 0);
    ck_assert_int_eq(stream_wait_closed(stream, &counter.waiter), 0);
}
END_TEST

START_TEST(row_31_writes_after_the_loss)
{
    struct counter counter;
    peer_resets();
    ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
    for (int i = 0; i < 100; i++) {
        write_bytes(100000);
        ck_assert_uint_eq(stream_buffered(stream), 0);
    }
    turn();
    ck_assert_uint_eq(evbuffer_get_length(bufferevent_get_output(bev)), 0);
    ck_assert_int_eq(drain(&counter), -ECONNRESET);
}
END_TEST

START_TEST(row_32_write_eof)
{
    char byte;
    fill(1000);
    stream_write_eof(stream);
    stream_write_eof(stream);
    ck_assert_int_eq(stream_write(stream, "x", 1), -EPIPE);
    peer_reads_all(); /* all of it comes first */
    ck_assert_int_eq(recv(peer, &byte, 1, 0), 0);
    /* The other direction is as it was. */
    ck_assert_int_eq(send(peer, "y", 1, 0), 1);
    while (evbuffer_get_length(bufferevent_get_input(bev)) == 0)
        ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
}
END_TEST

START_TEST(row_33_the_peer_half_closes)
{
    struct counter counter;
    ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
    ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
    fill(1000);
    ck_assert_int_eq(drain(&counter), STREAM_WAITS);
    peer_reads_all();
    await(&counter);
    ck_assert_int_eq(counter.error, 0);
    ck_assert_int_eq(drain(&counter), 0);
}
END_TEST

/* --- What the header promises beyond the table -------------------------- */

/* The bytes that libevent holds, counted where it gets them. */
static size_t heap;

static void *count_malloc(size_t n)
{
    size_t *p = malloc(n + 16);
    if (p == NULL)
        return NULL;
    heap += n;
    *p = n;
    return (char *)p + 16;
}

static void count_free(void *at)
{
    if (at == NULL)
        return;
    size_t *p = (size_t *)((char *)at - 16);
    heap -= *p;
    free(p);
}

static void *count_realloc(void *at, size_t n)
{
    void *new = count_malloc(n);
    if (new != NULL && at != NULL) {
        size_t old = *(size_t *)((char *)at - 16);
        memcpy(new, at, old < n ? old : n);
        count_free(at);
    }
    return new;
}

/* One byte at a time costs no more memory than all at once: pieces are copied
 * together, not chained. */
START_TEST(trickle)
{
    /* First of all in this process: Check has forked it for this test. */
    teardown();
    event_set_mem_functions(count_malloc, count_realloc, count_free);
    setup();
    fill(1000);
    ck_assert_int_eq(stream_set_limits(stream, STREAM_UNLIMITED, STREAM_UNSET),
                     0);
    size_t before = heap;
    for (int i = 0; i < 200000; i++)
        write_bytes(1);
    ck_assert_uint_le(heap - before, 200000 * 21 / 10);
    peer_reads_all();
}
END_TEST

/* A megabyte through marks of every size: in order, whole, and never more
 * stashed than the mark and the piece. */
START_TEST(bounded)
{
    static const int64_t highs[] = {0, 1, 1000, 65536};
    int64_t high = highs[_i];
    struct counter counter;
    ck_assert_int_eq(stream_set_limits(stream, high, STREAM_UNSET), 0);
    while (written < 1000000) {
        write_bytes(7777);
        ck_assert_uint_le(stream_buffered(stream), (size_t)high + 7777);
        if (drain(&counter) == 0)
            continue;
        while (counter.calls == 0) {
            ck_assert(peer_reads());
            turn();
        }
    }
    peer_reads_all();
}
END_TEST

static void add_cases(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, row_10_low_mark);
    tcase_add_test(tc, row_15_eager);
    tcase_add_test(tc, row_20_several_wait);
    tcase_add_test(tc, row_21_one_is_cancelled);
    tcase_add_test(tc, row_21_cancelled_late);
    tcase_add_test(tc, row_22_reset_while_some_wait);
    tcase_add_test(tc, row_23_lost_while_nobody_waits);
    tcase_add_test(tc, row_24_abort);
    tcase_add_test(tc, row_25_eager_send_fails);
    tcase_add_test(tc, row_27_closing_with_little);
    tcase_add_test(tc, row_28_closing_with_much);
    tcase_add_test(tc, row_29_closed);
    tcase_add_test(tc, row_31_writes_after_the_loss);
    tcase_add_test(tc, row_32_write_eof);
    tcase_add_test(tc, row_33_the_peer_half_closes);
    tcase_add_test(tc, trickle);
    tcase_add_loop_test(tc, bounded, 0, 4);
}

UNIT_MAIN("stream", add_cases)
