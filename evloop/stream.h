/*
 * stream: write and drain, with the semantics of asyncio's StreamWriter.
 *
 *     Python                               here
 *     writer.write(data)                   stream_write(s, data, n)
 *     await writer.drain()                 stream_drain(s, &waiter)
 *     writer.write_eof()                   stream_write_eof(s)
 *     writer.close()                       stream_close(s)
 *     await writer.wait_closed()           stream_wait_closed(s, &waiter)
 *     writer.transport.abort()             stream_abort(s)
 *     transport.set_write_buffer_limits    stream_set_limits(s, high, low)
 *     transport.get_write_buffer_size()    stream_buffered(s)
 *
 * stream_write never blocks: what the kernel does not take at once is stashed.
 * A caller that only writes fills the memory. A caller that asks stream_drain
 * after each write, and pauses its source until the answer comes, does not:
 * when more than the high-watermark is stashed the answer is "wait", and it
 * comes when the stash has sunk to the low-watermark. Between the marks
 * nothing changes, so that not every byte switches the source on and off.
 *
 * A C programmer's example, pumping a file:
 *
 *     static void pump(void *arg, int error)
 *     {
 *         struct copy *c = arg;
 *         do {
 *             if (error < 0 || (n = read(c->fd, c->chunk, sizeof c->chunk))
 *                                  <= 0)
 *                 return finish(c, error);
 *             stream_write(c->out, c->chunk, n);
 *         } while ((error = stream_drain(c->out, &c->waiter)) == 0);
 *         if (error != STREAM_WAITS)     // else pump is called again
 *             finish(c, error);
 *     }
 *
 * Two deliberate differences from asyncio: after stream_abort waiters get
 * -ECANCELED (asyncio's return as if all were well), and an error that a write
 * meets comes out of the next drain as it was (asyncio's next drain reports
 * just a lost connection).
 *
 * A stream belongs to the thread that runs its event loop. Waiters are called
 * from that loop, never from inside one of these functions.
 */
#ifndef TRIPTYCH_STREAM_H
#define TRIPTYCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bufferevent;
struct event_base;
struct stream;

/* asyncio's default marks. */
#define STREAM_HIGH ((int64_t)64 * 1024)
#define STREAM_LOW  (STREAM_HIGH / 4)

/* "Not given", for stream_set_limits. */
#define STREAM_UNSET INT64_MIN

/* No limit: drain is always ready, and the stash grows as it will. */
#define STREAM_UNLIMITED INT64_MAX

/* The caller's own memory, which must live until `done` is called, the wait is
 * cancelled, or the stream is freed. Set the first two, the rest to zero, as
 * an initializer does; from then on the rest is the stream's. */
struct stream_waiter {
    void (*done)(void *arg, int error); /* 0 or a negative errno */
    void *arg;

    struct stream_waiter *next;
    int error;
    bool waits;
};

/* What a stream stands on, if it is not a bufferevent. */
struct stream_transport {
    /* Sends without blocking. Bytes taken, at least one, or a negative errno;
     * -EAGAIN: not now. */
    ssize_t (*send)(void *context, const struct iovec *parts, int n);
    /* From now on, until told otherwise, stream_writable is to be called when
     * a send may succeed again. A transport may watch for one time: who leaves
     * bytes unsent in stream_writable says so again. */
    void (*watch)(void *context, bool on);
    /* Tells the peer that no more will come. */
    void (*shut)(void *context);
};

/* A stream over the output of a bufferevent whose descriptor is a connected
 * socket. The bufferevent stays the caller's and must outlive the stream; its
 * output must not be used past the stream. When its event callback tells of
 * an error, call stream_lost. NULL when memory is short. */
struct stream *stream_new(struct bufferevent *bev);

/* The same over a bufferevent whose bytes do not reach the socket as they are
 * (TLS), or that has none (a pair): all that is written is stashed, and
 * libevent sends it. Its writing side cannot be shut alone: not for
 * stream_write_eof. A filter takes all that it is given, so that nothing is
 * ever stashed: set its underlying bufferevent's high mark for EV_WRITE, or
 * memory is not bounded. What the filter has taken counts as sent. */
struct stream *stream_new_lazy(struct bufferevent *bev);

/* A stream over anything else. NULL when memory is short. */
struct stream *stream_new_over(struct event_base *base,
                               const struct stream_transport *transport,
                               void *context);

/* Frees the stream and what it had stashed. Waiters are not called. May be
 * called from a waiter. */
void stream_free(struct stream *stream);

/*
 * Sets the marks in bytes: high >= low >= 0. One that is STREAM_UNSET follows
 * from the other: low = high / 4, high = 4 * low; with both unset the defaults
 * come back. 0; or -EINVAL with the marks as they were. A high mark below what
 * is stashed pauses at once; a raised one does not resume before a send has
 * made the stash smaller.
 */
int stream_set_limits(struct stream *stream, int64_t high, int64_t low);
void stream_get_limits(const struct stream *stream, int64_t *high,
                       int64_t *low);

/* Bytes stashed. */
size_t stream_buffered(const struct stream *stream);

/* True from the write that went above the high mark until the stash has sunk
 * to the low mark. */
bool stream_is_paused(const struct stream *stream);

/*
 * Sends what the kernel takes at once, if nothing is stashed before it, and
 * stashes (copies) the rest. 0, also when the connection is lost: then the
 * bytes are dropped, and stream_drain tells. So they are, without a word,
 * after stream_close. -EPIPE after stream_write_eof;
 * -ENOMEM with nothing or only a part sent: the stream is then lost.
 */
int stream_write(struct stream *stream, const void *data, size_t n);

/* The same with several pieces, as one write. */
int stream_writev(struct stream *stream, const struct iovec *parts, int n);

/*
 * 0: go on writing. STREAM_WAITS: waiter->done will be called, when the stash
 * has sunk to the low mark, with 0, or, when the connection is lost, with a
 * negative errno. Else that negative errno at once; -ECONNRESET when it was
 * closed in good order. Several may wait. A waiter that waits already, also
 * for the close, waits for this instead.
 */
int stream_drain(struct stream *stream, struct stream_waiter *waiter);
#define STREAM_WAITS 1

/* Ends a wait; nothing else changes. `done` will not be called. Does nothing
 * if the waiter does not wait. */
void stream_cancel(struct stream *stream, struct stream_waiter *waiter);

/* Nothing more will be written: when all is sent, the peer is told. The other
 * direction is not touched. A second call does nothing. */
void stream_write_eof(struct stream *stream);

/* Nothing more will be written, and when all is sent the stream is closed: it
 * is lost then, without an error. (What it stands on is the owner's to close.)
 */
void stream_close(struct stream *stream);

/* As stream_drain, but waits until the stream is closed or lost. The error is
 * 0 after stream_close and everything sent. */
int stream_wait_closed(struct stream *stream, struct stream_waiter *waiter);

/* Drops what is stashed; waiters get -ECANCELED. */
void stream_abort(struct stream *stream);

/* Why the connection is lost, a negative errno; 0: it is not, or was closed in
 * good order. */
int stream_loss(const struct stream *stream);

/* The owner has learnt that the connection is broken; `error` is a negative
 * errno. The first one counts. What is stashed is dropped, and so is whatever
 * will be written. */
void stream_lost(struct stream *stream, int error);

/* For the owner of a transport: a send may succeed now. */
void stream_writable(struct stream *stream);

#ifdef __cplusplus
}
#endif

#endif
