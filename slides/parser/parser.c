/*
 * parser: common/http.c and common/exchange.c for a page, as WebAssembly.
 *
 * The page writes a response into the room, and has piece after piece of it
 * fed to both: to the parser, whose state it shows, and to an exchange over a
 * parser of its own, which says what the driver of a real request would be
 * asked to do next. Nothing here waits, as nothing there does.
 */
#include "exchange.h"

#include <string.h>

#define EXPORT(name) __attribute__((export_name(#name))) name

static char room[1 << 18];
static struct http http;
static struct span body;
static struct exchange *x;
static uint64_t body_bytes;

static const struct options options = {.upload_fd = -1,
                                       .timeout_us = 30000000,
                                       .connect_timeout_us = 10000000,
                                       .max_body = UINT64_MAX,
                                       .keep_alive = true};

/* Where the response is to be written, and how much of it there may be. */
char *EXPORT(parser_room)(void)
{
    return room;
}

unsigned EXPORT(parser_room_size)(void)
{
    return sizeof room;
}

/* Begins anew: the request has been sent. */
void EXPORT(parser_start)(void)
{
    static const char url[] = "http://localhost/";
    const char *p;
    http_free(&http);
    http_start(&http);
    exchange_free(x);
    x = exchange_new(&options, url, strlen(url), 0);
    exchange_connected(x, false, 0);
    exchange_sent(x, exchange_output(x, &p));
    body_bytes = 0;
    body = (struct span){room, 0};
}

static int deliver(void *unused, const char *p, size_t n)
{
    (void)unused;
    (void)p;
    body_bytes += n;
    return 0;
}

/* Feeds the `n` bytes from `at` on, or some of them: returns how many. */
unsigned EXPORT(parser_feed)(unsigned at, unsigned n)
{
    size_t used = http_feed(&http, room + at, n, &body);
    if (exchange_want(x) == WANT_RECEIVE)
        exchange_feed(x, room + at, used, deliver, NULL, 0);
    return (unsigned)used;
}

/* The server closes. */
void EXPORT(parser_close)(void)
{
    http_eof(&http);
    if (exchange_want(x) == WANT_RECEIVE)
        exchange_eof(x, 0);
}

/* The stretch of body that was found last. */
unsigned EXPORT(parser_span_at)(void)
{
    return (unsigned)(body.at - room);
}

unsigned EXPORT(parser_span_length)(void)
{
    return (unsigned)body.length;
}

int EXPORT(parser_state)(void)
{
    return (int)http.state;
}

int EXPORT(parser_want)(void)
{
    return (int)exchange_want(x);
}

int EXPORT(parser_status)(void)
{
    return http.status;
}

/* Bytes of content that are still to come; -1: that is not known. */
double EXPORT(parser_left)(void)
{
    bool known = http.state == HTTP_LENGTH || http.state == HTTP_CHUNK_DATA;
    return known ? (double)http.left : -1;
}

/* What is known of the head: the sum of 1 (it is complete), 2 (the connection
 * may be kept), 4 (its length is announced), 8 (it is chunked). */
int EXPORT(parser_head)(void)
{
    return (int)http.head_complete + 2 * (int)http.keep_alive +
           4 * (int)http.has_length + 8 * (int)http.chunked;
}

/* Bytes of a line that is not complete: all that is kept between two calls. */
unsigned EXPORT(parser_kept)(void)
{
    return (unsigned)http.line.length;
}

/* The exchange's outcome, once it is done: its word, and what it says. */
const char *EXPORT(parser_result)(void)
{
    return result_word(exchange_outcome(x)->result);
}

const char *EXPORT(parser_cause)(void)
{
    return exchange_outcome(x)->cause;
}

int EXPORT(parser_outcome_status)(void)
{
    return exchange_outcome(x)->status;
}

double EXPORT(parser_bytes)(void)
{
    return (double)body_bytes;
}

int EXPORT(parser_reusable)(void)
{
    return exchange_reusable(x);
}
