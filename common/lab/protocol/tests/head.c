/*
 * head: the search for the end of the header.
 *
 * The responses here have no content, or one that ends with the connection,
 * so that nothing but the header has to be understood.
 */
#include "feed.h"

#include "lab.h"

#include <string.h>

#define LINE_LOOK                                                             \
    "feed_line: what it keeps when there is no LF in the bytes at hand, and " \
    "where it goes on with the next"

static const struct head {
    const char *name;
    const char *bytes;
    size_t length;
    int status;
    bool keep_alive;
    const char *location; /* or NULL */
} heads[] = {
    {"the least", FEED_BYTES("HTTP/1.1 204 No Content\r\n\r\n"), 204, true,
     NULL},
    {"no reason", FEED_BYTES("HTTP/1.1 204\r\n\r\n"), 204, true, NULL},
    {"several fields",
     FEED_BYTES("HTTP/1.1 304 Not Modified\r\nServer: x\r\nLocation: /a/b\r\n"
                "Connection: close\r\n\r\n"),
     304, false, "/a/b"},
    {"HTTP/1.0", FEED_BYTES("HTTP/1.0 204 No Content\r\n\r\n"), 204, false,
     NULL},
    {"bare LF", FEED_BYTES("HTTP/1.1 204 No Content\nLocation: /c\n\n"), 204,
     true, "/c"},
    {"bare LF, and no field", FEED_BYTES("HTTP/1.1 204 No Content\n\n"), 204,
     true, NULL},
    {"LF, CR LF and LF",
     FEED_BYTES("HTTP/1.1 204 No Content\nLocation: /c\r\nX: y\n\r\n"), 204,
     true, "/c"},
    {"a folded field",
     FEED_BYTES("HTTP/1.1 204 No Content\r\nLocation:\r\n\t/d\r\n"
                "X: a\r\n b\r\n c\r\n\r\n"),
     204, true, "/d"},
    {"1xx before it",
     FEED_BYTES("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
                "Location: /no\r\n\r\nHTTP/1.1 204 No Content\r\n"
                "Location: /e\r\n\r\n"),
     204, true, "/e"},
    {"a fold of blanks alone",
     FEED_BYTES("HTTP/1.1 204 No Content\r\nX: y\r\n \r\nLocation: /g\r\n"
                "\r\n"),
     204, true, "/g"},
    {"an empty value",
     FEED_BYTES("HTTP/1.1 204 No Content\r\nX:\r\nLocation: /f\r\n\r\n"), 204,
     true, "/f"},
};

#define HEADS (sizeof heads / sizeof *heads)

static void expect_head(const struct feed *feed, const struct head *head,
                        const char *how, size_t split, const char *means,
                        const char *look)
{
    const struct http *http = &feed->http;
    lab_check(http->state != HTTP_BAD, means, look,
              "\"%s\", %s %zu: refused as %s (%s) after %zu of %zu bytes",
              head->name, how, split, result_word(http->result), http->cause,
              feed->used, head->length);
    lab_check(http->head_complete && http->state == HTTP_DONE, means, look,
              "\"%s\", %s %zu: after all %zu bytes, CR LF CR LF among them, "
              "the state is %s",
              head->name, how, split, head->length, feed_state(http));
    lab_check(http->status == head->status &&
                  http->keep_alive == head->keep_alive,
              means, look,
              "\"%s\", %s %zu: status %d and keep-alive %d, not %d and %d",
              head->name, how, split, http->status, http->keep_alive,
              head->status, head->keep_alive);
    const char *location = http->location != NULL ? http->location : "none";
    lab_check(strcmp(location,
                     head->location != NULL ? head->location : "none") == 0,
              means, look, "\"%s\", %s %zu: the Location is %s, not %s",
              head->name, how, split, feed_show(location, strlen(location)),
              head->location != NULL ? head->location : "none");
}

static void whole_head(void)
{
    for (size_t i = 0; i < HEADS; i++) {
        struct feed feed;
        feed_start(&feed);
        feed_piece(&feed, heads[i].bytes, heads[i].length);
        expect_head(&feed, &heads[i], "in one piece of", heads[i].length,
                    "lines are not found, or not handed on as they should be",
                    "feed_line and line_complete: a line goes to "
                    "read_status_line or field_line without its line end");
        feed_free(&feed);
    }
}

/* The body's first bytes come with the end of the head: http_feed returns
 * between them, for its caller to look at the head first. */
static void stops_behind_the_head(void)
{
    static const char bytes[] = "HTTP/1.1 200 OK\r\nX: y\r\n\r\nbody\r\n\r\n";
    static const size_t head = 25;
    struct http http;
    struct span body;
    http_start(&http);
    size_t took = http_feed(&http, bytes, sizeof bytes - 1, &body);
    lab_check(http.state == HTTP_UNTIL_CLOSE,
              "what follows the empty line is content, not a header",
              "feed_line: how many bytes it says it took",
              "after %s the state is %s (%s)",
              feed_show(bytes, sizeof bytes - 1), feed_state(&http),
              http.cause != NULL ? http.cause : "no cause");
    lab_check(took == head && body.length == 0,
              "bytes of the body were taken for the header's, or the reverse",
              "feed_line: how many bytes it says it took when there is more "
              "behind the LF",
              "of %s, whose header has %zu bytes, %zu were taken",
              feed_show(bytes, sizeof bytes - 1), head, took);
    http_free(&http);
}

