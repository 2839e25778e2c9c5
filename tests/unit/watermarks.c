/*
 * watermarks: the rows of the table of asyncio's cases that need no socket,
 * by number, on a transport that takes just as much as it is told to.
 */
#include "stream.h"

#include "counter.h"
#include "main.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>

/* --- A transport that obeys --------------------------------------------- */

struct fake {
    size_t room; /* bytes that it will still take */
    int error;   /* what a send says when there is no room */
    bool watched;
    unsigned sends;
    unsigned shuts;
    char sent[1024]; /* the beginning of what was sent */
    size_t length;
};

static ssize_t fake_send(void *context, const struct iovec *parts, int n)
{
    struct fake *fake = context;
    size_t taken = 0;
    fake->sends++;
    if (fake->room == 0)
        return fake->error;
    for (int i = 0; i < n && fake->room > 0; i++) {
        const char *p = parts[i].iov_base;
        size_t part = parts[i].iov_len;
        if (part > fake->room)
            part = fake->room;
        for (size_t at = 0; at < part; at++, fake->length++) {
            if (fake->length < sizeof fake->sent)
                fake->sent[fake->length] = p[at];
        }
        fake->room -= part;
        taken += part;
    }
    return (ssize_t)taken;
}

static void fake_watch(void *context, bool on)
{
    struct fake *fake = context;
    fake->watched = on;
}

static void fake_shut(void *context)
{
    struct fake *fake = context;
    fake->shuts++;
}

static const struct stream_transport transport = {fake_send, fake_watch,
                                                  fake_shut};

static struct event_base *base;
static struct fake fake;
static struct stream *stream;

static void setup(void)
{
    base = event_base_new();
    ck_assert_ptr_nonnull(base);
    fake = (struct fake){.error = -EAGAIN};
    stream = stream_new_over(base, &transport, &fake);
    ck_assert_ptr_nonnull(stream);
}

static void teardown(void)
{
    stream_free(stream);
    event_base_free(base);
}

/* --- Waiters that count ------------------------------------------------- */

static int drain(struct counter *counter)
{
    return drain_into(stream, counter);
}

static void turn(void)
{
    (void)event_base_loop(base, EVLOOP_NONBLOCK);
}

static void write_bytes(size_t n)
{
    static const char zeroes[200000];
    ck_assert_uint_le(n, sizeof zeroes);
    ck_assert_int_eq(stream_write(stream, zeroes, n), 0);
}

/* The transport takes `n` bytes of what is stashed. */
static void sink(size_t n)
{
    fake.room = n;
    stream_writable(stream);
    ck_assert_uint_eq(fake.room, 0);
}

static bool is_ready(void)
{
    struct counter counter;
    int error = drain(&counter);
    stream_cancel(stream, &counter.waiter);
    return error == 0;
}

/* --- Rows 1 to 6: the marks --------------------------------------------- */

static const struct {
    int row;
    int64_t high, low;
    int64_t wanted_high, wanted_low; /* -1: refused */
} marks[] = {
    {1, STREAM_UNSET, STREAM_UNSET, 65536, 16384},
    {2, 100, STREAM_UNSET, 100, 25},
    {2, 7, STREAM_UNSET, 7, 1},
    {2, 3, STREAM_UNSET, 3, 0},
    {3, STREAM_UNSET, 10, 40, 10},
    {4, 0, STREAM_UNSET, 0, 0},
    {4, STREAM_UNSET, 0, 0, 0},
    {5, 10, 10, 10, 10},
    {6, 10, 11, -1, -1},
    {6, -1, STREAM_UNSET, -1, -1},
    {6, STREAM_UNSET, -1, -1, -1},
    {6, -1, -2, -1, -1},
    {6, 10, -1, -1, -1},
};

#define MARKS (int)(sizeof marks / sizeof *marks)

