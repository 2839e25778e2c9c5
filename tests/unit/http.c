/* http: every response of the table, split at every byte; the writer. */
#include "http.h"

#include "guard.h"
#include "main.h"
#include "responses.h"

/* Feeds `n` bytes, which stand against a guard page, and gathers the body. */
static void feed(struct http *http, const char *bytes, size_t n,
                 struct bytes *body)
{
    struct guard guard;
    char *p = guard_copy(&guard, bytes, n);
    size_t used = 0;
    while (used < n && http->state != HTTP_DONE && http->state != HTTP_BAD) {
        struct span span;
        size_t took = http_feed(http, p + used, n - used, &span);
        ck_assert_uint_gt(took, 0);
        ck_assert_uint_le(took, n - used);
        if (span.length > 0) {
            ck_assert(span.at >= p + used &&
                      span.at + span.length <= p + used + took);
            ck_assert_int_eq(bytes_append(body, span.at, span.length), 0);
        }
        used += took;
    }
    guard_free(&guard);
}

static void check(const struct response *response, const struct http *http,
                  const struct bytes *body, size_t split)
{
    enum result result = RESULT_OK;
    if (http->state == HTTP_BAD)
        result = http->result;
    else if (http->status >= 400)
        result = RESULT_HTTP_ERROR;
    ck_assert_msg(http->state == HTTP_DONE || http->state == HTTP_BAD,
                  "%s, split at %zu: not at its end", response->name, split);
    ck_assert_msg(result == response->result, "%s, split at %zu: %s (%s)",
                  response->name, split, result_word(result), http->cause);
    if (response->status != 0 && http->state == HTTP_DONE)
        ck_assert_int_eq(http->status, response->status);
    if (result == RESULT_HTTP_ERROR)
        return; /* its body is the exchange's to drop */
    ck_assert_msg(body->length == response->body_length,
                  "%s, split at %zu: %zu bytes", response->name, split,
                  body->length);
    if (body->length > 0)
        ck_assert_mem_eq(body->data, response->body, body->length);
}

START_TEST(split_in_two)
{
    for (size_t i = 0; i < RESPONSES; i++) {
        for (size_t split = 0; split <= responses[i].length; split++) {
            struct http http;
            struct bytes body = {0};
            http_start(&http);
            feed(&http, responses[i].bytes, split, &body);
            feed(&http, responses[i].bytes + split,
                 responses[i].length - split, &body);
            if (responses[i].closes)
                http_eof(&http);
            check(&responses[i], &http, &body, split);
            http_free(&http);
            bytes_free(&body);
        }
    }
}
END_TEST

START_TEST(byte_by_byte)
{
    for (size_t i = 0; i < RESPONSES; i++) {
        struct http http;
        struct bytes body = {0};
        http_start(&http);
        for (size_t at = 0; at < responses[i].length; at++)
            feed(&http, responses[i].bytes + at, 1, &body);
        if (responses[i].closes)
            http_eof(&http);
        check(&responses[i], &http, &body, 1);
        http_free(&http);
        bytes_free(&body);
    }
}
END_TEST

/* A response with a length or chunks, cut off anywhere, is never whole. */
START_TEST(truncated_at_every_byte)
{
    for (size_t i = 0; i < RESPONSES; i++) {
        const struct response *r = &responses[i];
        if (r->result != RESULT_OK || r->closes ||
            strstr(r->name, "second") != NULL ||
            strstr(r->name, "more than") != NULL)
            continue;
        for (size_t n = 0; n < r->length; n++) {
            struct http http;
            struct bytes body = {0};
            http_start(&http);
            feed(&http, r->bytes, n, &body);
            http_eof(&http);
            ck_assert_msg(http.state == HTTP_BAD, "%s cut at %zu", r->name, n);
            ck_assert_int_eq(http.result,
                             n == 0 ? RESULT_RESET : RESULT_TRUNCATED);
            http_free(&http);
            bytes_free(&body);
        }
    }
}
END_TEST

/* Feeds `start`, then `again` until the parser has had enough. Returns how
 * many bytes it took. */
static size_t feed_endlessly(const char *start, const char *again,
                             enum result *result)
{
    struct http http;
    struct bytes body = {0};
    struct bytes many = {0};
    size_t n = strlen(start);
    while (many.length < 4000)
        ck_assert_int_eq(bytes_append(&many, again, strlen(again)), 0);
    http_start(&http);
    feed(&http, start, n, &body);
    while (http.state != HTTP_BAD && http.state != HTTP_DONE &&
           n < 4 * HTTP_HEAD_LIMIT) {
        feed(&http, many.data, many.length, &body);
        n += many.length;
    }
    *result = http.state == HTTP_BAD ? http.result : RESULT_OK;
    http_free(&http);
    bytes_free(&body);
    bytes_free(&many);
    return n;
}

