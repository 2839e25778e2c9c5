/*
 * stream: write and drain, over a transport that takes just what it is told
 * to take. What the comments in stream.h promise, row by row.
 */
#include "lab.h"
#include "receiver.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- The marks ---------------------------------------------------------- */

static const struct {
    int64_t high, low;
    int64_t wanted_high, wanted_low; /* -1: refused */
} pairs[] = {
    {STREAM_UNSET, STREAM_UNSET, 65536, 16384},
    {1000, STREAM_UNSET, 1000, 250},
    {3, STREAM_UNSET, 3, 0},
    {STREAM_UNSET, 1000, 4000, 1000},
    {STREAM_UNSET, INT64_MAX / 2, INT64_MAX, INT64_MAX / 2},
    {0, STREAM_UNSET, 0, 0},
    {STREAM_UNSET, 0, 0, 0},
    {50, 50, 50, 50},
    {STREAM_UNLIMITED, 5, STREAM_UNLIMITED, 5},
    {50, 51, -1, -1},
    {-1, STREAM_UNSET, -1, -1},
    {STREAM_UNSET, -1, -1, -1},
    {50, -1, -1, -1},
};

static const char *mark(int64_t value, char *text, size_t size)
{
    if (value == STREAM_UNSET)
        return "unset";
    (void)snprintf(text, size, "%lld", (long long)value);
    return text;
}

static void marks(void)
{
    int64_t high, low;
    char a[30], b[30];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        bool refused = pairs[i].wanted_high == -1;
        receiver_open();
        set_marks(777, 33);
        int error = stream_set_limits(stream, pairs[i].high, pairs[i].low);
        stream_get_limits(stream, &high, &low);
        lab_check(error == (refused ? -EINVAL : 0) &&
                      high == (refused ? 777 : pairs[i].wanted_high) &&
                      low == (refused ? 33 : pairs[i].wanted_low),
                  "marks that are not given follow from the other one; marks "
                  "that make no sense are refused and change nothing",
                  "stream_set_limits",
                  "after the marks 777 and 33, stream_set_limits(high %s, low "
                  "%s) says %d, and the marks are %lld and %lld",
                  mark(pairs[i].high, a, sizeof a),
                  mark(pairs[i].low, b, sizeof b), error, (long long)high,
                  (long long)low);
    }
}

/* --- Writing ------------------------------------------------------------ */

/* A piece in four parts, one of them empty; the transport takes the first
 * `first` bytes at once and then three at a time. */
static void split_write(size_t first, int later)
{
    char text[60];
    struct iovec parts[] = {
        {text, 10}, {text + 10, 0}, {text + 10, 1}, {text + 11, 49}};
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = byte_at(i);
    receiver_open();
    receiver.error = later;
    receiver.room = first;
    int error = stream_writev(stream, parts, 4);
    written = sizeof text;
    memset(text, 0, sizeof text);
    lab_check(error == 0, "that is no error: the rest is to be stashed",
              "stream_writev: what it makes of the result of a send",
              "a write of 60 bytes, of which the transport takes %zu, says %d "
              "(%s)",
              first, error, strerror(-error));
    check_stash(sizeof text - first,
                first > 0 ? "a short write is normal: the kernel takes what "
                            "it has room for, and the tail is still yours"
                          : "'not now' is normal: all of it is still yours",
                "stream_writev: what happens to the bytes that the send did "
                "not take");
    receiver.error = -EAGAIN;
    for (int i = 0; i < 30 && receiver.taken < written; i++)
        let_take(3);
    check_stash(0, "what was stashed does not get out",
                "stream_writev and stream_writable: who asks to be told when "
                "a send may succeed again (watch)");
}

