/*
 * feed: gives a parser its bytes in the worst way that is allowed.
 *
 * Every piece ends where a page ends, and the next page may not be touched;
 * when http_feed has returned, the piece is overwritten, as a real buffer is
 * by the next read. What http.h promises of every call is checked at every
 * call: that it goes on, takes no more than it was given, and hands out
 * bodies that stand in what it took. Nothing here waits.
 *
 *     struct feed feed;
 *     feed_start(&feed);
 *     feed_piece(&feed, "HTTP/1.1 20", 11);
 *     feed_piece(&feed, "4\r\n\r\n", 5);
 *     ... look at feed.http, feed.body, feed.used ...
 *     feed_free(&feed);
 */
#ifndef TRIPTYCH_LAB_FEED_H
#define TRIPTYCH_LAB_FEED_H

#include "bytes.h"
#include "http.h"

#include <stddef.h>

/* The most that one piece may hold. */
#define FEED_MOST ((size_t)64 * 1024)

struct feed {
    struct http http;
    struct bytes body; /* all spans, one after the other */
    size_t used;       /* bytes that were taken so far */
};

/* What a server sends, and what is to come of it. The last has no name. */
struct answer {
    const char *name;
    const char *bytes;
    size_t length;
    const char *body;
    size_t body_length;
};

#define FEED_BYTES(text) (text), sizeof(text) - 1

void feed_start(struct feed *feed);
void feed_free(struct feed *feed);

/* Gives `n` bytes as one read would bring them, until they are all taken, or
 * the response is at its end or broken. */
void feed_piece(struct feed *feed, const char *bytes, size_t n);

/* The same for a text of which each byte comes in a read of its own. */
void feed_drip(struct feed *feed, const char *bytes, size_t n);

/* The same in two reads, the second from the offset `split` on. */
void feed_split(struct feed *feed, const char *bytes, size_t n, size_t split);

/* Fails the test unless the response is done with this body. `how` says in
 * what way it came: "in one piece". */
void feed_expect(const struct feed *feed, const struct answer *answer,
                 const char *how, const char *means, const char *look);

/* Fails the test unless the response is broken with this result. */
void feed_expect_broken(const struct feed *feed, enum result result,
                        const char *name, const char *means, const char *look);

/* What a message says of bytes: in quotes, with \r and \n. It lives until the
 * fourth call after this. */
const char *feed_show(const char *bytes, size_t n);

/* The state's name, as in http.h. */
const char *feed_state(const struct http *http);

/* A positive control: a test that expects failure would let a parser pass
 * that knows nothing else. */
void feed_control(const char *bytes, size_t n, const char *look);

#endif
