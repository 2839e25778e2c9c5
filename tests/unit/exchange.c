/* exchange: the table of responses at every split, and the policies. */
#include "exchange.h"

#include "clock.h"
#include "guard.h"
#include "main.h"
#include "responses.h"

#include <errno.h>

static char *no_headers[1];

static struct options plain_options(void)
{
    return (struct options){.jobs = 1,
                            .discard = true,
                            .headers = no_headers,
                            .timeout_us = 30 * CLOCK_SECOND,
                            .max_redirects = 10,
                            .max_body = UINT64_MAX,
                            .keep_alive = true};
}

static struct exchange *start(const struct options *options, const char *url)
{
    struct exchange *x = exchange_new(options, url, strlen(url), 0);
    ck_assert_ptr_nonnull(x);
    return x;
}

/* Connects, and sends the whole request in pieces of three bytes. */
static void connect_and_send(struct exchange *x, bool reused)
{
    ck_assert_int_eq(exchange_want(x), WANT_CONNECT);
    exchange_connected(x, reused, 10);
    while (exchange_want(x) == WANT_SEND) {
        const char *p;
        size_t n = exchange_output(x, &p);
        ck_assert_uint_gt(n, 0);
        exchange_sent(x, n < 3 ? n : 3);
    }
    if (exchange_want(x) == WANT_SHUT)
        exchange_shut(x);
    ck_assert_int_eq(exchange_want(x), WANT_RECEIVE);
}

/* Gives bytes as a driver would; the body goes to *body. */
static void give(struct exchange *x, const char *bytes, size_t n,
                 struct bytes *body)
{
    struct guard guard;
    char *p = guard_copy(&guard, bytes, n);
    size_t used = 0;
    while (used < n) {
        struct span span;
        size_t took = exchange_input(x, p + used, n - used, &span, 20);
        if (took == 0)
            break;
        ck_assert_uint_le(took, n - used);
        if (span.length > 0 && body != NULL)
            ck_assert_int_eq(bytes_append(body, span.at, span.length), 0);
        used += took;
    }
    guard_free(&guard);
}

static void give_text(struct exchange *x, const char *text)
{
    give(x, text, strlen(text), NULL);
}

static void check_result(struct exchange *x, enum result result)
{
    ck_assert_int_eq(exchange_want(x), WANT_DONE);
    ck_assert_msg(exchange_outcome(x)->result == result, "%s: %s",
                  result_word(exchange_outcome(x)->result),
                  exchange_outcome(x)->cause);
}

/* --- The table ---------------------------------------------------------- */

/* Leftover bytes in a call of their own are for the probe of idle connections
 * to find; the exchange is through. */
static bool reusable_when_split(const struct response *r, size_t split)
{
    return r->reusable ||
           (strstr(r->name, "second") != NULL && r->bytes[split] == 'H' &&
            split > 0) ||
           (strcmp(r->name, "more than the length") == 0 &&
            split == r->length - 1);
}

static void run_response(const struct response *r, size_t split)
{
    struct options options = plain_options();
    struct exchange *x = start(&options, "http://h/");
    struct bytes body = {0};
    connect_and_send(x, false);
    give(x, r->bytes, split, &body);
    give(x, r->bytes + split, r->length - split, &body);
    if (r->closes)
        exchange_eof(x, 30);
    struct outcome *outcome = exchange_outcome(x);
    ck_assert_msg(exchange_want(x) == WANT_DONE, "%s: not done", r->name);
    ck_assert_msg(outcome->result == r->result, "%s, split at %zu: %s (%s)",
                  r->name, split, result_word(outcome->result),
                  outcome->cause);
    ck_assert_msg(outcome->status == r->status, "%s: status %d", r->name,
                  outcome->status);
    ck_assert_msg(body.length == r->body_length, "%s: %zu bytes", r->name,
                  body.length);
    if (body.length > 0)
        ck_assert_mem_eq(body.data, r->body, body.length);
    if (!exchange_reusable(x))
        ck_assert_msg(!r->reusable, "%s: not reusable", r->name);
    else
        ck_assert_msg(reusable_when_split(r, split),
                      "%s, split at %zu: "
                      "reusable",
                      r->name, split);
    ck_assert_uint_eq(outcome->attempts, 1);
    ck_assert((outcome->cause[0] == '\0') == (outcome->result == RESULT_OK));
    bytes_free(&body);
    exchange_free(x);
}

START_TEST(every_response_at_every_split)
{
    for (size_t i = 0; i < RESPONSES; i++) {
        for (size_t split = 0; split <= responses[i].length; split++)
            run_response(&responses[i], split);
    }
}
END_TEST