/* A signal comes while stashed bytes are sent. */
static void interrupted_send(void)
{
    receiver_open();
    write_bytes(100);
    receiver.error = -EINTR;
    turn();
    lab_check(stream_loss(stream) == 0 && stream_buffered(stream) == 100,
              "a signal is no error of the connection: it is sent later",
              "stream_writable: what it makes of the result of a send",
              "a send of stashed bytes gives -EINTR, and the stream is lost "
              "with %s",
              lab_value(stream_loss(stream)));
    receiver.error = -EAGAIN;
    let_take(ENDLESS);
    turn();
    check_stash(0, "what was stashed does not get out",
                "stream_writable: who asks to be told again");
}

static void short_writes(void)
{
    interrupted_send();
    for (size_t first = 0; first <= 60; first++) {
        split_write(first, -EAGAIN);
        if (first == 0)
            split_write(first, -EINTR);
    }
}

static void keeps_the_order(void)
{
    receiver_open();
    write_bytes(0);
    lab_check(receiver.sends == 0, "there is nothing to send",
              "stream_writev: what it does first",
              "a write of no bytes makes %u calls of send", receiver.sends);
    write_bytes(100); /* there is no room: all of it is stashed */
    receiver.room = ENDLESS;
    write_bytes(50); /* now there is, and nobody has told yet */
    lab_check(!receiver.mixed,
              "a later write overtakes bytes that are stashed already: two "
              "writes change places",
              "stream_writev: when it may send at once, and when not",
              "100 bytes were stashed, then 50 more were written, and the "
              "receiver's byte %zu is not the one that was written there",
              receiver.mixed_at);
    for (int i = 0; i < 3; i++)
        turn();
    check_stash(0, "what was stashed does not get out",
                "stream_writable: it sends until the stash is empty, or the "
                "transport says 'not now'");
}

/* The transport is writable all the time, as a socket mostly is. */
static void idle_costs_nothing(void)
{
    receiver_open();
    write_bytes(1000);
    let_take(ENDLESS);
    check_stash(0, "what was stashed does not get out",
                "stream_writev, stream_writable: the calls of watch");
    unsigned before = receiver.wakes;
    for (int i = 0; i < 1000; i++)
        turn();
    write_bytes(1000); /* eager: nothing is stashed this time */
    for (int i = 0; i < 1000; i++)
        turn();
    unsigned wakes = receiver.wakes - before;
    lab_check(wakes <= 4,
              "the stream goes on asking to be told that it may write, with "
              "nothing to write. A socket is nearly always writable: the loop "
              "never sleeps, and one CPU is at 100%",
              "stream_writable and stream_writev: when watch is called, and "
              "with what",
              "with nothing stashed the stream was woken in %u of 2000 turns "
              "of the loop",
              wakes);
}

/* --- Draining ----------------------------------------------------------- */

static void check_ready(const char *when, bool expected)
{
    struct waited waited;
    int said = drain(&waited);
    stream_cancel(stream, &waited.waiter);
    lab_check(said == (expected ? 0 : STREAM_WAITS),
              "the pause begins when more than the high mark is stashed, and "
              "lasts until the low mark is reached: between the marks the "
              "answer is what it was before",
              "stream_writev, stream_drain: when the stream pauses, and what "
              "drain asks",
              "marks 100 and 25, %zu bytes stashed, %s: drain says %d, not %s",
              stream_buffered(stream), when, said,
              expected ? "0 (go on)" : "STREAM_WAITS");
}

static void pauses_above_high(void)
{
    struct iovec parts[] = {{(char[60]){0}, 60}, {(char[41]){0}, 41}};
    receiver_open();
    set_marks(100, 25);
    check_ready("nothing was written", true);
    write_bytes(60);
    check_ready("never above the high mark", true);
    write_bytes(40);
    check_ready("just at the high mark", true);
    write_bytes(1);
    check_ready("one above the high mark", false);

    receiver_open(); /* one write of two pieces: it is the sum that counts */
    set_marks(100, 25);
    int error = stream_writev(stream, parts, 2);
    lab_check(error == 0, "a write was refused", "stream_writev",
              "stream_writev of 101 bytes in two pieces says %d", error);
    check_ready("written as one write in two pieces", false);

    receiver_open();
    write_bytes(1000);
    set_marks(100, 25);
    check_ready("the marks lowered below what is stashed", false);
}

