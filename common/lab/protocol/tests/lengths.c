/*
 * lengths: what a Content-Length may say, and what not.
 *
 * Each header comes in one piece. The parser is asked what it has understood
 * as soon as the header is complete; nobody sends four gigabytes here.
 */
#include "feed.h"

#include "lab.h"

#include <stdio.h>
#include <string.h>

#define LOOK "read_content_length"

/* Gives the header with these lines of Content-Length. */
static void give(struct feed *feed, const char *lines)
{
    char head[400];
    int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%s\r\n", lines);
    feed_start(feed);
    feed_piece(feed, head, (size_t)n);
}

static void lengths(void)
{
    static const struct {
        const char *lines;
        unsigned long long length;
    } cases[] = {
        {"Content-Length: 5\r\n", 5},
        {"Content-Length: 0\r\n", 0},
        {"content-length:\t 12 \r\n", 12},
        {"Content-Length: 00042\r\n", 42},
        {"Content-Length: 5000000000\r\n", 5000000000},
        {"Content-Length: 4294967301\r\n", 4294967301}, /* 2^32 + 5 */
        {"Content-Length: 9223372036854775800\r\n", 9223372036854775800},
        {"Content-Length: 5\r\nContent-Length: 05\r\n", 5},
        {"Content-Length: 0\r\nContent-Length: 0\r\n", 0},
        {"Content-Length: 9223372036854775807\r\n", 9223372036854775807},
        {"Content-Length: 7\r\nContent-Length: 7\r\n", 7},
        {"Content-Length: 7, 7\r\n", 7},
        {"Content-Length: 7,7 ,\t7\r\n", 7},
        {"Content-Length: 90\r\nX: y\r\nContent-Length: 90\r\n", 90},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct feed feed;
        give(&feed, cases[i].lines);
        const struct http *http = &feed.http;
        lab_check(http->state != HTTP_BAD,
                  "this is a length, and a sound one (RFC 9110, 8.6)", LOOK,
                  "%s is refused: %s",
                  feed_show(cases[i].lines, strlen(cases[i].lines)),
                  http->cause);
        lab_check(http->head_complete && http->has_length &&
                      http->left == cases[i].length,
                  "the length is not known when the header is complete, or "
                  "it is a different one",
                  LOOK ": has_length and left, and how many bits the number "
                       "has on the way",
                  "%s: a length is %s, and %llu bytes are to come, not %llu",
                  feed_show(cases[i].lines, strlen(cases[i].lines)),
                  http->has_length ? "known" : "not known",
                  (unsigned long long)http->left, cases[i].length);
        feed_free(&feed);
    }
}

static void refused(const char *const *cases, const char *means,
                    const char *look)
{
    static const char control[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    feed_control(control, sizeof control - 1, LOOK);
    for (; *cases != NULL; cases++) {
        struct feed feed;
        give(&feed, *cases);
        lab_check(feed.http.state == HTTP_BAD, means, look,
                  "%s is taken for a length: %llu bytes are to come",
                  feed_show(*cases, strlen(*cases)),
                  (unsigned long long)feed.http.left);
        feed_expect_broken(&feed, RESULT_PROTOCOL,
                           feed_show(*cases, strlen(*cases)), means, look);
        feed_free(&feed);
    }
}

static void lengths_that_differ(void)
{
    static const char *const cases[] = {
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: 2\r\nX: y\r\nContent-Length: 1\r\n",
        "Content-Length: 1, 2\r\n",
        "Content-Length: 3\r\nContent-Length: 3, 4\r\n",
        "Content-Length: 5\r\nContent-Length: 50\r\n",
        "Content-Length: 0\r\nContent-Length: 9\r\n",
        "Content-Length: 1\r\nContent-Length: 2\r\nContent-Length: 1\r\n",
        NULL};
    refused(cases,
            "two readers of these bytes may believe different lengths, and "
            "one's body is the other's next response (RFC 9112, 6.3)",
            LOOK ": what it does when there was a length before");
}

static void lengths_that_are_none(void)
{
    static const char *const cases[] = {
        "Content-Length: -1\r\n",
        "Content-Length: +1\r\n",
        "Content-Length: 1 1\r\n",
        "Content-Length: 0x10\r\n",
        "Content-Length: 1e3\r\n",
        "Content-Length: 12;\r\n",
        "Content-Length: 1.0\r\n",
        "Content-Length: abc\r\n",
        "Content-Length:\r\n",
        "Content-Length: 1:\r\n",
        "Content-Length: 1/\r\n",
        "Content-Length: 5\r\nContent-Length: x\r\n",
        "Content-Length: 5, y\r\n",
        NULL};
    refused(cases,
            "a Content-Length is one or more digits, and nothing else: what "
            "the functions of <stdlib.h> skip, stop at or take for 0 is an "
            "error here",
            LOOK ": each character of a member; atoi and strtol are lenient");
}

static void lengths_that_overflow(void)
{
    static const char *const cases[] = {
        "Content-Length: 9223372036854775808\r\n",  /* 2^63 */
        "Content-Length: 9223372036854775810\r\n",  /* beyond in its last */
        "Content-Length: 18446744073709551615\r\n", /* 2^64 - 1 */
        "Content-Length: 18446744073709551617\r\n", /* 2^64 + 1 */
        "Content-Length: 99999999999999999999999999\r\n",
        /* What is left of them in 64 bits is larger than they began. */
        "Content-Length: 25000000000000000000\r\n",
        "Content-Length: 92233720368547758071\r\n",
        "Content-Length: 340282366920938463463374607431768211457\r\n", NULL};
    refused(cases,
            "the number has wrapped around, or was cut down to the largest "
            "there is: the body would end at the wrong place",
            LOOK ": the comparison with LENGTH_MAX, before each digit is "
                 "added");
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"lengths", lengths},
        {"lengths_that_differ", lengths_that_differ},
        {"lengths_that_are_none", lengths_that_are_none},
        {"lengths_that_overflow", lengths_that_overflow},
        {0}};
    return lab_main(tests);
}