/* --- URLs --------------------------------------------------------------- */

START_TEST(bad_urls_are_done_at_once)
{
    struct options options = plain_options();
    struct exchange *x = start(&options, "http://h/ x");
    check_result(x, RESULT_BAD_URL);
    ck_assert_uint_eq(exchange_outcome(x)->attempts, 0);
    exchange_free(x);
    x = start(&options, "gopher://h/");
    check_result(x, RESULT_UNSUPPORTED);
    exchange_free(x);
}
END_TEST

/* --- Redirects ---------------------------------------------------------- */

static void redirect_to(struct exchange *x, const char *location)
{
    char head[400];
    connect_and_send(x, false);
    snprintf(head, sizeof head,
             "HTTP/1.1 302 Found\r\nLocation: %s\r\n"
             "Content-Length: 3\r\n\r\nabc",
             location);
    give_text(x, head);
}

START_TEST(follows_redirects)
{
    struct options options = plain_options();
    struct exchange *x = start(&options, "http://a/x/y?z");
    redirect_to(x, "../b?c#d");
    ck_assert_int_eq(exchange_want(x), WANT_CONNECT);
    ck_assert(exchange_reusable(x)); /* its little body was read past */
    ck_assert_str_eq(exchange_url(x)->text, "http://a/b?c");
    redirect_to(x, "http://other:81/");
    ck_assert_str_eq(exchange_url(x)->host, "other");
    ck_assert_str_eq(exchange_url(x)->port, "81");
    connect_and_send(x, true);
    give_text(x, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    check_result(x, RESULT_OK);
    ck_assert_uint_eq(exchange_outcome(x)->attempts, 1);
    ck_assert(exchange_outcome(x)->reused);
    exchange_free(x);
}
END_TEST

START_TEST(counts_redirects)
{
    struct options options = plain_options();
    options.max_redirects = 2;
    struct exchange *x = start(&options, "http://a/");
    redirect_to(x, "/1");
    redirect_to(x, "/2");
    redirect_to(x, "/3");
    check_result(x, RESULT_REDIRECT_LIMIT);
    ck_assert_int_eq(exchange_outcome(x)->status, 302);
    exchange_free(x);

    options.max_redirects = 0;
    x = start(&options, "http://a/");
    redirect_to(x, "/1");
    check_result(x, RESULT_OK);
    exchange_free(x);
}
END_TEST

START_TEST(refuses_some_redirects)
{
    static const struct {
        const char *location;
        enum result result;
    } cases[] = {
        {"ftp://h/", RESULT_UNSUPPORTED},
        {"file:///etc/x", RESULT_UNSUPPORTED},
        {"tcp://h:1/", RESULT_UNSUPPORTED},
        {"http://u@h/", RESULT_BAD_URL},
        {"/a b", RESULT_BAD_URL},
        {"http://", RESULT_BAD_URL},
        {"FILE:/x", RESULT_UNSUPPORTED},
        {"fIle:x", RESULT_UNSUPPORTED},
        {"file://h/x", RESULT_UNSUPPORTED},
        {"tcp://h/", RESULT_UNSUPPORTED},
    };
    struct options options = plain_options();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct exchange *x = start(&options, "http://a/");
        redirect_to(x, cases[i].location);
        check_result(x, cases[i].result);
        exchange_free(x);
    }
}
END_TEST

/* The body of a redirect is not read past if that would take long. */
START_TEST(leaves_long_redirects)
{
    struct options options = plain_options();
    struct exchange *x = start(&options, "http://a/");
    connect_and_send(x, false);
    give_text(x, "HTTP/1.1 302 Found\r\nLocation: /b\r\n"
                 "Content-Length: 9999999\r\n\r\n");
    ck_assert_int_eq(exchange_want(x), WANT_CONNECT);
    ck_assert(!exchange_reusable(x));
    connect_and_send(x, false);
    give_text(x, "HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n");
    ck_assert_int_eq(exchange_want(x), WANT_CONNECT);
    exchange_free(x);
}
END_TEST

static bool output_has(const struct exchange *x, const char *text)
{
    const char *p;
    size_t n = exchange_output(x, &p);
    return memmem(p, n, text, strlen(text)) != NULL;
}

START_TEST(keeps_secrets_at_home)
{
    static char secret[] = "Authorization: x";
    static char plain[] = "X-Other: y";
    char *headers[] = {secret, plain};
    struct options options = plain_options();
    options.headers = headers;
    options.header_count = 2;
    struct exchange *x = start(&options, "http://a/");
    ck_assert(output_has(x, "Authorization: x"));
    redirect_to(x, "/same");
    ck_assert(output_has(x, "Authorization: x"));
    redirect_to(x, "http://a:81/");
    ck_assert(!output_has(x, "Authorization"));
    ck_assert(output_has(x, "X-Other: y"));
    exchange_free(x);
}
END_TEST

