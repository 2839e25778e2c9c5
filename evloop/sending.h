/*
 * sending: what a request uploads, on its way to the server, piece by piece.
 *
 *     sending_go_on --> a helper thread reads a piece (helper.h)
 *                   --> stream_write, stream_drain --> advance
 *
 * The loop waits for no disk, so a thread reads. What the kernel does not take
 * of a piece the stream stashes, and the next is read when that has sunk: a
 * server that does not read stops the reading.
 *
 * For the loop's thread.
 */
#ifndef TRIPTYCH_SENDING_H
#define TRIPTYCH_SENDING_H

#include "connection_kind.h"
#include "exchange.h"
#include "options.h"

struct sending;

/* For the exchange, which must live until sending_close. `advance` is called
 * when the exchange has been told that a piece is sent, or what became of it.
 * NULL when memory is short. */
struct sending *sending_new(struct loop *loop, const struct options *options,
                            struct exchange *x, uint64_t id,
                            void (*advance)(void *arg), void *arg);

/* A piece is on its way, perhaps still for the last attempt: advance will be
 * called. False for NULL. */
bool sending_is_busy(const struct sending *sending);

/* Has the next piece read and sent. When memory is short the exchange fails,
 * and nothing will be called. */
void sending_go_on(struct sending *sending, struct stream *out);

/* The stream is about to go, and what is under way for it is of no use any
 * more. Nothing for NULL. */
void sending_leave(struct sending *sending);

/* Frees it, now or when the thread is done with it; `advance` is not called
 * any more. Nothing for NULL. */
void sending_close(struct sending *sending);

/* The peer takes no more, says a negative errno. What it answered before that,
 * the reading side will see. But when our own memory is short there is no
 * answer, and the exchange fails at once. */
void sending_failed(struct exchange *x, int error);

#endif
