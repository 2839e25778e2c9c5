/*
 * endless: headers, and what else of the framing never ends, under a cap on
 * memory.
 */
#include "feed.h"

#include "lab.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define KIB   ((size_t)1024)
#define MIB   (1024 * KIB)
#define PIECE ((size_t)4000)

/* More than a parser may hold, and less than it is given. */
#define CAP   (8 * MIB)
#define GIVEN (24 * MIB)

/* From here on the process gets CAP bytes more, and no more. */
static void cap_memory(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL || fscanf(file, "%lu", &pages) != 1)
        lab_broken("/proc/self/statm cannot be read");
    (void)fclose(file);
    size_t now = pages * (size_t)sysconf(_SC_PAGESIZE);
    struct rlimit limit = {now + CAP, now + CAP};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        lab_broken("setrlimit: %s", strerror(errno));
}

struct endless {
    const char *name;
    const char *start; /* once, in one piece */
    const char *again; /* for ever */
};

/* Gives it until the parser has had enough, or `most` bytes were given. */
static void give(struct feed *feed, const struct endless *endless, size_t most)
{
    char piece[PIECE + 100];
    size_t n = 0;
    size_t each = strlen(endless->again);
    while (n < PIECE) {
        memcpy(piece + n, endless->again, each);
        n += each;
    }
    feed_start(feed);
    feed_piece(feed, endless->start, strlen(endless->start));
    lab_check(feed->http.state != HTTP_BAD,
              "nothing is wrong with the response as far as this",
              "the lines before the endless part", "%s: %s is refused (%s)",
              endless->name, feed_show(endless->start, strlen(endless->start)),
              feed->http.cause);
    while (feed->http.state != HTTP_BAD && feed->http.state != HTTP_DONE &&
           feed->used < most)
        feed_piece(feed, piece, n);
}

static void expect_refusal(const struct endless *endless, const char *look)
{
    static const char means[] =
        "a server that never ends its header has the program keep it, or "
        "read it, for ever: HTTP_HEAD_LIMIT counts all of it together";
    struct feed feed;
    give(&feed, endless, GIVEN);
    const struct http *http = &feed.http;
    lab_check(http->state == HTTP_BAD, means, look,
              "%s: %zu KiB were taken, and it asks for more (state %s); the "
              "limit is %zu KiB",
              endless->name, feed.used / KIB, feed_state(http),
              HTTP_HEAD_LIMIT / KIB);
    lab_check(http->result == RESULT_TOO_LARGE, means, look,
              "%s: ended as \"%s\" (%s) after %zu KiB; there were %zu KiB of "
              "memory to be had, and the limit is %zu KiB",
              endless->name, result_word(http->result), http->cause,
              feed.used / KIB, CAP / KIB, HTTP_HEAD_LIMIT / KIB);
    size_t most = HTTP_HEAD_LIMIT + PIECE + 200;
    lab_check(feed.used <= most, means, look,
              "%s: refused after %zu bytes; the limit is %zu, and a piece "
              "has %zu",
              endless->name, feed.used, HTTP_HEAD_LIMIT, PIECE);
    lab_check(feed.used + PIECE + 200 >= HTTP_HEAD_LIMIT,
              "the limit is smaller than it is said to be, or something is "
              "counted twice",
              look,
              "%s: refused after %zu bytes; the limit is %zu, and a piece "
              "has %zu",
              endless->name, feed.used, HTTP_HEAD_LIMIT, PIECE);
    feed_free(&feed);
}

/* A header of just as many bytes as the limit has, and `more`. */
static void up_to_the_limit(size_t more)
{
    static const char start[] = "HTTP/1.1 204 No Content\r\nX: ";
    static const char end[] = "\r\n\r\n";
    static char zeros[PIECE];
    struct feed feed;
    size_t left = HTTP_HEAD_LIMIT + more - strlen(start) - strlen(end);
    memset(zeros, 'y', sizeof zeros);
    feed_start(&feed);
    feed_piece(&feed, start, strlen(start));
    while (left > 0 && feed.http.state != HTTP_BAD) {
        size_t n = left < sizeof zeros ? left : sizeof zeros;
        feed_piece(&feed, zeros, n);
        left -= n;
    }
    feed_piece(&feed, end, strlen(end));
    lab_check((feed.http.state == HTTP_BAD) == (more > 0),
              "all bytes of the header count, line ends among them, and "
              "HTTP_HEAD_LIMIT is the most that is taken",
              "count_head: what it compares with the limit",
              "a header of %zu bytes, with a limit of %zu: the state is %s "
              "(%s)",
              HTTP_HEAD_LIMIT + more, HTTP_HEAD_LIMIT, feed_state(&feed.http),
              feed.http.cause != NULL ? feed.http.cause : "no cause");
    feed_free(&feed);
}