static void resumes_at(size_t stashed, size_t low)
{
    struct waited waited;
    receiver_open();
    set_marks(100, (int64_t)low);
    write_bytes(101);
    int said = drain(&waited);
    lab_check(
        said == STREAM_WAITS, "101 is more than the high mark", "stream_drain",
        "marks 100 and %zu, 101 bytes stashed: drain says %d", low, said);
    lab_doing("letting the transport take bytes", NULL, NULL);
    let_take(101 - stashed);
    turn();
    turn();
    lab_check(waited.calls == 1 && waited.error == 0,
              waited.calls == 0
                  ? "the wait for the drain never ends: the source stays "
                    "paused, and the transfer stands still although the "
                    "receiver has taken bytes"
                  : "a wait ends once, with 0 when all is well",
              "where the stream resumes: what is compared with the low mark "
              "after a send, and how. One send may take many bytes",
              "marks 100 and %zu, the stash has sunk from 101 to %zu bytes: "
              "the waiter was called %u times (error %d)",
              low, stashed, waited.calls, waited.error);
    lab_check(!stream_is_paused(stream), "the pause is over",
              "where the stream resumes",
              "marks 100 and %zu, %zu bytes stashed, the waiter has been "
              "called: the stream is still paused",
              low, stashed);
}

/* Raised marks do not resume by themselves; the next send does. */
static void resumes_at_raised(void)
{
    struct waited waited;
    receiver_open();
    set_marks(100, 25);
    write_bytes(120);
    (void)drain(&waited);
    set_marks(10000, 5000);
    turn();
    lab_check(waited.calls == 0, "raised marks do not resume by themselves",
              "stream_set_limits",
              "the marks were raised from 100 and 25 to 10000 and 5000 with "
              "%zu bytes stashed: the waiter was called before any send",
              stream_buffered(stream));
    let_take(1);
    turn();
    lab_check(waited.calls == 1, "the next send resumes",
              "where the stream resumes",
              "the marks were raised to 10000 and 5000, a send has left %zu "
              "bytes: the waiter was called %u times",
              stream_buffered(stream), waited.calls);
}

static void resumes_at_low(void)
{
    resumes_at(25, 25);
    resumes_at(24, 25);
    resumes_at(3, 25);
    resumes_at(0, 25);
    resumes_at(0, 0);
    resumes_at(99, 100);
    resumes_at_raised();
}

static void between_the_marks(void)
{
    struct waited waited;
    receiver_open();
    set_marks(100, 25);
    write_bytes(120);
    (void)drain(&waited);
    static const size_t steps[] = {19, 1, 1, 30, 43};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        let_take(steps[i]);
        turn();
        lab_check(waited.calls == 0,
                  "the source is switched on as soon as there is room for a "
                  "byte, and off again by the next: every byte costs two "
                  "switches. The low mark is there to prevent that",
                  "where the stream resumes: which mark it looks at",
                  "marks 100 and 25, the stash has sunk from 120 to %zu "
                  "bytes: the waiter was called already",
                  stream_buffered(stream));
        check_ready("still above the low mark after a pause", false);
    }
    let_take(1);
    turn();
    lab_check(waited.calls == 1, "at the low mark the pause is over",
              "where the stream resumes",
              "marks 100 and 25, %zu bytes stashed: the waiter was called %u "
              "times",
              stream_buffered(stream), waited.calls);
}

static struct waited *to_cancel;

static void cancel_other(void *arg, int error)
{
    struct waited *waited = arg;
    waited->calls++;
    waited->error = error;
    stream_cancel(stream, &to_cancel->waiter);
}

/* Both are due, and the first to be called takes the second's wait back: that
 * one's memory may be gone by then. */