START_TEST(rows_1_to_6)
{
    int64_t high;
    int64_t low;
    ck_assert_int_eq(stream_set_limits(stream, 77, 33), 0);
    int error = stream_set_limits(stream, marks[_i].high, marks[_i].low);
    stream_get_limits(stream, &high, &low);
    if (marks[_i].wanted_high == -1) {
        ck_assert_msg(error == -EINVAL, "row %d: %d", marks[_i].row, error);
        ck_assert_int_eq(high, 77); /* as they were */
        ck_assert_int_eq(low, 33);
        return;
    }
    ck_assert_msg(error == 0 && high == marks[_i].wanted_high &&
                      low == marks[_i].wanted_low,
                  "row %d: %d, high %lld, low %lld", marks[_i].row, error,
                  (long long)high, (long long)low);
}
END_TEST

/* A new stream has the defaults without being told. */
START_TEST(row_1_defaults)
{
    int64_t high;
    int64_t low;
    stream_get_limits(stream, &high, &low);
    ck_assert_int_eq(high, 65536);
    ck_assert_int_eq(low, 16384);
}
END_TEST

/* --- Rows 7 to 14: pausing and resuming --------------------------------- */

START_TEST(row_7_at_the_high_mark)
{
    ck_assert_int_eq(stream_set_limits(stream, 100, 25), 0);
    write_bytes(100);
    ck_assert_uint_eq(stream_buffered(stream), 100);
    ck_assert(!stream_is_paused(stream));
    ck_assert(is_ready());
}
END_TEST

START_TEST(row_8_one_above)
{
    struct counter counter;
    ck_assert_int_eq(stream_set_limits(stream, 100, 25), 0);
    write_bytes(101);
    ck_assert(stream_is_paused(stream));
    ck_assert_int_eq(drain(&counter), STREAM_WAITS);
    write_bytes(50); /* above still: no second pause to be resumed from */
    sink(151);
    turn();
    turn();
    ck_assert_uint_eq(counter.calls, 1);
    ck_assert_int_eq(counter.error, 0);
}
END_TEST

START_TEST(rows_9_10_12_sinking)
{
    struct counter counter;
    ck_assert_int_eq(stream_set_limits(stream, 100, 25), 0);
    write_bytes(101);
    ck_assert_int_eq(drain(&counter), STREAM_WAITS);
    sink(50); /* row 12: between the marks */
    turn();
    ck_assert_uint_eq(counter.calls, 0);
    ck_assert(!is_ready());
    sink(25); /* row 9: low + 1 */
    ck_assert_uint_eq(stream_buffered(stream), 26);
    turn();
    ck_assert(stream_is_paused(stream));
    ck_assert_uint_eq(counter.calls, 0);
    sink(1); /* row 10: low */
    ck_assert(!stream_is_paused(stream));
    turn();
    ck_assert_uint_eq(counter.calls, 1);
}
END_TEST

START_TEST(row_11_between_the_marks_from_below)
{
    ck_assert_int_eq(stream_set_limits(stream, 100, 25), 0);
    write_bytes(60);
    ck_assert(is_ready());
}
END_TEST

START_TEST(row_13_high_lowered)
{
    write_bytes(1000);
    ck_assert(is_ready());
    ck_assert_int_eq(stream_set_limits(stream, 999, STREAM_UNSET), 0);
    ck_assert(stream_is_paused(stream));
    ck_assert(!is_ready());
}
END_TEST

START_TEST(row_14_limits_raised)
{
    struct counter counter;
    ck_assert_int_eq(stream_set_limits(stream, 100, 25), 0);
    write_bytes(200);
    ck_assert_int_eq(drain(&counter), STREAM_WAITS);
    ck_assert_int_eq(stream_set_limits(stream, 10000, 5000), 0);
    turn();
    ck_assert(stream_is_paused(stream));
    ck_assert_uint_eq(counter.calls, 0);
    sink(1);
    turn();
    ck_assert_uint_eq(counter.calls, 1);
}
END_TEST

/* --- Rows 15 to 19, 34: writing ----------------------------------------- */

START_TEST(row_15_eager)
{
    fake.room = 10;
    write_bytes(10);
    ck_assert_uint_eq(fake.length, 10);
    ck_assert_uint_eq(stream_buffered(stream), 0);
    ck_assert(!fake.watched);

    /* What is left of a larger one is what counts. */
    ck_assert_int_eq(stream_set_limits(stream, 100, 25), 0);
    fake.room = 50;
    write_bytes(150);
    ck_assert_uint_eq(stream_buffered(stream), 100);
    ck_assert(!stream_is_paused(stream));
    ck_assert(fake.watched);
}
END_TEST