static void endless_head(void)
{
    static const struct endless cases[] = {
        {"fields without end", "HTTP/1.1 200 OK\r\n",
         "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n"},
        {"1xx responses without end", "",
         "HTTP/1.1 102 Processing\r\nX: yyyyyyyyyyyyyyyyyyyyyyyy\r\n\r\n"},
        {"a field folded without end", "HTTP/1.1 200 OK\r\nX: y\r\n",
         " zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\r\n"},
        {"one line without end", "HTTP/1.1 200 OK\r\nX: y\r\n",
         "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"},
        {"a status line without end", "", "HTTP/1.1 200 aaaaaaaaaaaaaaaaa"},
    };
    cap_memory();
    up_to_the_limit(0);
    up_to_the_limit(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refusal(&cases[i],
                       "feed_line: does it ask count_head before it keeps "
                       "anything? end_of_fields keeps the count over 1xx");
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

/* Gives the text again and again, `most` bytes at most, until the parser has
 * had enough. */
static void give_again(struct feed *feed, const char *text, size_t most)
{
    size_t each = strlen(text);
    for (size_t n = 0; n + each <= most; n += each) {
        if (feed->http.state == HTTP_BAD)
            return;
        feed_piece(feed, text, each);
    }
}

/* A response with `each` bytes in its header, as many in an extension, and as
 * many in its trailers. */
static void in_three_places(size_t each, bool fits)
{
    struct feed feed;
    feed_start(&feed);
    feed_piece(&feed, FEED_BYTES("HTTP/1.1 200 OK\r\n"
                                 "Transfer-Encoding: chunked\r\n"));
    give_again(&feed, "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n",
               each);
    feed_piece(&feed, FEED_BYTES("\r\n1;"));
    give_again(&feed, "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
               each);
    feed_piece(&feed, FEED_BYTES("\r\na\r\n0\r\n"));
    give_again(&feed, "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n",
               each);
    feed_piece(&feed, FEED_BYTES("\r\n"));
    bool refused =
        feed.http.state == HTTP_BAD && feed.http.result == RESULT_TOO_LARGE;
    lab_check(fits ? feed.http.state == HTTP_DONE : refused,
              "HTTP_HEAD_LIMIT is for the header, the extensions and the "
              "trailers of a response together, not for each of them",
              "count_head: is head_size kept until the response is whole?",
              "%zu KiB in the header, in an extension, and in the trailers, "
              "with a limit of %zu KiB for all: the state is %s (%s)",
              each / KIB, HTTP_HEAD_LIMIT / KIB, feed_state(&feed.http),
              feed.http.cause != NULL ? feed.http.cause : "no cause");
    feed_free(&feed);
}

static void endless_chunk_framing(void)
{
    static const struct endless cases[] = {
        {"an extension without end", CHUNKED "1;",
         "xyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyx"},
        {"leading zeros without end", CHUNKED,
         "000000000000000000000000000000000"},
        {"blanks without end", CHUNKED "1",
         "                                  "},
        {"an extension in each of many chunks", CHUNKED,
         "1;xyxyxyxyxyxyxyxyxyxyxyxyxyxyx\r\na\r\n"},
        {"trailers without end", CHUNKED "1\r\na\r\n0\r\n",
         "X: yyyyyyyyyyyyyyyyyyyyyyyyy\r\n"},
        {"a trailer without end", CHUNKED "0\r\n",
         "Xyyyyyyyyyyyyyyyyyyyyyyyyy"},
    };
    static const struct endless sound = {"many small chunks", CHUNKED,
                                         "1\r\na\r\n"};
    struct feed feed;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        give(&feed, &cases[i], 2 * MIB);
        lab_check(feed.http.state == HTTP_BAD,
                  "the parser takes such a line for ever: it holds nothing, "
                  "but neither does the request ever end",
                  "feed_chunk_size: count_head for what can go on for ever",
                  "%s: after %zu KiB the state is %s", cases[i].name,
                  feed.used / KIB, feed_state(&feed.http));
        lab_check(feed.http.result == RESULT_TOO_LARGE,
                  "this may stand in a chunk's line; it is refused for what "
                  "it is, not for its length",
                  "chunk_size_byte: which bytes may come where",
                  "%s: refused after %zu bytes as \"%s\" (%s), not as \"%s\"",
                  cases[i].name, feed.used, result_word(feed.http.result),
                  feed.http.cause, result_word(RESULT_TOO_LARGE));
        lab_check(feed.used + PIECE + 200 >= HTTP_HEAD_LIMIT / 4 * 3,
                  "it is counted more than once, or with what need not be "
                  "counted",
                  "feed_chunk_size: what it counts, and how often",
                  "%s: refused after %zu bytes; the limit is %zu",
                  cases[i].name, feed.used, HTTP_HEAD_LIMIT);
        feed_free(&feed);
    }
    give(&feed, &sound, 2 * MIB);
    lab_check(feed.http.state != HTTP_BAD,
              "the limit is for what may be a trick; the sizes of the chunks "
              "of a long body are none, and a body may be of any length",
              "feed_chunk_size: what it counts",
              "%zu KiB of chunks of one byte: refused as %s (%s)",
              feed.used / KIB, result_word(feed.http.result), feed.http.cause);
    feed_free(&feed);
    in_three_places(HTTP_HEAD_LIMIT / 4, true);
    in_three_places(HTTP_HEAD_LIMIT / 8 * 3, false);
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"endless_head", endless_head},
        {"endless_chunk_framing", endless_chunk_framing},
        {0}};
    return lab_main(tests);
}