static void one_cancels_another(void)
{
    struct waited waited[2];
    receiver_open();
    set_marks(10, 5);
    write_bytes(20);
    for (int i = 0; i < 2; i++)
        (void)drain(&waited[i]);
    to_cancel = &waited[1];
    waited[0].waiter.done = cancel_other;
    waited[0].waiter.arg = &waited[0];
    let_take(ENDLESS);
    turn();
    lab_check(waited[0].calls == 1 && waited[1].calls == 0,
              "who is called may cancel the wait of another, and free what "
              "that one belongs to",
              "complete: where waiters stand until they are called",
              "two wait, and the first cancels the second's wait when it is "
              "called: they were called %u times and %u times",
              waited[0].calls, waited[1].calls);
}

/* One send ends two waits: for the drain, and for the close. */
static void of_two_kinds(void)
{
    struct waited drained, closed;
    receiver_open();
    set_marks(10, 5);
    write_bytes(20);
    (void)drain(&drained);
    stream_close(stream);
    (void)wait_closed(&closed);
    let_take(ENDLESS);
    turn();
    lab_check(drained.calls == 1 && drained.error == 0 && closed.calls == 1 &&
                  closed.error == 0,
              "those who are to be called already are still to be called when "
              "others join them",
              "complete: what it does with waiters of an earlier call",
              "one waits for the drain, one for the close, and a send ends "
              "both waits: they were called %u times (%s) and %u times (%s)",
              drained.calls, lab_value(drained.error), closed.calls,
              lab_value(closed.error));
}

static void several_wait(void)
{
    struct waited waited[4];
    receiver_open();
    set_marks(10, 5);
    write_bytes(20);
    for (int i = 0; i < 4; i++) {
        int said = drain(&waited[i]);
        lab_check(said == STREAM_WAITS, "several may wait at once",
                  "stream_drain", "drain number %d says %d", i + 1, said);
    }
    stream_cancel(stream, &waited[1].waiter);
    check_stash(20, "a cancelled wait changes nothing else", "stream_drain");
    let_take(15);
    turn();
    stream_cancel(stream, &waited[0].waiter); /* waits no more: nothing */
    turn();
    for (unsigned i = 0; i < 4; i++)
        lab_check(waited[i].calls == (i == 1 ? 0 : 1),
                  "one resume wakes all who wait, each once, but not those "
                  "who have cancelled",
                  "stream_drain and complete: how waiters are kept",
                  "of four that waited, the second cancelled: number %u was "
                  "called %u times",
                  i + 1, waited[i].calls);
    one_cancels_another();
    of_two_kinds();
}

/* --- From inside -------------------------------------------------------- */

static void check_outside(struct waited *waited, const char *what)
{
    bool early = waited->calls > 0;
    turn();
    lab_check(!early && !waited->inside && waited->calls == 1,
              "a waiter that is called from inside calls the stream again: a "
              "pump recurses once for every piece until the stack is full, "
              "and may free what its caller still uses",
              "complete: stream.h says from where waiters are called",
              "%s: the waiter was called %s (%u times in all)", what,
              early || waited->inside ? "from inside of that call"
                                      : "a turn later",
              waited->calls);
}

static void begin_wait(struct waited *waited)
{
    receiver_open();
    set_marks(10, 0);
    write_bytes(20);
    int said = drain(waited);
    lab_check(said == STREAM_WAITS, "20 is more than the high mark",
              "stream_drain", "marks 10 and 0, 20 stashed: drain says %d",
              said);
}

static void free_the_stream(void *arg, int error)
{
    (void)arg;
    (void)error;
    stream_free(stream);
    stream = NULL;
}