/* RFC 9110, 15.4: what is said of the content does not go with the GET. */
START_TEST(content_headers_stay_behind)
{
    char *headers[] = {(char[]){"Content-Type: text/x"},
                       (char[]){"content-language: de"},
                       (char[]){"Content-MD5: x"},
                       (char[]){"Expect: 100-continue"},
                       (char[]){"Digest: x"},
                       (char[]){"Repr-Digest: x"},
                       (char[]){"Last-Modified: x"},
                       (char[]){"Trailer: x"},
                       (char[]){"Contents: stay"}};
    size_t count = sizeof headers / sizeof *headers;
    static const char *const statuses[] = {"302", "303"};
    for (int with = 0; with < 2; with++) {
        for (size_t i = 0; i < 2; i++) {
            struct options options = plain_options();
            options.headers = headers;
            options.header_count = count;
            options.upload = with ? "x" : NULL;
            struct exchange *x = start(&options, "http://a/");
            char head[99];
            connect_and_send(x, false);
            snprintf(head, sizeof head,
                     "HTTP/1.1 %s x\r\nLocation: /b\r\n"
                     "Content-Length: 0\r\n\r\n",
                     statuses[i]);
            give_text(x, head);
            bool gone = with && i == 1;
            for (size_t j = 0; j + 1 < count; j++)
                ck_assert_msg(output_has(x, headers[j]) != gone, "%s",
                              headers[j]);
            ck_assert(output_has(x, "Contents: stay"));
            ck_assert(output_has(x, "Content-Length: 0") == (with && !gone));
            ck_assert(output_has(x, with && !gone ? "PUT /b" : "GET /b"));
            exchange_free(x);
        }
    }
}
END_TEST

/* --- Failures ----------------------------------------------------------- */