START_TEST(endless_heads_are_too_large)
{
    static const struct {
        const char *start;
        const char *again;
    } cases[] = {
        {"", "HTTP/1.1 200 aaaaaaaaaaaaaaaaaaaaa"},
        {"HTTP/1.1 200 OK\r\n", "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n"},
        {"HTTP/1.1 200 OK\r\nX: y", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"},
        {"HTTP/1.1 200 OK\r\nX: y", "\r\n zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"},
        {"", "HTTP/1.1 102 Processing\r\nX: yyyyyyyyyyyyyyyyyyyyyyyy\r\n\r\n"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
         "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
         "00000000000000000000000000000000000000000"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1",
         "                                           "},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
         "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum result result;
        size_t n = feed_endlessly(cases[i].start, cases[i].again, &result);
        ck_assert_msg(result == RESULT_TOO_LARGE, "case %zu: %s", i,
                      result_word(result));
        ck_assert_uint_le(n, HTTP_HEAD_LIMIT + 5000);
    }
}
END_TEST

/* The framing of a long chunked body is no header. */
START_TEST(many_small_chunks_are_fine)
{
    enum result result;
    feed_endlessly("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                   "1\r\na\r\n", &result);
    ck_assert_int_eq(result, RESULT_OK);
}
END_TEST

static void check_request(struct http_request request, const char *expected)
{
    struct url url;
    const char *cause;
    struct bytes out = {0};
    ck_assert_int_eq(url_parse(&url, "http://h:81/p?q", 15, &cause),
                     RESULT_OK);
    request.url = &url;
    ck_assert_int_eq(http_write_request(&out, &request), 0);
    ck_assert_int_eq(bytes_append(&out, "", 1), 0);
    ck_assert_str_eq(out.data, expected);
    bytes_free(&out);
    url_free(&url);
}

START_TEST(writes_requests)
{
    static char host[] = "host: other";
    static char agent[] = "User-Agent: me";
    static char accept[] = "ACCEPT: text/*";
    static char secret[] = "authorization: x";
    static char cookie[] = "Cookie: y";
    char *all[] = {host, agent, accept, secret, cookie};
    check_request((struct http_request){.method = "GET",
                                        .same_origin = true,
                                        .keep_alive = true,
                                        .length = UINT64_MAX},
                  "GET /p?q HTTP/1.1\r\nHost: h:81\r\n"
                  "User-Agent: triptych/" TRIPTYCH_VERSION "\r\n"
                  "Accept: */*\r\n\r\n");
    check_request((struct http_request){.method = "PUT",
                                        .headers = all,
                                        .header_count = 5,
                                        .same_origin = true,
                                        .length = 7},
                  "PUT /p?q HTTP/1.1\r\nConnection: close\r\n"
                  "Content-Length: 7\r\nhost: other\r\nUser-Agent: me\r\n"
                  "ACCEPT: text/*\r\nauthorization: x\r\nCookie: y\r\n\r\n");
    check_request((struct http_request){.method = "GET",
                                        .headers = all,
                                        .header_count = 5,
                                        .keep_alive = true,
                                        .length = UINT64_MAX},
                  "GET /p?q HTTP/1.1\r\nHost: h:81\r\nUser-Agent: me\r\n"
                  "ACCEPT: text/*\r\n\r\n");
}
END_TEST

START_TEST(refuses_headers)
{
    ck_assert_ptr_null(http_header_fault("A: b", 4));
    ck_assert_ptr_null(http_header_fault("A:", 2));
    ck_assert_ptr_null(http_header_fault("A: \t\xe4", 5));
    ck_assert_ptr_nonnull(http_header_fault("", 0));
    ck_assert_ptr_nonnull(http_header_fault("A", 1));
    ck_assert_ptr_nonnull(http_header_fault(": b", 3));
    ck_assert_ptr_nonnull(http_header_fault("A : b", 5));
    ck_assert_ptr_nonnull(http_header_fault("A: b\r\nC: d", 10));
    ck_assert_ptr_nonnull(http_header_fault("A: b\nc", 6));
    ck_assert_ptr_nonnull(http_header_fault("A: b\0c", 6));
    ck_assert_ptr_nonnull(http_header_fault("A\r: b", 5));
    ck_assert_ptr_nonnull(http_header_fault("content-length: 1", 17));
    ck_assert_ptr_nonnull(http_header_fault("Transfer-Encoding: x", 20));
}
END_TEST

static void add_cases(TCase *tc)
{
    tcase_add_test(tc, split_in_two);
    tcase_add_test(tc, byte_by_byte);
    tcase_add_test(tc, truncated_at_every_byte);
    tcase_add_test(tc, endless_heads_are_too_large);
    tcase_add_test(tc, many_small_chunks_are_fine);
    tcase_add_test(tc, writes_requests);
    tcase_add_test(tc, refuses_headers);
}

UNIT_MAIN("http", add_cases)