static void never_from_inside(void)
{
    struct waited waited, other;
    begin_wait(&waited);
    receiver.room = ENDLESS;
    stream_writable(stream);
    check_outside(&waited, "stream_writable, the stash sinks to 0");
    begin_wait(&waited);
    stream_lost(stream, -ECONNRESET);
    check_outside(&waited, "stream_lost");
    begin_wait(&waited);
    stream_abort(stream);
    check_outside(&waited, "stream_abort");

    begin_wait(&waited); /* a waiter may free the stream: nobody else hears */
    (void)drain(&other);
    waited.waiter.done = free_the_stream;
    lab_doing("having a waiter free the stream",
              "a waiter was called from "
              "inside of a function that goes on using the stream",
              "complete");
    let_take(ENDLESS);
    turn();
    lab_check(stream == NULL && other.calls == 0,
              "the first waiter has freed the stream: the second is not to be "
              "called any more",
              "complete",
              "the stream was %s, the other waiter called %u times",
              stream == NULL ? "freed" : "not freed", other.calls);
}

/* --- Losing and closing ------------------------------------------------- */

static void check_drain_says(int expected, const char *when)
{
    struct waited waited;
    int said = drain(&waited);
    lab_check(said == expected,
              "the first error is what broke the connection; every later "
              "drain tells it",
              "lose, stream_drain", "%s: drain says %d (%s), not %d (%s)",
              when, said, said < 0 ? strerror(-said) : "no error", expected,
              strerror(-expected));
}

/* Closed over a stash, which is lost before it is sent. */
static void lost_while_closing(void)
{
    struct waited closed;
    receiver_open();
    write_bytes(1000);
    stream_close(stream);
    (void)wait_closed(&closed);
    stream_lost(stream, -ECONNRESET);
    turn();
    int said = stream_wait_closed(stream, &closed.waiter);
    lab_check(closed.calls == 1 && closed.error == -ECONNRESET &&
                  said == -ECONNRESET,
              "0 says that all was sent: a body that was cut would pass for a "
              "whole one",
              "lose: what those hear who wait for the close; "
              "stream_wait_closed",
              "stream_close over 1000 bytes, and then the connection is lost: "
              "the waiter was called %u times, with %s, and who asks later is "
              "told %s",
              closed.calls, lab_value(closed.error), lab_value(said));
}

static bool no_memory; /* for libevent */

static void *allocate(size_t n)
{
    return no_memory ? NULL : malloc(n);
}

static void *reallocate(void *old, size_t n)
{
    return no_memory ? NULL : realloc(old, n);
}

/* What cannot be stashed is missing from the stream for ever. (A stash may be
 * of other memory than libevent's: then nothing is lost.) */
static void lost_for_want_of_memory(void)
{
    static char bytes[100000];
    event_set_mem_functions(allocate, reallocate, free);
    receiver_open();
    no_memory = true;
    int error = stream_write(stream, bytes, sizeof bytes);
    no_memory = false;
    bool kept = error == 0 && stream_buffered(stream) == sizeof bytes;
    lab_check(kept || (error == -ENOMEM && stream_loss(stream) == -ENOMEM),
              "bytes that were neither sent nor stashed are missing: whoever "
              "wrote them must learn it, and nothing may follow them",
              "stream_writev: what if the stash gets no memory",
              "without memory for the stash a write says %s, and the stream's "
              "loss is %s",
              lab_value(error), lab_value(stream_loss(stream)));
}