START_TEST(retries_what_may_pass)
{
    struct options options = plain_options();
    options.retries = 3;
    struct exchange *x = start(&options, "http://a/");
    exchange_failed(x, RESULT_REFUSED, "refused", 1000);
    ck_assert_int_eq(exchange_want(x), WANT_WAIT);
    ck_assert_int_eq(exchange_deadline(x), 101000);
    exchange_waited(x, 101000);
    ck_assert_int_eq(exchange_deadline(x), 101000 + 30 * CLOCK_SECOND);
    connect_and_send(x, false);
    give_text(x, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    ck_assert_int_eq(exchange_want(x), WANT_WAIT);
    ck_assert(exchange_reusable(x)); /* the answer was whole */
    ck_assert_int_eq(exchange_deadline(x), 20 + 200000);
    exchange_waited(x, 300000);
    connect_and_send(x, false);
    exchange_eof(x, 30);
    ck_assert_int_eq(exchange_want(x), WANT_WAIT);
    ck_assert_int_eq(exchange_deadline(x), 30 + 400000);
    exchange_waited(x, 800000);
    exchange_failed(x, RESULT_CONNECT_TIMEOUT, "slow", 900000);
    check_result(x, RESULT_CONNECT_TIMEOUT);
    ck_assert_uint_eq(exchange_outcome(x)->attempts, 4);
    ck_assert_int_eq(exchange_outcome(x)->status, 503);
    exchange_free(x);
}
END_TEST

START_TEST(does_not_retry_the_rest)
{
    static const enum result finals[] = {
        RESULT_DNS,       RESULT_UNREACHABLE, RESULT_WRITE_FAILED,
        RESULT_CANCELLED, RESULT_TLS,         RESULT_NO_RESOURCES};
    struct options options = plain_options();
    options.retries = 3;
    for (size_t i = 0; i < sizeof finals / sizeof *finals; i++) {
        struct exchange *x = start(&options, "http://a/");
        exchange_failed(x, finals[i], "words", 0);
        check_result(x, finals[i]);
        exchange_free(x);
    }
    struct exchange *x = start(&options, "http://a/");
    connect_and_send(x, false);
    give_text(x, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
    check_result(x, RESULT_HTTP_ERROR);
    exchange_free(x);
}
END_TEST

/* What an answer asks for, and when the request goes out again: after so many
 * milliseconds; -1: never. Ours is the last date of all, 2031. */
START_TEST(waits_as_asked)
{
    static const struct {
        const char *head;
        int ms;
    } cases[] = {
        {"503 No\r\n", 100},
        {"503 No\r\nRetry-After: 3\r\n", 3000},
        {"408 No\r\nretry-after: 3\r\n", 3000},
        {"429 No\r\nRetry-After:\t60 \r\n", 60000},
        {"429 No\r\nRetry-After: 61\r\n", -1},
        {"429 No\r\nRetry-After: 18446744073709551617\r\n", -1},
        {"502 No\r\nRetry-After: 0\r\n", 100},
        {"504 No\r\nRetry-After: 2\r\nRetry-After: 1\r\n", 2000},
        /* Neither seconds nor a date: */
        {"503 No\r\nRetry-After: -3\r\n", 100},
        {"503 No\r\nRetry-After: +3\r\n", 100},
        {"503 No\r\nRetry-After: 3.5\r\n", 100},
        {"503 No\r\nRetry-After: 3, 4\r\n", 100},
        {"503 No\r\nRetry-After: soon\r\n", 100},
        {"503 No\r\nRetry-After:\r\n", 100},
        {"503 No\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 MEZ\r\n", 100},
        /* By the clock of the answer, in the three forms: */
        {"503 No\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
         "Retry-After: Sun, 06 Nov 1994 08:49:39 GMT\r\n",
         2000},
        {"503 No\r\nRetry-After: Sunday, 06-Nov-94 08:49:39 GMT\r\n"
         "Date: Sun Nov  6 08:49:37 1994\r\n",
         2000},
        {"503 No\r\nDate: Sunday, 06-Nov-94 08:49:37 GMT\r\n"
         "Retry-After: Sun Nov  6 08:49:39 1994\r\n",
         2000},
        {"503 No\r\nDate: Thu, 31 Dec 2099 23:59:59 GMT\r\n"
         "Retry-After: Friday, 01-Jan-00 00:00:09 GMT\r\n",
         10000},
        {"503 No\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
         "Retry-After: Sun, 06 Nov 1994 08:50:38 GMT\r\n",
         -1},
        {"503 No\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
         "Retry-After: Sun, 06 Nov 1994 08:49:36 GMT\r\n",
         100},
        /* By ours: */
        {"503 No\r\nRetry-After: Wed, 01 Jan 2031 00:00:04 GMT\r\n", 4000},
        {"503 No\r\nDate: today\r\n"
         "Retry-After: Wednesday, 01-Jan-31 00:00:04 GMT\r\n",
         4000},
        {"503 No\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 100},
        {"503 No\r\nRetry-After: Wed, 01 Jan 2031 00:01:01 GMT\r\n", -1},
        /* Of the answer alone, not of what comes before it: */
        {"103 Hints\r\nRetry-After: 9\r\n\r\nHTTP/1.1 503 No\r\n", 100},
    };
    struct options options = plain_options();
    options.retries = 1;
    options.epoch_us = INT64_C(1924992000) * CLOCK_SECOND;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char head[300];
        struct exchange *x = start(&options, "http://a/");
        connect_and_send(x, false);
        snprintf(head, sizeof head, "HTTP/1.1 %sContent-Length: 0\r\n\r\n",
                 cases[i].head);
        give_text(x, head);
        int64_t wait = exchange_want(x) == WANT_WAIT
                           ? (exchange_deadline(x) - 20) / 1000
                           : -1;
        ck_assert_msg(wait == cases[i].ms, "%s: %ld ms", cases[i].head,
                      (long)wait);
        if (wait == -1)
            check_result(x, RESULT_HTTP_ERROR);
        exchange_free(x);
    }
}
END_TEST

/* The answer may be cut within its content: it has said when to come back. */
START_TEST(waits_as_a_cut_answer_asks)
{
    static const struct {
        const char *seconds;
        int64_t deadline;
    } cases[] = {{"3", 30 + 3 * CLOCK_SECOND}, {"61", CLOCK_NEVER}};
    struct options options = plain_options();
    options.retries = 1;
    for (int i = 0; i < 4; i++) {
        char head[100];
        struct exchange *x = start(&options, "http://a/");
        connect_and_send(x, false);
        snprintf(head, sizeof head,
                 "HTTP/1.1 503 No\r\nRetry-After: %s\r\n"
                 "Content-Length: 5\r\n\r\nab",
                 cases[i / 2].seconds);
        give_text(x, head);
        if (i % 2 == 0)
            exchange_eof(x, 30);
        else
            exchange_failed(x, RESULT_RESET, "reset", 30);
        ck_assert_int_eq(exchange_deadline(x), cases[i / 2].deadline);
        if (exchange_want(x) != WANT_WAIT)
            check_result(x, i % 2 == 0 ? RESULT_TRUNCATED : RESULT_RESET);
        exchange_free(x);
    }
}
END_TEST

/* What the last answer asked for is not for a failure that follows it. */
START_TEST(asks_once)
{
    struct options options = plain_options();
    options.retries = 2;
    struct exchange *x = start(&options, "http://a/");
    connect_and_send(x, false);
    give_text(x, "HTTP/1.1 503 No\r\nRetry-After: 9\r\n"
                 "Content-Length: 0\r\n\r\n");
    ck_assert_int_eq(exchange_deadline(x), 20 + 9 * CLOCK_SECOND);
    exchange_waited(x, 0);
    exchange_failed(x, RESULT_REFUSED, "words", 0);
    ck_assert_int_eq(exchange_deadline(x), 200000);
    exchange_free(x);
}
END_TEST

START_TEST(waits_ten_seconds_at_most)
{
    struct options options = plain_options();
    options.retries = 100;
    struct exchange *x = start(&options, "http://a/");
    for (int i = 0; i < 80; i++) {
        exchange_failed(x, RESULT_RESET, "words", 0);
        ck_assert_int_le(exchange_deadline(x), 10 * CLOCK_SECOND);
        exchange_waited(x, 0);
    }
    exchange_free(x);
}
END_TEST

/* Standard output cannot take back what it was given. */
START_TEST(ordered_bodies_are_final)
{
    struct options options = plain_options();
    options.retries = 3;
    for (int ordered = 0; ordered < 2; ordered++) {
        options.discard = !ordered;
        struct exchange *x = start(&options, "http://a/");
        connect_and_send(x, false);
        give_text(x, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
        exchange_eof(x, 0); /* no body byte yet: may be tried again */
        ck_assert_int_eq(exchange_want(x), WANT_WAIT);
        exchange_waited(x, 0);
        connect_and_send(x, false);
        give_text(x, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na");
        exchange_eof(x, 0);
        if (ordered)
            check_result(x, RESULT_TRUNCATED);
        else
            ck_assert_int_eq(exchange_want(x), WANT_WAIT);
        exchange_free(x);
    }
}
END_TEST

/* RFC 9112, 9.3.1: a kept connection that the server has closed meanwhile. */
START_TEST(stale_connections_cost_nothing)
{
    struct options options = plain_options();
    struct exchange *x = start(&options, "http://a/");
    ck_assert(exchange_may_reuse(x));
    connect_and_send(x, true);
    exchange_eof(x, 0);
    ck_assert_int_eq(exchange_want(x), WANT_CONNECT);
    ck_assert(!exchange_may_reuse(x)); /* once, on a fresh one */
    ck_assert_uint_eq(exchange_outcome(x)->attempts, 1);
    connect_and_send(x, false);
    exchange_failed(x, RESULT_RESET, "reset", 0);
    check_result(x, RESULT_RESET);
    ck_assert_uint_eq(exchange_outcome(x)->attempts, 1);
    ck_assert(!exchange_outcome(x)->reused);
    exchange_free(x);

    /* The send itself may be what finds out. */
    x = start(&options, "http://a/");
    exchange_connected(x, true, 0);
    exchange_unsendable(x);
    ck_assert_int_eq(exchange_want(x), WANT_RECEIVE);
    exchange_failed(x, RESULT_RESET, "reset", 0);
    ck_assert_int_eq(exchange_want(x), WANT_CONNECT);
    exchange_free(x);

    /* After the first byte it is no longer the connection's fault. */
    x = start(&options, "http://a/");
    connect_and_send(x, true);
    give_text(x, "H");
    exchange_failed(x, RESULT_RESET, "reset", 0);
    check_result(x, RESULT_RESET);
    exchange_free(x);
}
END_TEST

/* RFC 9110, 15.5.9: a server gives up waiting for a request just as one goes
 * out. Uploads as well, whose file is sent from its start. */
START_TEST(a_crossing_408_costs_nothing)
{
    static const char answer[] = "HTTP/1.1 408 Slow\r\nRetry-After: 99\r\n"
                                 "Connection: close\r\n\r\n";
    struct options options = plain_options();
    struct exchange *x = start(&options, "http://a/");
    connect_and_send(x, true);
    give_text(x, answer);
    ck_assert_int_eq(exchange_want(x), WANT_CONNECT);
    ck_assert(!exchange_may_reuse(x));
    ck_assert(!exchange_reusable(x));
    connect_and_send(x, false);
    give_text(x, answer); /* once */
    check_result(x, RESULT_HTTP_ERROR);
    ck_assert_uint_eq(exchange_outcome(x)->attempts, 1);
    exchange_free(x);

    uint64_t offset;
    options.upload = "x";
    options.upload_size = 9;
    x = start(&options, "http://a/");
    exchange_connected(x, true, 0);
    const char *p;
    exchange_sent(x, exchange_output(x, &p));
    exchange_sent(x, 5);
    give_text(x, answer);
    ck_assert_int_eq(exchange_want(x), WANT_CONNECT);
    exchange_connected(x, false, 0);
    ck_assert_uint_eq(exchange_upload(x, &offset), 9);
    ck_assert_uint_eq(offset, 0);
    exchange_free(x);
}
END_TEST

START_TEST(no_keep_alive_reuses_nothing)
{
    struct options options = plain_options();
    options.keep_alive = false;
    struct exchange *x = start(&options, "http://a/");
    ck_assert(!exchange_may_reuse(x));
    ck_assert(output_has(x, "Connection: close\r\n"));
    connect_and_send(x, false);
    give_text(x, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    check_result(x, RESULT_OK);
    ck_assert(!exchange_reusable(x));
    exchange_free(x);
}
END_TEST

/* --- Limits ------------------------------------------------------------- */

START_TEST(refuses_long_bodies)
{
    static const struct {
        const char *head;
        enum result result;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd", RESULT_OK},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", RESULT_TOO_LARGE},
        {"HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\nabcde",
         RESULT_HTTP_ERROR},
        {"HTTP/1.1 200 OK\r\n\r\nabcde", RESULT_TOO_LARGE},
        {"HTTP/1.1 404 No\r\n\r\nabcde", RESULT_HTTP_ERROR},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "3\r\nabc\r\n2\r\nde\r\n",
         RESULT_TOO_LARGE},
    };
    struct options options = plain_options();
    options.max_body = 4;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct exchange *x = start(&options, "http://a/");
        connect_and_send(x, false);
        give_text(x, cases[i].head);
        check_result(x, cases[i].result);
        exchange_free(x);
    }
    struct exchange *x = start(&options, "tcp://a:1/");
    connect_and_send(x, false);
    give_text(x, "abcde");
    check_result(x, RESULT_TOO_LARGE);
    exchange_free(x);
}
END_TEST

/* Sends a body without an end, as chunks; returns how much was taken. */
static size_t give_endless(struct exchange *x, const char *head)
{
    char chunk[5 + 1000 + 2 + 1];
    memset(chunk, 'x', sizeof chunk);
    memcpy(chunk, "3e8\r\n", 5);
    memcpy(chunk + 1005, "\r\n", 3);
    size_t given = 0;
    connect_and_send(x, false);
    give_text(x, head);
    while (exchange_want(x) == WANT_RECEIVE && given < 1000000) {
        give_text(x, chunk);
        given += 1000;
    }
    return given;
}

/* Of a body that nobody keeps, a part is read, and the connection is lost. */
START_TEST(unwanted_bodies_are_left)
{
    struct options options = plain_options();
    options.max_body = 4;
    struct exchange *x = start(&options, "http://a/");
    size_t given = give_endless(x, "HTTP/1.1 404 No\r\n"
                                   "Transfer-Encoding: chunked\r\n\r\n");
    check_result(x, RESULT_HTTP_ERROR);
    ck_assert(!exchange_reusable(x));
    ck_assert_uint_ge(given, 65000);
    ck_assert_uint_le(given, 67000);
    exchange_free(x);

    x = start(&options, "http://a/");
    given = give_endless(x, "HTTP/1.1 302 Found\r\nLocation: /b\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n");
    ck_assert_int_eq(exchange_want(x), WANT_CONNECT);
    ck_assert(!exchange_reusable(x));
    ck_assert_uint_le(given, 67000);
    exchange_free(x);

    /* Known to be longer from the start; or not known, and of no use. */
    static const char *const heads[] = {
        "HTTP/1.1 500 No\r\nContent-Length: 65537\r\n\r\n",
        "HTTP/1.1 500 No\r\n\r\n"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        x = start(&options, "http://a/");
        connect_and_send(x, false);
        give_text(x, heads[i]);
        check_result(x, RESULT_HTTP_ERROR);
        ck_assert(!exchange_reusable(x));
        exchange_free(x);
    }
}
END_TEST

/* The rest of such a body is not waited for, however long the limit is. */
START_TEST(unwanted_bodies_get_little_time)
{
    static const char *const heads[] = {
        "HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\nab",
        "HTTP/1.1 302 Found\r\nLocation: /b\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5\r\nab"};
    struct options options = plain_options();
    for (int i = 0; i < 2; i++) {
        struct exchange *x = start(&options, "http://a/");
        connect_and_send(x, false);
        give_text(x, heads[i]);
        ck_assert_int_eq(exchange_want(x), WANT_RECEIVE);
        ck_assert_int_eq(exchange_deadline(x), 20 + CLOCK_SECOND);
        exchange_expired(x, exchange_deadline(x));
        if (i == 0)
            check_result(x, RESULT_HTTP_ERROR);
        else
            ck_assert_int_eq(exchange_deadline(x), 30 * CLOCK_SECOND);
        ck_assert(!exchange_reusable(x));
        exchange_free(x);
    }
    /* A limit that is shorter still makes no time-out of an error. */
    options.timeout_us = CLOCK_SECOND / 2;
    for (int i = 0; i < 2; i++) {
        struct exchange *x = start(&options, "http://a/");
        connect_and_send(x, false);
        give_text(x, heads[i]);
        ck_assert_int_eq(exchange_deadline(x), CLOCK_SECOND / 2);
        exchange_expired(x, exchange_deadline(x));
        check_result(x, i == 0 ? RESULT_HTTP_ERROR : RESULT_TIMEOUT);
        exchange_free(x);
    }
}
END_TEST

START_TEST(expires)
{
    struct options options = plain_options();
    struct exchange *x = start(&options, "http://a/");
    ck_assert_int_eq(exchange_deadline(x), 30 * CLOCK_SECOND);
    connect_and_send(x, false);
    exchange_paused(x, 5 * CLOCK_SECOND); /* the consumer was slow */
    ck_assert_int_eq(exchange_deadline(x), 35 * CLOCK_SECOND);
    exchange_expired(x, 35 * CLOCK_SECOND);
    check_result(x, RESULT_TIMEOUT);
    ck_assert_int_eq(exchange_deadline(x), CLOCK_NEVER);
    exchange_free(x);

    /* The limit on connecting is over, and with it that on the attempt. */
    x = start(&options, "http://a/");
    exchange_failed(x, RESULT_CONNECT_TIMEOUT, "no", 30 * CLOCK_SECOND - 1);
    check_result(x, RESULT_CONNECT_TIMEOUT);
    exchange_free(x);
    x = start(&options, "http://a/");
    exchange_failed(x, RESULT_CONNECT_TIMEOUT, "no", 30 * CLOCK_SECOND);
    check_result(x, RESULT_TIMEOUT);
    exchange_free(x);
}
END_TEST

/* The last piece of a body comes with the end; it may still get lost. */
START_TEST(delivery_can_fail_at_the_end)
{
    struct options options = plain_options();
    struct exchange *x = start(&options, "http://a/");
    connect_and_send(x, false);
    give_text(x, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
    check_result(x, RESULT_OK);
    exchange_failed(x, RESULT_WRITE_FAILED, "disk full", 0);
    check_result(x, RESULT_WRITE_FAILED);
    exchange_free(x);
}
END_TEST

/* --- tcp ---------------------------------------------------------------- */

static int keep(void *body, const char *p, size_t n)
{
    return bytes_append(body, p, n);
}

static int take_none(void *count, const char *p, size_t n)
{
    (void)p;
    (void)n;
    ++*(int *)count;
    return -ENOSPC;
}

static int fail_with(void *context, const char *p, size_t n)
{
    (void)p;
    (void)n;
    return *(int *)context;
}

START_TEST(feeds_a_deliverer)
{
    static const char response[] = "HTTP/1.1 200 OK\r\n"
                                   "Transfer-Encoding: chunked\r\n\r\n"
                                   "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nrest";
    struct options options = plain_options();
    struct exchange *x = start(&options, "http://h/");
    struct bytes body = {0};
    connect_and_send(x, false);
    exchange_feed(x, response, sizeof response - 1, keep, &body, 20);
    ck_assert_int_eq(exchange_want(x), WANT_DONE);
    ck_assert_int_eq(exchange_outcome(x)->result, RESULT_OK);
    ck_assert_uint_eq(body.length, 5);
    ck_assert_int_eq(memcmp(body.data, "abcde", 5), 0);
    bytes_free(&body);
    exchange_free(x);
}
END_TEST

START_TEST(a_deliverer_may_fail)
{
    static const char response[] = "HTTP/1.1 200 OK\r\n"
                                   "Transfer-Encoding: chunked\r\n\r\n"
                                   "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    struct options options = plain_options();
    struct exchange *x = start(&options, "http://h/");
    int count = 0;
    connect_and_send(x, false);
    exchange_feed(x, response, sizeof response - 1, take_none, &count, 20);
    ck_assert_int_eq(exchange_want(x), WANT_DONE);
    ck_assert_int_eq(exchange_outcome(x)->result, RESULT_WRITE_FAILED);
    ck_assert_int_eq(count, 1);
    exchange_free(x);
}
END_TEST

/* How the body could not be handed on says what the request comes to. */
START_TEST(a_deliverer_says_why)
{
    static const struct {
        int error;
        enum result result;
    } rows[] = {{-ENOSPC, RESULT_WRITE_FAILED},
                {-ENOMEM, RESULT_NO_RESOURCES},
                {-EMFILE, RESULT_NO_RESOURCES},
                {-ECANCELED, RESULT_CANCELLED}};
    struct options options = plain_options();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct exchange *x = start(&options, "http://h/");
        int error = rows[i].error;
        connect_and_send(x, false);
        static const char response[] = "HTTP/1.1 200 OK\r\n\r\nbody";
        exchange_feed(x, response, sizeof response - 1, fail_with, &error, 20);
        check_result(x, rows[i].result);
        exchange_free(x);
    }
}
END_TEST

START_TEST(talks_plain_tcp)
{
    struct options options = plain_options();
    struct exchange *x = start(&options, "tcp://a:1/a%00b?c");
    struct bytes body = {0};
    const char *p;
    ck_assert(!exchange_may_reuse(x));
    exchange_connected(x, false, 5);
    ck_assert_uint_eq(exchange_output(x, &p), 5);
    ck_assert_mem_eq(p, "a\0b?c", 5);
    exchange_sent(x, 5);
    ck_assert_int_eq(exchange_want(x), WANT_SHUT);
    exchange_shut(x);
    give(x, "reply", 5, &body);
    ck_assert_int_eq(exchange_want(x), WANT_RECEIVE);
    exchange_eof(x, 40);
    check_result(x, RESULT_OK);
    ck_assert_uint_eq(body.length, 5);
    ck_assert_int_eq(exchange_outcome(x)->status, 0);
    ck_assert_int_eq(exchange_outcome(x)->connected_us, 5);
    ck_assert_int_eq(exchange_outcome(x)->first_byte_us, 20);
    ck_assert(!exchange_reusable(x));
    bytes_free(&body);
    exchange_free(x);
}
END_TEST

START_TEST(an_empty_reply_is_ok)
{
    struct options options = plain_options();
    struct exchange *x = start(&options, "tcp://a:1/");
    exchange_connected(x, false, 5);
    ck_assert_int_eq(exchange_want(x), WANT_SHUT);
    exchange_shut(x);
    exchange_eof(x, 40);
    check_result(x, RESULT_OK);
    exchange_free(x);
}
END_TEST

static void add_cases(TCase *tc)
{
    tcase_add_test(tc, every_response_at_every_split);
    tcase_add_test(tc, bad_urls_are_done_at_once);
    tcase_add_test(tc, follows_redirects);
    tcase_add_test(tc, counts_redirects);
    tcase_add_test(tc, refuses_some_redirects);
    tcase_add_test(tc, leaves_long_redirects);
    tcase_add_test(tc, keeps_secrets_at_home);
    tcase_add_test(tc, content_headers_stay_behind);
    tcase_add_test(tc, waits_as_asked);
    tcase_add_test(tc, waits_as_a_cut_answer_asks);
    tcase_add_test(tc, asks_once);
    tcase_add_test(tc, a_crossing_408_costs_nothing);
    tcase_add_test(tc, unwanted_bodies_are_left);
    tcase_add_test(tc, unwanted_bodies_get_little_time);
    tcase_add_test(tc, retries_what_may_pass);
    tcase_add_test(tc, does_not_retry_the_rest);
    tcase_add_test(tc, waits_ten_seconds_at_most);
    tcase_add_test(tc, ordered_bodies_are_final);
    tcase_add_test(tc, stale_connections_cost_nothing);
    tcase_add_test(tc, no_keep_alive_reuses_nothing);
    tcase_add_test(tc, refuses_long_bodies);
    tcase_add_test(tc, expires);
    tcase_add_test(tc, delivery_can_fail_at_the_end);
    tcase_add_test(tc, feeds_a_deliverer);
    tcase_add_test(tc, a_deliverer_may_fail);
    tcase_add_test(tc, a_deliverer_says_why);
    tcase_add_test(tc, talks_plain_tcp);
    tcase_add_test(tc, an_empty_reply_is_ok);
}

UNIT_MAIN("exchange", add_cases)