static bool is_between_cr_and_lf(const char *bytes, size_t split)
{
    return split > 0 && bytes[split - 1] == '\r' && bytes[split] == '\n';
}

static void split_within_lines(void)
{
    for (size_t i = 0; i < HEADS; i++) {
        for (size_t split = 0; split < heads[i].length; split++) {
            struct feed feed;
            if (is_between_cr_and_lf(heads[i].bytes, split))
                continue; /* a test of its own */
            feed_start(&feed);
            feed_split(&feed, heads[i].bytes, heads[i].length, split);
            expect_head(&feed, &heads[i], "in two reads, the first of", split,
                        "one read was taken for a whole line, or for the "
                        "whole header: TCP is a stream of bytes, and a read "
                        "may end anywhere",
                        LINE_LOOK);
            feed_free(&feed);
        }
    }
}

static void cr_and_lf_apart(void)
{
    static const char means[] =
        "a CR that was the last byte of one read was not seen as part of the "
        "line end whose LF came with the next";
    static const char look[] =
        "line_complete and feed_line: in which bytes the CR is looked for";
    for (size_t i = 0; i < HEADS; i++) {
        struct feed feed;
        for (size_t split = 1; split < heads[i].length; split++) {
            if (!is_between_cr_and_lf(heads[i].bytes, split))
                continue;
            feed_start(&feed);
            feed_split(&feed, heads[i].bytes, heads[i].length, split);
            expect_head(&feed, &heads[i], "CR in one read, LF in the next, at",
                        split, means, look);
            feed_free(&feed);
        }
        feed_start(&feed);
        feed_drip(&feed, heads[i].bytes, heads[i].length);
        expect_head(&feed, &heads[i], "in reads of", 1, means, look);
        feed_free(&feed);
    }
}

static void nul_in_the_head(void)
{
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        {FEED_BYTES("HTTP/1.1 204 No\0Content\r\n\r\n")},
        {FEED_BYTES("HTTP/1.1 204\0No Content\r\n\r\n")},
        {FEED_BYTES("HTTP/1.1 204 No Content\r\nX: a\0b\r\n\r\n")},
        {FEED_BYTES("HTTP/1.1 204 No Content\r\nX\0: ab\r\n\r\n")},
        {FEED_BYTES("HTTP/1.1 204 No Content\r\nX: ab\r\n\0\r\n\r\n")},
    };
    feed_control(FEED_BYTES("HTTP/1.1 204 No Content\r\nX: ab\r\n\r\n"),
                 "feed_line");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct feed feed;
        feed_start(&feed);
        feed_piece(&feed, cases[i].bytes, cases[i].length);
        feed_expect_broken(&feed, RESULT_PROTOCOL,
                           feed_show(cases[i].bytes, cases[i].length),
                           "a NUL ends a string of C, but no line of a "
                           "header: what stands behind it was not looked at",
                           "feed_line: functions whose names begin with str");
        feed_free(&feed);
    }
}

/* A CR alone is no line end, and none of its own before CR LF. */
static void a_cr_is_no_line_end(void)
{
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        {FEED_BYTES("HTTP/1.1 204 No Content\r\nX: y\r\n\r\r\n")},
        {FEED_BYTES("HTTP/1.1 204 No Content\r\n\r\r\n")},
        {FEED_BYTES("HTTP/1.1 204 No Content\rLocation: /x\r\n\r\n")},
        {FEED_BYTES("HTTP/1.1 204 No Content\r\nX: y\rLocation: /x\r\n"
                    "\r\n")},
        {FEED_BYTES("HTTP/1.1 204 No Content\r\nX: y\r\r\n\r\n")},
        {FEED_BYTES("HTTP/1.1 204 No Content\r\nX: y\r\r\n\n")},
    };
    feed_control(FEED_BYTES("HTTP/1.1 204 No Content\r\nX: y\r\n\r\n"),
                 "line_complete");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct feed feed;
        feed_start(&feed);
        feed_piece(&feed, cases[i].bytes, cases[i].length);
        lab_check(feed.http.state != HTTP_DONE,
                  "a CR that no LF follows belongs to the line, where it is "
                  "an error; who takes it for an end, or takes off two, sees "
                  "other lines than the next reader of the same bytes",
                  "line_complete: what it takes off the line's end",
                  "%s is taken for a whole header",
                  feed_show(cases[i].bytes, cases[i].length));
        feed_piece(&feed, FEED_BYTES("\r\n\r\n"));
        feed_expect_broken(&feed, RESULT_PROTOCOL,
                           feed_show(cases[i].bytes, cases[i].length),
                           "a bare CR in a header is an error",
                           "line_complete: what it takes off the line's end");
        feed_free(&feed);
    }
}