static void loss_is_told(void)
{
    struct waited waited;
    lost_for_want_of_memory();
    begin_wait(&waited);
    stream_lost(stream, -ECONNRESET);
    stream_lost(stream, -EPIPE);
    lab_check(!receiver.watched,
              "the loop goes on telling that a dead connection is writable, "
              "which it always is",
              "lose: watch",
              "the stream was lost over a stash, and asks still to be told "
              "when it may write");
    turn();
    lab_check(waited.calls == 1 && waited.error == -ECONNRESET,
              "who waits for the drain of a broken connection must be told, "
              "or waits for ever",
              "lose: who is told what",
              "stream_lost(ECONNRESET) while one waits: the waiter was called "
              "%u times, with %s",
              waited.calls, lab_value(waited.error));
    check_drain_says(-ECONNRESET, "after the loss");
    for (int i = 0; i < 100; i++)
        write_bytes(1000);
    turn();
    lab_check(stream_buffered(stream) == 0 && receiver.taken == 0,
              "nobody will ever take what is written to a lost connection: "
              "kept, it grows until the memory is full",
              "lose: what becomes of the stash; stream_writev, when the "
              "stream is lost",
              "the connection is lost, 100 KB were written since: %zu bytes "
              "are stashed, %zu were sent",
              stream_buffered(stream), receiver.taken);

    receiver_open(); /* the first send fails */
    receiver.error = -EPIPE;
    write_bytes(10);
    check_drain_says(-EPIPE, "a write has met EPIPE");
    begin_wait(&waited); /* a later one does */
    receiver.error = -ENOSPC;
    turn();
    turn();
    lab_check(waited.calls == 1 && waited.error == -ENOSPC,
              "an error that a later send meets must end the wait",
              "stream_writable: what it makes of the result of a send",
              "a send of stashed bytes has met ENOSPC: the waiter was called "
              "%u times, with %s",
              waited.calls, lab_value(waited.error));
    begin_wait(&waited);
    stream_abort(stream);
    turn();
    lab_check(waited.calls == 1 && waited.error == -ECANCELED,
              "after an abort waiters get ECANCELED", "lose",
              "stream_abort while one waits: called %u times, with %s",
              waited.calls, lab_value(waited.error));
    lost_while_closing();
}

static void count_call(void *arg, int error)
{
    struct waited *waited = arg;
    waited->calls++;
    waited->error = error;
}

/* Drain is asked of a stream that closes, and is not paused. Of a waiter only
 * the first two fields are set by who waits. */
static void drained_while_closing(void)
{
    struct waited waited = {.waiter = {.error = -EIO}};
    receiver_open();
    write_bytes(1000);
    stream_close(stream);
    waited.waiter.done = count_call;
    waited.waiter.arg = &waited;
    int said = stream_drain(stream, &waited.waiter);
    bool early = waited.calls > 0;
    turn();
    bool told = said == STREAM_WAITS && waited.calls == 1 && !early;
    lab_check((said == 0 && waited.calls == 0) || (told && waited.error == 0),
              "nothing keeps who drains from going on, and no error has come",
              "stream_drain: what a waiter is called with",
              "1000 bytes stashed, stream_close, and a drain below the high "
              "mark says %d: the waiter was called %u times%s, with %s",
              said, waited.calls, early ? ", at once" : "",
              lab_value(waited.error));
}

static void close_sends_the_rest(void)
{
    struct waited closed;
    receiver_open();
    write_bytes(1000);
    stream_close(stream);
    int said = wait_closed(&closed);
    lab_check(said == STREAM_WAITS && stream_buffered(stream) == 1000,
              "the stream was closed over bytes that nobody had taken yet: "
              "the end of what was written never arrives",
              "stream_close, stream_wait_closed: when a stream is closed",
              "1000 bytes stashed, then stream_close: %zu are left, and "
              "stream_wait_closed says %d, not STREAM_WAITS",
              stream_buffered(stream), said);
    let_take(999);
    turn();
    lab_check(closed.calls == 0, "it is closed when all is sent",
              "stream_close", "1 byte is still stashed, and it is closed");
    (void)stream_write(stream, "", 0); /* any answer will do */
    /* Too late: dropped. */
    size_t before = written;
    (void)stream_write(stream, "x", 1);
    let_take(ENDLESS);
    turn();
    lab_check(closed.calls == 1 && closed.error == 0 &&
                  receiver.taken == before,
              "closed in good order: everything is sent, the waiter gets 0",
              "stream_close, and what happens when the stash is empty",
              "after stream_close the transport has taken %zu of %zu bytes; "
              "the waiter was called %u times, with %s",
              receiver.taken, before, closed.calls, lab_value(closed.error));
    check_order();
    lab_check(stream_wait_closed(stream, &closed.waiter) == 0 &&
                  stream_loss(stream) == 0,
              "closing in good order is no error", "stream_wait_closed",
              "the stream is closed, and its loss is %s",
              lab_value(stream_loss(stream)));

    drained_while_closing();

    receiver_open(); /* nothing stashed: closed at once */
    stream_close(stream);
    turn();
    said = wait_closed(&closed);
    lab_check(said == 0, "with nothing to send there is nothing to wait for",
              "stream_close",
              "an empty stream was closed: stream_wait_closed says %d", said);
}

