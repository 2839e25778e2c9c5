/*
 * ends: where a response ends, and what becomes of the connection then.
 *
 * The header comes in one piece, and so do the chunks, unless a test says
 * otherwise.
 */
#include "feed.h"

#include "clock.h"
#include "exchange.h"
#include "lab.h"

#include <stdio.h>
#include <string.h>

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define NEXT    "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"

/* With a length, or in chunks; without what may follow. */
static const struct answer answers[] = {
    {"a length",
     FEED_BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
     FEED_BYTES("hello")},
    {"a length of 0",
     FEED_BYTES("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
     FEED_BYTES("")},
    {"bytes that are no text",
     FEED_BYTES(
         "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\0a\r\n\r\n\0\xff\n"),
     FEED_BYTES("\0a\r\n\r\n\0\xff\n")},
    {"chunks", FEED_BYTES(CHUNKED "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
     FEED_BYTES("hello")},
    {"chunks and trailers",
     FEED_BYTES(CHUNKED "5\r\nhello\r\n0\r\nX: y\r\n\r\n"),
     FEED_BYTES("hello")},
    {0}};

static size_t head_of(const struct answer *a)
{
    const char *end = memmem(a->bytes, a->length, "\r\n\r\n", 4);
    return (size_t)(end - a->bytes) + 4;
}

/* Where the trailers begin, whose lines are a matter of the header's. */
static size_t last_split(const struct answer *a)
{
    const char *last = memmem(a->bytes, a->length, "\r\n0\r\n", 5);
    return last != NULL ? (size_t)(last - a->bytes) + 5 : a->length;
}

/* --- The body ------------------------------------------------------------ */

static void bodies(void)
{
    for (const struct answer *a = answers; a->name != NULL; a++) {
        size_t head = head_of(a);
        for (size_t split = head; split <= a->length; split++) {
            struct feed feed;
            if (strncmp(a->name, "chunks", 6) == 0)
                continue; /* they have tests of their own */
            feed_start(&feed);
            feed_split(&feed, a->bytes, a->length, split);
            feed_expect(&feed, a, "in two reads",
                        "a body is as many bytes as its length says, whatever "
                        "they are, in any number of pieces",
                        "feed_content: the span, and http->left");
            feed_free(&feed);
        }
    }
}

static void until_close(void)
{
    static const struct answer answer = {
        "no length", FEED_BYTES("HTTP/1.1 200 OK\r\n\r\nab\0\r\n\r\ncd"),
        FEED_BYTES("ab\0\r\n\r\ncd")};
    static const char look[] = "feed_content and http_eof: HTTP_UNTIL_CLOSE";
    struct feed feed;
    for (size_t split = head_of(&answer); split <= answer.length; split++) {
        feed_start(&feed);
        feed_split(&feed, answer.bytes, answer.length, split);
        lab_check(feed.http.state == HTTP_UNTIL_CLOSE,
                  "a response without a length goes on until the close", look,
                  "before the close the state is %s (%s)",
                  feed_state(&feed.http),
                  feed.http.cause != NULL ? feed.http.cause : "no cause");
        http_eof(&feed.http);
        feed_expect(&feed, &answer, "and then the close",
                    "here the close is the end, and a good one", look);
        feed_free(&feed);
    }
}

/* What follows a response, in the same read, is not its business. */
static void stops_at_the_end(void)
{
    static const char means[] =
        "a read may bring the end of one response and the start of what "
        "comes next; who takes all of it has swallowed that";
    static const char look[] =
        "feed_content and http_feed: how much of what is there belongs to "
        "this body, and how much was taken in the end";
    char bytes[400];
    for (const struct answer *a = answers; a->name != NULL; a++) {
        size_t n = a->length + strlen(NEXT);
        memcpy(bytes, a->bytes, a->length);
        memcpy(bytes + a->length, NEXT, strlen(NEXT));
        for (size_t split = head_of(a); split <= last_split(a); split++) {
            struct feed feed;
            feed_start(&feed);
            feed_piece(&feed, bytes, head_of(a));
            feed_piece(&feed, bytes + head_of(a), split - head_of(a));
            feed_piece(&feed, bytes + split, n - split);
            feed_expect(&feed, a, "with another response behind it", means,
                        look);
            /* Too few is another matter: last_chunk_is_not_the_end. */
            lab_check(feed.used <= a->length, means, look,
                      "\"%s\" has %zu bytes, and %zu more follow; %zu were "
                      "taken",
                      a->name, a->length, strlen(NEXT), feed.used);
            feed_free(&feed);
        }
    }
}

/* --- An early end -------------------------------------------------------- */

/* Gives the first `n` bytes of it, the header by itself, and then the end. */
static void cut(const struct answer *a, size_t n, const char *means)
{
    size_t head = head_of(a);
    struct feed feed;
    feed_start(&feed);
    feed_piece(&feed, a->bytes, n < head ? n : head);
    if (n > head)
        feed_piece(&feed, a->bytes + head, n - head);
    http_eof(&feed.http);
    lab_check(feed.http.state == HTTP_BAD, means, "http_eof",
              "\"%s\", closed after %zu of %zu bytes: %s, with %zu of %zu "
              "bytes of body",
              a->name, n, a->length, feed_state(&feed.http), feed.body.length,
              a->body_length);
    enum result result = n == 0 ? RESULT_RESET : RESULT_TRUNCATED;
    lab_check(feed.http.result == result, means, "http_eof",
              "\"%s\", closed after %zu of %zu bytes: \"%s\" (%s), not \"%s\"",
              a->name, n, a->length, result_word(feed.http.result),
              feed.http.cause, result_word(result));
    feed_free(&feed);
}

/* Nothing is wrong with it when it is whole, closed or not. */
static void whole(const struct answer *a)
{
    struct feed feed;
    feed_start(&feed);
    feed_piece(&feed, a->bytes, a->length);
    feed_expect(&feed, a, "in one piece",
                "a sound response must be taken before one can see what "
                "becomes of half of it",
                "feed_content");
    http_eof(&feed.http);
    feed_expect(&feed, a, "and then the close",
                "the response was whole: that the server closes after it "
                "changes nothing",
                "http_eof: HTTP_DONE");
    feed_free(&feed);
}

static void early_end_in_the_body(void)
{
    for (const struct answer *a = answers; a->name != NULL; a++) {
        whole(a);
        for (size_t n = head_of(a); n < a->length; n++)
            cut(a, n,
                "the framing has announced more than what came: a body that "
                "is cut off must never be saved as whole");
    }
}

static void early_end_in_the_head(void)
{
    static const struct answer interim = {
        "a 1xx response alone", FEED_BYTES("HTTP/1.1 100 Continue\r\n\r\n"),
        FEED_BYTES("")};
    for (const struct answer *a = answers; a->name != NULL; a++) {
        whole(a);
        for (size_t n = 0; n < head_of(a); n++)
            cut(a, n,
                "a header that is cut off is no header: \"truncated\"; only a "
                "close before the first byte is a \"reset\", which may be "
                "tried again on another connection");
    }
    struct feed feed;
    feed_start(&feed);
    feed_piece(&feed, interim.bytes, interim.length);
    http_eof(&feed.http);
    feed_expect_broken(&feed, RESULT_TRUNCATED, interim.name,
                       "the response that was announced never came",
                       "http_eof");
    feed_free(&feed);
}

/* --- The connection afterwards ------------------------------------------- */

static char *no_headers[1];

static const struct options options = {.jobs = 1,
                                       .discard = true,
                                       .headers = no_headers,
                                       .timeout_us = 30 * CLOCK_SECOND,
                                       .max_redirects = 10,
                                       .max_body = UINT64_MAX,
                                       .keep_alive = true};

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static struct exchange *begin(const struct options *with)
{
    struct exchange *x =
        exchange_new(with, "http://h/", strlen("http://h/"), 0);
    if (x == NULL)
        lab_broken("out of memory");
    exchange_connected(x, false, 1);
    return x;
}

static void send_all(struct exchange *x)
{
    const char *p;
    while (exchange_want(x) == WANT_SEND)
        exchange_sent(x, exchange_output(x, &p));
}

/* One read, as a driver gives it. Returns how many bytes were used. */
static size_t receive(struct exchange *x, const char *p, size_t n)
{
    size_t used = 0;
    while (used < n) {
        struct span body;
        size_t took = exchange_input(x, p + used, n - used, &body, 2);
        if (took == 0)
            break;
        used += took;
    }
    return used;
}

#define X_LOOK                                                                \
    "response_complete (common/exchange.c): when exchange_reusable may say "  \
    "yes"

static const char *want_name(enum want want)
{
    static const char *const names[] = {"WANT_CONNECT", "WANT_SEND",
                                        "WANT_SHUT",    "WANT_RECEIVE",
                                        "WANT_WAIT",    "WANT_DONE"};
    return names[want];
}

static void expect_want(const struct exchange *x, enum want want,
                        const char *name, const char *means, const char *look)
{
    lab_check(exchange_want(x) == want, means, look,
              "%s: the want is %s, not %s", name, want_name(exchange_want(x)),
              want_name(want));
}

static void expect_end(struct exchange *x, enum result result, bool reusable,
                       const char *name, const char *means)
{
    const struct outcome *outcome = exchange_outcome(x);
    lab_check(exchange_want(x) == WANT_DONE && outcome->result == result,
              "the response is whole: so is the exchange",
              "response_complete (common/exchange.c)",
              "%s: the want is %s, and the result \"%s\" (%s), not \"%s\"",
              name, want_name(exchange_want(x)), result_word(outcome->result),
              outcome->cause, result_word(result));
    lab_check(exchange_reusable(x) == reusable, means, X_LOOK,
              "%s: exchange_reusable says that the connection %s serve again",
              name, reusable ? "must not" : "may");
}

static void leftover_costs_the_connection(void)
{
    static const struct {
        const char *name;
        const char *bytes;
        enum result result;
        bool reusable;
    } cases[] = {
        {"just the response", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
         RESULT_OK, true},
        {"the response and a byte",
         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!", RESULT_OK, false},
        {"the response and another one",
         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" NEXT, RESULT_OK,
         false},
        {"an error and nothing else", NEXT, RESULT_HTTP_ERROR, true},
        {"an error and another response", NEXT NEXT, RESULT_HTTP_ERROR, false},
        {"a response that closes",
         "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "
         "2\r\n\r\nok",
         RESULT_OK, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct exchange *x = begin(&options);
        send_all(x);
        receive(x, cases[i].bytes, strlen(cases[i].bytes));
        expect_end(x, cases[i].result, cases[i].reusable, cases[i].name,
                   cases[i].reusable
                       ? "a sound connection is thrown away after each "
                         "response"
                       : "bytes that nobody asked for are left over, or the "
                         "server closes: the next request on this connection "
                         "would take them for its answer");
        exchange_free(x);
    }
}

/* The server is through before our request is: it may say thanks early. */
static void early_answer(void)
{
    static const char thanks[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct exchange *x = begin(&options);
    const char *p;
    size_t n = exchange_output(x, &p);
    exchange_sent(x, n / 2);
    receive(x, thanks, strlen(thanks));
    expect_want(x, WANT_SEND,
                "half of the request is sent and the whole answer is here",
                "a server may answer while we still send; what it has not "
                "heard yet it would take for the next request",
                "response_complete (common/exchange.c): WANT_SEND");
    send_all(x);
    /* Both are whole now. Some are careful with such a server, and some keep
     * the connection: nothing forbids that. */
    expect_end(x, RESULT_OK, exchange_reusable(x),
               "all is sent, and the whole answer was here before", "");
    exchange_free(x);

    x = begin(&options);
    n = exchange_output(x, &p);
    exchange_sent(x, n / 2);
    receive(x, thanks, strlen(thanks));
    exchange_unsendable(x);
    expect_end(x, RESULT_OK, false,
               "the whole answer was here before the server has closed its "
               "ears",
               "the server has not heard all: it would take the next request "
               "for the rest of this one");
    exchange_free(x);
}

/* A refusal that comes early is the answer; the rest of the request, be it of
 * its head or of what is uploaded, would be taken for another one. */
static void refused_early(void)
{
    static const char means[] =
        "the server has not heard all of the request: it would take the next "
        "one for the rest of this one";
    struct options uploading = options;
    struct exchange *x = begin(&options);
    const char *p;
    size_t n = exchange_output(x, &p);
    exchange_sent(x, n / 2);
    receive(x, NEXT, strlen(NEXT));
    expect_end(x, RESULT_HTTP_ERROR, false,
               "a 404 when half of the request is sent", means);
    exchange_free(x);
    uploading.upload = "file";
    uploading.upload_size = 1000;
    x = begin(&uploading);
    exchange_sent(x, exchange_output(x, &p));
    exchange_sent(x, 999);
    receive(x, NEXT, strlen(NEXT));
    expect_end(x, RESULT_HTTP_ERROR, false,
               "a 404 when the last byte of an upload is not sent", means);
    exchange_free(x);
    x = begin(&uploading);
    exchange_sent(x, exchange_output(x, &p));
    exchange_sent(x, 1000);
    receive(x, NEXT, strlen(NEXT));
    expect_end(x, RESULT_HTTP_ERROR, true,
               "a 404 when all of an upload is sent",
               "the server has heard all of the request");
    exchange_free(x);
}

static void we_close(void)
{
    struct options closing = options;
    closing.keep_alive = false;
    struct exchange *x = begin(&closing);
    send_all(x);
    receive(x, OK, strlen(OK));
    expect_end(x, RESULT_OK, false, "keep_alive is off in the options",
               "we have told the server to close: it does so now");
    exchange_free(x);
}

static void ends_with_it(void)
{
    static const char bytes[] = "HTTP/1.1 200 OK\r\n\r\nhello";
    struct exchange *x = begin(&options);
    send_all(x);
    receive(x, bytes, strlen(bytes));
    exchange_eof(x, 3);
    expect_end(x, RESULT_OK, false, "a response that ends with the close",
               "the connection is closed");
    exchange_free(x);
}

static void redirects_are_followed(void)
{
    static const struct {
        const char *name;
        const char *bytes;
        bool reusable;
    } cases[] = {
        {"a redirect",
         "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 2\r\n\r\nno",
         true},
        {"a redirect and left-over bytes",
         "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 2\r\n\r\nno!",
         false},
        {"a redirect that closes",
         "HTTP/1.1 302 Found\r\nLocation: /b\r\nConnection: close\r\n"
         "Content-Length: 2\r\n\r\nno",
         false},
    };
    static const char means[] = "a redirect is followed: the next want is a "
                                "connection, to where it leads";
    static const char look[] =
        "response_complete (common/exchange.c): FATE_REDIRECT";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct exchange *x = begin(&options);
        send_all(x);
        receive(x, cases[i].bytes, strlen(cases[i].bytes));
        expect_want(x, WANT_CONNECT, cases[i].name, means, look);
        lab_check(strcmp(exchange_url(x)->text, "http://h/b") == 0, means,
                  look, "%s: the next URL is %s", cases[i].name,
                  exchange_url(x)->text);
        lab_check(exchange_reusable(x) == cases[i].reusable,
                  cases[i].reusable
                      ? "a sound connection is thrown away"
                      : "the next request on this connection would take what "
                        "is left over, or the close, for its answer",
                  X_LOOK,
                  "%s: exchange_reusable says that the connection %s serve "
                  "again",
                  cases[i].name, cases[i].reusable ? "must not" : "may");
        exchange_connected(x, true, 4);
        send_all(x);
        receive(x, OK, strlen(OK));
        expect_end(x, RESULT_OK, true, "the answer behind a redirect",
                   "what was remembered of the first response still counts");
        exchange_free(x);
    }
}

static void errors_are_tried_again(void)
{
    static const char busy[] = "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n"
                               "no";
    struct options twice = options;
    twice.retries = 1;
    struct exchange *x = begin(&twice);
    send_all(x);
    receive(x, busy, strlen(busy));
    expect_want(x, WANT_WAIT, "a 503, and one retry is allowed",
                "whether a failure is the end is decided in exchange_failed",
                "response_complete (common/exchange.c): FATE_DISCARDED");
    exchange_waited(x, exchange_deadline(x));
    expect_want(x, WANT_CONNECT, "and the wait is over",
                "the next attempt begins anew", "exchange_waited");
    exchange_connected(x, true, exchange_deadline(x) - 1);
    send_all(x);
    receive(x, OK, strlen(OK));
    expect_end(x, RESULT_OK, true, "the second attempt",
               "what was remembered of the first response still counts");
    exchange_free(x);
}

/* Neither of the two ways in which the connection ends leaves it to others. */
static void closed_connections(void)
{
    we_close();
    ends_with_it();
}

static void nothing_leaks(void)
{
    lab_doing("reading responses, whole and cut off, and giving all back",
              "memory that was allocated is not given back",
              "what the parser keeps, and http_free");
    bodies();
    early_end_in_the_head();
    redirects_are_followed();
    errors_are_tried_again();
    refused_early();
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"bodies", bodies},
        {"until_close", until_close},
        {"stops_at_the_end", stops_at_the_end},
        {"early_end_in_the_body", early_end_in_the_body},
        {"early_end_in_the_head", early_end_in_the_head},
        {"leftover_costs_the_connection", leftover_costs_the_connection},
        {"early_answer", early_answer},
        {"refused_early", refused_early},
        {"closed_connections", closed_connections},
        {"redirects_are_followed", redirects_are_followed},
        {"errors_are_tried_again", errors_are_tried_again},
        {"nothing_leaks", nothing_leaks},
        {0}};
    return lab_main(tests);
}