START_TEST(row_16_high_zero)
{
    ck_assert_int_eq(stream_set_limits(stream, 0, STREAM_UNSET), 0);
    fake.room = 10;
    write_bytes(10);
    ck_assert(is_ready());
    write_bytes(1);
    ck_assert(!is_ready());
}
END_TEST

/* EAGAIN, EINTR: kept, and no error. */
START_TEST(row_17_not_now)
{
    fake.error = _i == 0 ? -EAGAIN : -EINTR;
    write_bytes(10);
    ck_assert_uint_eq(stream_buffered(stream), 10);
    ck_assert(is_ready());
    ck_assert(fake.watched);
    sink(10);
    ck_assert_uint_eq(fake.length, 10);
    ck_assert(is_ready());
}
END_TEST

START_TEST(row_18_never_past_what_is_stashed)
{
    ck_assert_int_eq(stream_write(stream, "one ", 4), 0);
    unsigned sends = fake.sends;
    fake.room = 100; /* there is room now, but order comes first */
    ck_assert_int_eq(stream_write(stream, "two", 3), 0);
    ck_assert_uint_eq(fake.sends, sends);
    stream_writable(stream);
    ck_assert_uint_eq(fake.length, 7);
    ck_assert_int_eq(memcmp(fake.sent, "one two", 7), 0);
}
END_TEST

START_TEST(row_19_empty)
{
    ck_assert_int_eq(stream_write(stream, "", 0), 0);
    ck_assert_uint_eq(fake.sends, 0);
    ck_assert_uint_eq(stream_buffered(stream), 0);
    stream_write_eof(stream);
    ck_assert_int_eq(stream_write(stream, "", 0), -EPIPE);
}
END_TEST

START_TEST(row_34_gathered)
{
    static char piece[60];
    struct iovec parts[] = {{piece, 60}, {piece, 0}, {piece, 41}};
    ck_assert_int_eq(stream_set_limits(stream, 100, 25), 0);
    ck_assert_int_eq(stream_writev(stream, parts, 3), 0);
    ck_assert_uint_eq(stream_buffered(stream), 101);
    ck_assert(!is_ready());
}
END_TEST

/* A gathered write that is sent in part, at every split: nothing is lost,
 * doubled or moved. */
START_TEST(every_split)
{
    char text[] = "the quick brown fox";
    struct iovec parts[] = {
        {text, 4}, {text + 4, 0}, {text + 4, 6}, {text + 10, 9}};
    fake.room = (size_t)_i;
    ck_assert_int_eq(stream_writev(stream, parts, 4), 0);
    ck_assert_uint_eq(stream_buffered(stream), 19 - (size_t)_i);
    while (stream_buffered(stream) > 0)
        sink(1);
    ck_assert_uint_eq(fake.length, 19);
    ck_assert_int_eq(memcmp(fake.sent, text, 19), 0);
}
END_TEST

/* --- What is not asyncio's ---------------------------------------------- */

/* No limit: what happens without back-pressure. */
START_TEST(unlimited)
{
    ck_assert_int_eq(stream_set_limits(stream, STREAM_UNLIMITED, STREAM_UNSET),
                     0);
    for (int i = 0; i < 50; i++) {
        write_bytes(200000);
        ck_assert(is_ready());
    }
    ck_assert_uint_eq(stream_buffered(stream), 50UL * 200000);
}
END_TEST

/* An error that a later send meets, as opposed to the eager one. */
START_TEST(error_while_flushing)
{
    struct counter counter;
    ck_assert_int_eq(stream_set_limits(stream, 0, 0), 0);
    write_bytes(10);
    ck_assert_int_eq(drain(&counter), STREAM_WAITS);
    fake.error = -ENOSPC;
    stream_writable(stream);
    turn();
    ck_assert_uint_eq(counter.calls, 1);
    ck_assert_int_eq(counter.error, -ENOSPC);
    ck_assert_uint_eq(stream_buffered(stream), 0);
    ck_assert(!fake.watched);
}
END_TEST

