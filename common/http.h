/*
 * http: the HTTP/1.1 response parser and the request writer.
 *
 * After RFC 9112 (section numbers below are its own) and RFC 9110. The parser
 * is fed bytes in pieces of any size and keeps its place between them; it
 * never waits, and looks at each byte once. One struct http serves one
 * response; it belongs to one thread at a time.
 *
 *     http_start(&h);
 *     while (h.state != HTTP_DONE && h.state != HTTP_BAD) {
 *         ... get n bytes at p ...
 *         used = http_feed(&h, p, n, &body);
 *         ... body.length bytes of content stand at body.at, inside p ...
 *     }
 *     http_free(&h);
 *
 * The states, and what leads from one to the next:
 *
 *     STATUS_LINE --> FIELDS --+--> LENGTH ------------------> DONE
 *          ^             |     +--> UNTIL_CLOSE --(http_eof)--> DONE
 *          +-- 1xx ------+     +--> CHUNK_SIZE --0--> TRAILERS --> DONE
 *                                    |     ^
 *                                    v     |
 *                             CHUNK_DATA, CHUNK_END
 *
 *     any of them --> BAD, with `result` and `cause` set
 *
 *     state                     function that leaves it
 *     STATUS_LINE, FIELDS,      line_complete
 *     TRAILERS
 *     CHUNK_SIZE                feed_chunk_size
 *     CHUNK_END                 feed_chunk_end
 *     LENGTH, CHUNK_DATA,       feed_content
 *     UNTIL_CLOSE
 */
#ifndef TRIPTYCH_HTTP_H
#define TRIPTYCH_HTTP_H

#include "bytes.h"
#include "date.h"
#include "result.h"
#include "url.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All header sections of one response together, those of 1xx responses, chunk
 * extensions and trailers included. */
#define HTTP_HEAD_LIMIT ((size_t)256 * 1024)

enum http_state {
    HTTP_STATUS_LINE,
    HTTP_FIELDS,
    HTTP_LENGTH,
    HTTP_UNTIL_CLOSE,
    HTTP_CHUNK_SIZE,
    HTTP_CHUNK_DATA,
    HTTP_CHUNK_END,
    HTTP_TRAILERS,
    HTTP_DONE,
    HTTP_BAD
};

/* A stretch of body bytes inside the caller's own. */
struct span {
    const char *at;
    size_t length;
};

struct http {
    enum http_state state;
    bool begun;         /* the first byte of a response was seen */
    bool head_complete; /* the final response's fields are all known */

    /* The head, once head_complete: */
    int status;
    int minor;           /* of the HTTP version: 0 or 1 */
    bool keep_alive;     /* the connection may serve another request (9.3) */
    bool has_length;     /* `left` is the length of the whole content */
    char *location;      /* NULL if there is none; of the parser's memory */
    int64_t retry_after; /* in seconds; 0: nothing is asked */
    struct date retry_at;
    struct date date;

    uint64_t left; /* content bytes to come, of the body or of the chunk */

    /* When the state is HTTP_BAD: */
    enum result result;
    const char *cause; /* words that live for ever */

    /* The parser's own: */
    struct bytes line;  /* the line being gathered, after the pending field */
    size_t pending;     /* bytes of `line` that are a field not yet parsed */
    size_t head_size;   /* bytes that count against HTTP_HEAD_LIMIT */
    unsigned size_part; /* where in the chunk-size line: see http.c */
    bool chunked, other_coding, close, keep, bad_length;
    bool coded; /* there is a Transfer-Encoding, if only an empty one */
    bool several_locations;
};

/* Prepares for one response. */
void http_start(struct http *http);

/*
 * Takes some of the `n` bytes at `p` and returns how many: all of them, unless
 * the head has just become complete, a body span was found, or the response
 * is at its end or broken; then call again with the rest. *body is set every
 * time, to an empty span when there is none. Nothing is copied: the span
 * points into `p`.
 */
size_t http_feed(struct http *http, const char *p, size_t n,
                 struct span *body);

/* Tells that the peer has closed: a response without a length is done, any
 * other is broken: RESULT_TRUNCATED, or RESULT_RESET before its first byte. */
void http_eof(struct http *http);

/* Gives the memory back. The struct may be started again. */
void http_free(struct http *http);

/* What goes into a request's head. All is borrowed, for the call alone. */
struct http_request {
    const char *method;
    const struct url *url;
    char *const *headers; /* the user's, each "Name: value" */
    size_t header_count;
    /* False when a redirect has led to another origin: the user's Host,
     * Authorization and Cookie are not for the other. */
    bool same_origin;
    /* True when a redirect has turned PUT into GET: the user's headers about
     * the content stay behind with it. */
    bool without_content;
    bool keep_alive;
    uint64_t length; /* of the body that follows; UINT64_MAX: there is none */
};

/* Appends the head of a request (3, and RFC 9110, 7.2): Host, User-Agent and
 * Accept are ours unless the user gave them. 0 or -ENOMEM. */
int http_write_request(struct bytes *out, const struct http_request *request);

/* NULL if "Name: value" may be sent as a field (RFC 9110, 5.1 and 5.5), else
 * what is wrong with it. Whatever contains CR, LF or NUL may not. */
const char *http_header_fault(const char *header, size_t n);

#endif