/* What one parser keeps is its own: two take turns, byte by byte. */
static void two_at_once(void)
{
    for (size_t i = 0; i + 1 < HEADS; i++) {
        struct feed feeds[2];
        const struct head *of[] = {&heads[i], &heads[i + 1]};
        feed_start(&feeds[0]);
        feed_start(&feeds[1]);
        for (size_t at = 0; at < of[0]->length || at < of[1]->length; at++) {
            for (int k = 0; k < 2; k++) {
                if (at < of[k]->length)
                    feed_piece(&feeds[k], of[k]->bytes + at, 1);
            }
        }
        for (int k = 0; k < 2; k++) {
            expect_head(&feeds[k], of[k],
                        "beside another response, in reads of", 1,
                        "two responses are read at once, by two threads or by "
                        "one loop, and what one has kept was the other's",
                        "variables that are static or global: a parser's own "
                        "are in struct http");
            feed_free(&feeds[k]);
        }
    }
}

static void wrong_from_the_first_byte(void)
{
    static const struct {
        const char *bytes;
        size_t wrong; /* how many bytes it takes to know */
    } cases[] = {{"SSH-2.0-OpenSSH_9.2", 1},
                 {"\x16\x03\x01", 1},
                 {"<html>", 1},
                 {"HTTQ", 4},
                 {"HTTP/2 200", 6},
                 {"\r\n", 1}};
    feed_control(FEED_BYTES("HTTP/1.1 204 No Content\r\n\r\n"), "feed_line");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct feed feed;
        feed_start(&feed);
        feed_piece(&feed, cases[i].bytes, cases[i].wrong);
        feed_expect_broken(&feed, RESULT_PROTOCOL,
                           feed_show(cases[i].bytes, cases[i].wrong),
                           "this is no HTTP, and no line end may ever come: "
                           "the program would wait until its time is over",
                           "feed_line: begins_as_http is there to be asked "
                           "before the line is complete");
        feed_free(&feed);
    }
}

/* --- Memory that runs out -------------------------------------------------- */

static int until_failure = -1; /* allocations that still succeed; -1: all */

static bool fails(void)
{
    if (until_failure == -1)
        return false;
    if (until_failure > 0) {
        until_failure--;
        return false;
    }
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails() ? NULL : __real_realloc(block, size);
}

/* From the nth allocation on there is no memory: the response is broken, or
 * was whole without it. True if it was whole. */
static bool read_without_memory(const char *bytes, size_t length, size_t piece,
                                int n, const char *means, const char *look)
{
    struct http http;
    struct span body;
    size_t used = 0;
    http_start(&http);
    lab_doing("reading a header while memory runs out", means, look);
    until_failure = n;
    while (used < length && http.state != HTTP_BAD && http.state != HTTP_DONE)
        used +=
            http_feed(&http, bytes + used,
                      piece < length - used ? piece : length - used, &body);
    until_failure = -1;
    bool whole = http.state == HTTP_DONE;
    lab_check(whole || (http.state == HTTP_BAD &&
                        http.result == RESULT_NO_RESOURCES),
              means, look,
              "without memory from allocation %d on, in pieces of %zu: the "
              "state is %s, the result %s",
              n + 1, piece, feed_state(&http),
              http.state == HTTP_BAD ? result_word(http.result) : "none");
    http_free(&http);
    return whole;
}

static void memory_runs_out(void)
{
    static const char bytes[] =
        "HTTP/1.1 204 No Content\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r"
        "\n"
        "Location: /somewhere\r\n\r\n";
    static const char means[] =
        "what there was no memory for was taken as if it were kept: the rest "
        "is read as something else";
    static const char look[] =
        "feed_line: what it does when bytes_append does not give 0";
    static const size_t pieces[] = {1, sizeof bytes};
    feed_control(bytes, sizeof bytes - 1, "feed_line");
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        int n = 0;
        while (!read_without_memory(bytes, sizeof bytes - 1, pieces[i], n,
                                    means, look))
            lab_check(++n < 200, "a parser allocates for each byte", look,
                      "200 allocations, and the header is not whole yet");
    }
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"whole_head", whole_head},
        {"stops_behind_the_head", stops_behind_the_head},
        {"split_within_lines", split_within_lines},
        {"cr_and_lf_apart", cr_and_lf_apart},
        {"nul_in_the_head", nul_in_the_head},
        {"a_cr_is_no_line_end", a_cr_is_no_line_end},
        {"two_at_once", two_at_once},
        {"memory_runs_out", memory_runs_out},
        {"wrong_from_the_first_byte", wrong_from_the_first_byte},
        {0}};
    return lab_main(tests);
}