/* What comes after the first error is only its echo. */
START_TEST(first_error_counts)
{
    struct counter counter;
    stream_lost(stream, -ECONNRESET);
    stream_lost(stream, -EPIPE);
    stream_abort(stream);
    ck_assert_int_eq(drain(&counter), -ECONNRESET);
    unsigned sends = fake.sends;
    write_bytes(10);
    ck_assert_uint_eq(fake.sends, sends); /* nothing is even tried */
    ck_assert_uint_eq(stream_buffered(stream), 0);
}
END_TEST

/* A waiter may free the stream: others are not called, nothing is touched. */
static void free_it(void *arg, int error)
{
    (void)arg;
    (void)error;
    stream_free(stream);
    stream = NULL;
}

START_TEST(freed_by_a_waiter)
{
    struct stream_waiter first = {.done = free_it};
    struct counter second;
    ck_assert_int_eq(stream_set_limits(stream, 0, 0), 0);
    write_bytes(10);
    ck_assert_int_eq(stream_drain(stream, &first), STREAM_WAITS);
    ck_assert_int_eq(drain(&second), STREAM_WAITS);
    sink(10);
    turn();
    ck_assert_ptr_null(stream);
    ck_assert_uint_eq(second.calls, 0);
}
END_TEST

/* Who drains again before the answer has come waits once, and hides nobody. */
START_TEST(waits_already)
{
    struct counter first;
    struct counter second;
    ck_assert_int_eq(stream_set_limits(stream, 0, 0), 0);
    write_bytes(10);
    ck_assert_int_eq(drain(&first), STREAM_WAITS);
    ck_assert_int_eq(stream_drain(stream, &first.waiter), STREAM_WAITS);
    ck_assert_int_eq(drain(&second), STREAM_WAITS);
    ck_assert_int_eq(stream_drain(stream, &first.waiter), STREAM_WAITS);
    sink(10);
    /* They are about to be called; the first waits anew. */
    write_bytes(10);
    ck_assert_int_eq(stream_drain(stream, &first.waiter), STREAM_WAITS);
    turn();
    ck_assert_uint_eq(first.calls, 0);
    ck_assert_uint_eq(second.calls, 1);
    sink(10);
    turn();
    turn();
    ck_assert_uint_eq(first.calls, 1);
    ck_assert_uint_eq(second.calls, 1);
    /* Instead of the drain, for the close. */
    write_bytes(10);
    ck_assert_int_eq(drain(&first), STREAM_WAITS);
    ck_assert_int_eq(stream_wait_closed(stream, &first.waiter), STREAM_WAITS);
    ck_assert_int_eq(stream_wait_closed(stream, &first.waiter), STREAM_WAITS);
    sink(10);
    turn();
    ck_assert_uint_eq(first.calls, 0);
    stream_close(stream);
    turn();
    turn();
    ck_assert_uint_eq(first.calls, 1);
    ck_assert_int_eq(first.error, 0);
    ck_assert_int_eq(stream_drain(stream, &first.waiter), -ECONNRESET);
}
END_TEST

static void add_cases(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, rows_1_to_6, 0, MARKS);
    tcase_add_test(tc, row_1_defaults);
    tcase_add_test(tc, row_7_at_the_high_mark);
    tcase_add_test(tc, row_8_one_above);
    tcase_add_test(tc, rows_9_10_12_sinking);
    tcase_add_test(tc, row_11_between_the_marks_from_below);
    tcase_add_test(tc, row_13_high_lowered);
    tcase_add_test(tc, row_14_limits_raised);
    tcase_add_test(tc, row_15_eager);
    tcase_add_test(tc, row_16_high_zero);
    tcase_add_loop_test(tc, row_17_not_now, 0, 2);
    tcase_add_test(tc, row_18_never_past_what_is_stashed);
    tcase_add_test(tc, row_19_empty);
    tcase_add_test(tc, row_34_gathered);
    tcase_add_loop_test(tc, every_split, 0, 20);
    tcase_add_test(tc, unlimited);
    tcase_add_test(tc, error_while_flushing);
    tcase_add_test(tc, first_error_counts);
    tcase_add_test(tc, freed_by_a_waiter);
    tcase_add_test(tc, waits_already);
}

UNIT_MAIN("watermarks", add_cases)
