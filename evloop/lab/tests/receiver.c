/* receiver: a stream over a transport that obeys. See receiver.h. */
#include "receiver.h"

#include "lab.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>

#define PIECE ((size_t)200000)

struct event_base *base;
struct stream *stream;
struct receiver receiver;
size_t written;

/* The tests end with their process: what they leave is not looked at. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}

char byte_at(size_t n)
{
    return (char)(n * 11 + n / 253);
}

static ssize_t take(void *context, const struct iovec *parts, int n)
{
    size_t taken = 0;
    (void)context;
    receiver.sends++;
    if (receiver.room == 0) {
        int error = receiver.error;
        if (error == -EINTR) /* who tries again at once is interrupted once */
            receiver.error = -EAGAIN;
        return error;
    }
    for (int i = 0; i < n; i++) {
        const char *p = parts[i].iov_base;
        for (size_t at = 0; at < parts[i].iov_len && receiver.room > 0; at++) {
            if (!receiver.mixed && p[at] != byte_at(receiver.taken)) {
                receiver.mixed = true;
                receiver.mixed_at = receiver.taken;
            }
            receiver.taken++;
            taken++;
            receiver.room -= receiver.room != ENDLESS ? 1 : 0;
        }
    }
    return (ssize_t)taken;
}

static void watch(void *context, bool on)
{
    (void)context;
    receiver.watched = on;
}

static void shut(void *context)
{
    (void)context;
    receiver.shuts++;
    receiver.taken_at_shut = receiver.taken;
}

void receiver_open(void)
{
    static const struct stream_transport transport = {take, watch, shut};
    base = event_base_new();
    receiver = (struct receiver){.error = -EAGAIN};
    written = 0;
    stream =
        base != NULL ? stream_new_over(base, &transport, &receiver) : NULL;
    if (stream == NULL)
        lab_broken("no memory for a stream");
}

void set_marks(int64_t high, int64_t low)
{
    int error = stream_set_limits(stream, high, low);
    lab_check(error == 0, "allowed marks are refused", "stream_set_limits",
              "stream_set_limits(high %lld, low %lld) says %d (%s), not 0",
              (long long)high, (long long)low, error, strerror(-error));
}

void write_bytes(size_t n)
{
    static char bytes[PIECE];
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(written + i);
    receiver.inside = true;
    int error = stream_write(stream, bytes, n);
    receiver.inside = false;
    lab_check(error == 0, "a write was refused that should have been stashed",
              "stream_writev: what it returns",
              "stream_write of %zu bytes says %d (%s), not 0", n, error,
              strerror(-error));
    /* They are the caller's again. */
    memset(bytes, 0, n);
    written += n;
}

void turn(void)
{
    if (stream != NULL && receiver.watched &&
        (receiver.room > 0 || receiver.error != -EAGAIN)) {
        receiver.wakes++;
        receiver.inside = true;
        stream_writable(stream);
        receiver.inside = false;
    }
    (void)event_base_loop(base, EVLOOP_NONBLOCK);
}

void let_take(size_t n)
{
    receiver.room = n;
    turn();
}

static void note(void *arg, int error)
{
    struct waited *waited = arg;
    waited->calls++;
    waited->error = error;
    waited->stashed = stream_buffered(stream);
    waited->inside = waited->inside || receiver.inside;
}

int drain(struct waited *waited)
{
    *waited = (struct waited){.waiter = {.done = note, .arg = waited}};
    return stream_drain(stream, &waited->waiter);
}

int wait_closed(struct waited *waited)
{
    *waited = (struct waited){.waiter = {.done = note, .arg = waited}};
    return stream_wait_closed(stream, &waited->waiter);
}

void check_order(void)
{
    lab_check(
        !receiver.mixed, "bytes were lost, doubled or moved",
        "stream_writev: what it does with bytes that were not taken, and "
        "when some are stashed already",
        "of %zu bytes written the receiver got %zu, and the one at "
        "place %zu is not the one that was written there",
        written, receiver.taken, receiver.mixed_at);
}

void check_stash(size_t expected, const char *means, const char *look)
{
    size_t stashed = stream_buffered(stream);
    check_order();
    lab_check(stashed == expected && receiver.taken + stashed == written,
              means, look,
              "%zu bytes were written and the transport has taken %zu: %zu "
              "are stashed, not %zu",
              written, receiver.taken, stashed, expected);
}
