/* feed: gives a parser its bytes in the worst way. See feed.h. */
#include "feed.h"

#include "lab.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What a piece becomes when the call is over. No parser takes it for text. */
#define OVERWRITTEN 0x8e

/* The end of a stretch of memory, behind which nothing may be touched. */
static char *edge(void)
{
    static char *end;
    if (end != NULL)
        return end;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *map = mmap(NULL, FEED_MOST + page, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED || mprotect(map + FEED_MOST, page, PROT_NONE) != 0)
        lab_broken("no guard page: %s", strerror(errno));
    end = map + FEED_MOST;
    return end;
}

void feed_start(struct feed *feed)
{
    *feed = (struct feed){0};
    http_start(&feed->http);
}

void feed_free(struct feed *feed)
{
    http_free(&feed->http);
    bytes_free(&feed->body);
}

static bool is_over(const struct feed *feed)
{
    return feed->http.state == HTTP_DONE || feed->http.state == HTTP_BAD;
}

/* What http.h promises of every single call. */
static void check_call(const struct feed *feed, const char *p, size_t n,
                       size_t took, struct span span)
{
    static const char look[] = "common/http.h, the comment above http_feed";
    lab_check(took <= n, "more was counted as taken than was there", look,
              "http_feed was given %zu bytes and says that it took %zu", n,
              took);
    lab_check(took > 0 || is_over(feed),
              "the caller would ask again with the same bytes, for ever", look,
              "http_feed was given %s, took nothing, and is in %s",
              feed_show(p, n), feed_state(&feed->http));
    if (span.length == 0)
        return;
    lab_check(span.at >= p && span.at <= p + took &&
                  span.length <= (size_t)(p + took - span.at),
              "the span must point into the bytes that this call took: the "
              "caller will ask again with what follows them",
              "feed_content: what *body and the value returned say together",
              "http_feed took %zu bytes and handed out %zu, from the %td. on",
              took, span.length, span.at - p);
}

void feed_piece(struct feed *feed, const char *bytes, size_t n)
{
    char *p = edge() - n;
    char doing[300];
    if (n > FEED_MOST)
        lab_broken("a piece of %zu bytes is too long", n);
    if (n > 0)
        memcpy(p, bytes, n);
    snprintf(doing, sizeof doing, "http_feed was reading %s, after %zu bytes",
             feed_show(bytes, n), feed->used);
    lab_doing(doing,
              "a byte was touched that is not there: one behind the piece, or "
              "one of an earlier piece, which is overwritten by then",
              "each use of `p`: may it go beyond p + n? is it kept?");
    size_t used = 0;
    while (used < n && !is_over(feed)) {
        struct span span = {p, n + 1}; /* to be set by the call */
        size_t took = http_feed(&feed->http, p + used, n - used, &span);
        check_call(feed, p + used, n - used, took, span);
        if (bytes_append(&feed->body, span.at, span.length) != 0)
            lab_broken("out of memory");
        used += took;
    }
    feed->used += used;
    if (n > 0)
        memset(p, OVERWRITTEN, n);
    lab_doing("looking at what came of it", NULL, NULL);
}

void feed_drip(struct feed *feed, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n && !is_over(feed); i++)
        feed_piece(feed, bytes + i, 1);
}

void feed_split(struct feed *feed, const char *bytes, size_t n, size_t split)
{
    feed_piece(feed, bytes, split);
    feed_piece(feed, bytes + split, n - split);
}

void feed_expect(const struct feed *feed, const struct answer *answer,
                 const char *how, const char *means, const char *look)
{
    const struct http *http = &feed->http;
    lab_check(http->state != HTTP_BAD, means, look,
              "\"%s\" %s: refused as \"%s\" (%s) after %zu bytes",
              answer->name, how, result_word(http->result), http->cause,
              feed->used);
    lab_check(http->state == HTTP_DONE, means, look,
              "\"%s\" %s: still in %s when all %zu bytes are taken",
              answer->name, how, feed_state(http), feed->used);
    lab_check(
        feed->body.length == answer->body_length &&
            (answer->body_length == 0 ||
             memcmp(feed->body.data, answer->body, answer->body_length) == 0),
        means, look, "\"%s\" %s: the body is %s, not %s", answer->name, how,
        feed_show(feed->body.data, feed->body.length),
        feed_show(answer->body, answer->body_length));
}

void feed_expect_broken(const struct feed *feed, enum result result,
                        const char *name, const char *means, const char *look)
{
    const struct http *http = &feed->http;
    lab_check(http->state == HTTP_BAD, means, look,
              "%s: not refused; after %zu bytes the state is %s, with %zu "
              "bytes of body",
              name, feed->used, feed_state(http), feed->body.length);
    lab_check(http->result == result, means, look,
              "%s: refused as \"%s\" (%s), not as \"%s\"", name,
              result_word(http->result), http->cause, result_word(result));
}

void feed_control(const char *bytes, size_t n, const char *look)
{
    struct feed feed;
    feed_start(&feed);
    feed_piece(&feed, bytes, n);
    lab_check(feed.http.state != HTTP_BAD,
              "this one is sound; a parser that refuses everything refuses "
              "what is wrong as well, but that is no merit",
              look, "%s: refused (%s)", feed_show(bytes, n), feed.http.cause);
    feed_free(&feed);
}

/* --- For messages -------------------------------------------------------- */

const char *feed_show(const char *bytes, size_t n)
{
    static char texts[4][160];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    size_t at = 0;
    text[at++] = '"';
    for (size_t i = 0; i < n && at < sizeof texts[0] - 12; i++) {
        char c = bytes[i];
        if (c == '\r' || c == '\n')
            at += (size_t)sprintf(text + at, "%s", c == '\r' ? "\\r" : "\\n");
        else if (c < ' ' || c > '~')
            at += (size_t)sprintf(text + at, "\\x%02x", (unsigned char)c);
        else
            text[at++] = c;
        if (at >= sizeof texts[0] - 12 && i + 1 < n) {
            strcpy(text + at, "...");
            at += 3;
        }
    }
    strcpy(text + at, "\"");
    return text;
}

const char *feed_state(const struct http *http)
{
    switch (http->state) {
    case HTTP_STATUS_LINE:
        return "HTTP_STATUS_LINE";
    case HTTP_FIELDS:
        return "HTTP_FIELDS";
    case HTTP_LENGTH:
        return "HTTP_LENGTH";
    case HTTP_UNTIL_CLOSE:
        return "HTTP_UNTIL_CLOSE";
    case HTTP_TRAILERS:
        return "HTTP_TRAILERS";
    case HTTP_DONE:
        return "HTTP_DONE";
    case HTTP_BAD:
        return "HTTP_BAD";
    default:
        return "a state of the chunks";
    }
}