static void half_close(void)
{
    receiver_open();
    write_bytes(1000);
    stream_write_eof(stream);
    stream_write_eof(stream);
    lab_check(receiver.shuts == 0,
              "the writing side was shut with bytes still stashed: the peer "
              "sees the end too early, and the rest cannot be sent",
              "stream_write_eof: when the peer is told",
              "1000 bytes stashed, then stream_write_eof: the side was shut "
              "at once");
    int said = stream_write(stream, "x", 1);
    lab_check(said == -EPIPE, "nothing may follow the end", "stream_writev",
              "a write after stream_write_eof says %d, not -EPIPE", said);
    let_take(500);
    let_take(ENDLESS);
    turn();
    lab_check(receiver.shuts == 1 && receiver.taken_at_shut == 1000,
              "when all is sent the peer is told, once",
              "stream_write_eof, and what happens when the stash is empty",
              "the transport has taken %zu of 1000 bytes and was shut %u "
              "times, after %zu bytes",
              receiver.taken, receiver.shuts, receiver.taken_at_shut);
    check_order();

    receiver_open(); /* and closed at once: the peer is told all the same */
    write_bytes(1000);
    stream_write_eof(stream);
    stream_close(stream);
    let_take(ENDLESS);
    turn();
    lab_check(receiver.shuts == 1 && receiver.taken == 1000,
              "who closes has not taken back the end: the peer waits for it",
              "what happens when the stash is empty: in which order",
              "1000 bytes, stream_write_eof, stream_close: the transport has "
              "taken %zu bytes and was shut %u times",
              receiver.taken, receiver.shuts);

    receiver_open();
    stream_write_eof(stream); /* nothing to wait for */
    lab_check(receiver.shuts == 1, "with nothing stashed it is done at once",
              "stream_write_eof", "an empty stream was shut %u times",
              receiver.shuts);
}

static void free_all(void)
{
    turn();
    stream_free(stream);
    event_base_free(base);
    stream = NULL;
    base = NULL;
}

static void nothing_leaks(void)
{
    struct waited waited;
    lab_doing("writing to streams, losing and closing them",
              "memory that was allocated is not given back",
              "what a stream stashes, and its waiters");
    receiver_open(); /* all is sent, in pieces */
    write_bytes(1000);
    let_take(300);
    turn();
    write_bytes(500);
    let_take(ENDLESS);
    stream_close(stream);
    free_all();

    begin_wait(&waited); /* lost over a stash, with one who waits */
    stream_lost(stream, -ECONNRESET);
    free_all();

    receiver_open(); /* freed over a stash */
    write_bytes(1000);
    free_all();
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"marks", marks},
        {"short_writes", short_writes},
        {"keeps_the_order", keeps_the_order},
        {"idle_costs_nothing", idle_costs_nothing},
        {"pauses_above_high", pauses_above_high},
        {"resumes_at_low", resumes_at_low},
        {"between_the_marks", between_the_marks},
        {"several_wait", several_wait},
        {"never_from_inside", never_from_inside},
        {"loss_is_told", loss_is_told},
        {"close_sends_the_rest", close_sends_the_rest},
        {"half_close", half_close},
        {"nothing_leaks", nothing_leaks},
        {0}};
    return lab_main(tests);
}
