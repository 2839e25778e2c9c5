/*
 * exchange: one request from its first byte to its outcome, sans I/O.
 *
 * An exchange knows the protocols - http with its redirects, the dialogues of
 * tcp and udp, plain files - and the policy of retries; it never touches a
 * descriptor, a clock or a lock. The driver does what exchange_want asks, in
 * its own way, and tells what came of it:
 *
 *     want           the driver                        and then calls
 *     WANT_CONNECT   dials exchange_url, or takes an   exchange_connected
 *                    idle connection, or opens the file
 *     WANT_SEND      sends exchange_output, then the   exchange_sent, or
 *                    file of exchange_upload           exchange_unsendable
 *     WANT_SHUT      shuts the writing side            exchange_shut
 *     WANT_RECEIVE   receives; does so while sending   exchange_feed or
 *                    too: a server may answer early    exchange_eof
 *     WANT_WAIT      keeps its place and lets time     exchange_waited
 *                    pass until exchange_deadline
 *     WANT_DONE      takes exchange_outcome
 *
 * Whenever something fails it calls exchange_failed, and when
 * exchange_deadline has passed exchange_expired. After each call the want may
 * be any of them. A connection ends when the want becomes WANT_CONNECT,
 * WANT_WAIT or WANT_DONE: it is kept if exchange_reusable says so, else
 * closed.
 *
 * Back-pressure is not calling exchange_feed; the time spent so is given
 * back by exchange_paused. All times are those of clock.h. An exchange
 * belongs to one thread at a time.
 */
#ifndef TRIPTYCH_EXCHANGE_H
#define TRIPTYCH_EXCHANGE_H

#include "http.h"
#include "options.h"
#include "result.h"
#include "url.h"

enum want {
    WANT_CONNECT,
    WANT_SEND,
    WANT_SHUT,
    WANT_RECEIVE,
    WANT_WAIT,
    WANT_DONE
};

struct exchange;

/* Begins with the URL of `n` bytes at `url`, which is copied; `options` must
 * outlive the exchange. A URL that is none gives an exchange that is done.
 * NULL when memory is short. */
struct exchange *exchange_new(const struct options *options, const char *url,
                              size_t n, int64_t now);

void exchange_free(struct exchange *x);

enum want exchange_want(const struct exchange *x);

/* Where to connect now. Valid until the next call that changes the want. */
const struct url *exchange_url(const struct exchange *x);

/* True if a kept connection will do for WANT_CONNECT. */
bool exchange_may_reuse(const struct exchange *x);

/* How many of the host's addresses have already been tried in vain. Only of
 * datagrams this is learnt after connecting. */
unsigned exchange_tried(const struct exchange *x);

void exchange_connected(struct exchange *x, bool reused, int64_t now);

/* The bytes to send next; *bytes is valid until the next call. 0 in
 * WANT_SEND means that the rest of the body is the driver's to read from its
 * file, see exchange_upload; or an empty datagram. */
size_t exchange_output(const struct exchange *x, const char **bytes);

/* How many bytes of the uploaded file are still to be sent, and from which
 * offset. 0 when there is no upload. */
uint64_t exchange_upload(const struct exchange *x, uint64_t *offset);

/* The transport took `n` bytes of the output, or of the file. */
void exchange_sent(struct exchange *x, size_t n);

/* The transport takes no more (EPIPE, ECONNRESET). An answer may have come
 * before that, so the want becomes WANT_RECEIVE. */
void exchange_unsendable(struct exchange *x);

void exchange_shut(struct exchange *x);

/*
 * Gives `n` bytes that arrived; returns how many were used. *body is a
 * stretch of them that belongs to the body and is to be kept, or empty. Call
 * again with the rest until all are used or the want has changed to one of
 * those that end a connection.
 */
size_t exchange_input(struct exchange *x, const char *p, size_t n,
                      struct span *body, int64_t now);

/* Gives all of the `n` bytes that arrived, or as many as the exchange takes,
 * and every stretch of body among them to `deliver`, which returns 0; or a
 * negative errno, which fails the exchange with its result_of_writing. Every
 * driver receives through this. */
void exchange_feed(struct exchange *x, const char *p, size_t n,
                   int (*deliver)(void *context, const char *p, size_t n),
                   void *context, int64_t now);

/* The peer has closed its writing side. */
void exchange_eof(struct exchange *x, int64_t now);

/* The peer has closed, but did not say so first, as it should have: TLS
 * without close_notify (RFC 9112, 9.8), or a database within a result. Only
 * the framing can tell that a response is whole. */
void exchange_cut(struct exchange *x, int64_t now);

/* Something failed; `cause` says what, for a person, and is copied. Whether
 * that is the end, or a silent new connection (RFC 9112, 9.3.1), or a retry,
 * is decided here. */
void exchange_failed(struct exchange *x, enum result result, const char *cause,
                     int64_t now);

/* In WANT_WAIT, when the wait is over; else, when the attempt's time limit
 * is. CLOCK_NEVER in WANT_DONE. */
int64_t exchange_deadline(const struct exchange *x);

/* exchange_deadline has passed in WANT_WAIT: the next attempt begins. */
void exchange_waited(struct exchange *x, int64_t now);

/* exchange_deadline has passed elsewhere, and nothing that had arrived by
 * then is left unread: RESULT_TIMEOUT; or a datagram is to be sent again. */
void exchange_expired(struct exchange *x, int64_t now);

/* For `us` microseconds nothing was read because the consumer was slow: the
 * limit moves back by as much. */
void exchange_paused(struct exchange *x, int64_t us);

/* True if the connection that has just ended may serve another exchange. */
bool exchange_reusable(const struct exchange *x);

/* The outcome: complete in WANT_DONE but for what the driver itself knows -
 * bytes, peak_buffered and done_us - and fills in here. */
struct outcome *exchange_outcome(struct exchange *x);

#endif
