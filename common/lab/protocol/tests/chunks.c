/*
 * chunks: the chunked decoder (RFC 9112, 7.1).
 *
 * The header always comes in one piece, so that only the chunks count here.
 */
#include "feed.h"

#include "lab.h"

#include <string.h>

#define HEAD "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static const struct answer plain[] = {
    {"one chunk", FEED_BYTES("3\r\nabc\r\n0\r\n\r\n"), FEED_BYTES("abc")},
    {"no chunk", FEED_BYTES("0\r\n\r\n"), FEED_BYTES("")},
    {"three chunks",
     FEED_BYTES("3\r\nabc\r\n1\r\nd\r\n12\r\n0123456789abcdefgh\r\n0\r\n\r\n"),
     FEED_BYTES("abcd0123456789abcdefgh")},
    {"sizes in hexadecimal",
     FEED_BYTES("a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"),
     FEED_BYTES("01234567890123456789a")},
    {"all the digits",
     FEED_BYTES("0A\r\n0123456789\r\n0f\r\n0123456789abcde\r\n"
                "0F\r\n0123456789abcde\r\n9\r\n012345678\r\n0\r\n\r\n"),
     FEED_BYTES("01234567890123456789abcde0123456789abcde012345678")},
    {"leading zeros", FEED_BYTES("0003\r\nabc\r\n000\r\n\r\n"),
     FEED_BYTES("abc")},
    {"data that looks like chunks",
     FEED_BYTES("b\r\n\r\n0\r\n\r\n1\r\na\r\n0\r\n\r\n"),
     FEED_BYTES("\r\n0\r\n\r\n1\r\na")},
    {"data with NUL in it", FEED_BYTES("4\r\n\0\0a\0\r\n0\r\n\r\n"),
     FEED_BYTES("\0\0a\0")},
    {0}};

static void begin(struct feed *feed)
{
    feed_start(feed);
    feed_piece(feed, HEAD, strlen(HEAD));
    lab_check(feed->http.state != HTTP_BAD && feed->http.head_complete,
              "the part about the header comes before this one", "feed_line",
              "the header, in one piece, is not taken (%s)",
              feed->http.cause != NULL ? feed->http.cause : "no cause");
}

static void chunks(void)
{
    for (const struct answer *a = plain; a->name != NULL; a++) {
        struct feed feed;
        begin(&feed);
        feed_piece(&feed, a->bytes, a->length);
        feed_expect(&feed, a, "in one piece",
                    "a size, its data or the CR LF behind the data is not "
                    "taken for what it is",
                    "chunk_size_byte, feed_chunk_end, feed_content");
        feed_free(&feed);
    }
}

/* Up to the last chunk's size; its empty line is a matter of header lines. */
static void chunks_split_anywhere(void)
{
    static const char means[] =
        "a read may end within a size, within the data, and within each CR "
        "LF: whatever is known by then has to be kept";
    static const char look[] =
        "chunk_size_byte (http->left and size_part between two calls), "
        "feed_chunk_end, feed_content";
    for (const struct answer *a = plain; a->name != NULL; a++) {
        struct feed feed;
        for (size_t split = 0; split < a->length - 1; split++) {
            begin(&feed);
            feed_split(&feed, a->bytes, a->length, split);
            feed_expect(&feed, a, "in two reads", means, look);
            feed_free(&feed);
        }
        begin(&feed);
        feed_drip(&feed, a->bytes, a->length - 2);
        feed_piece(&feed, a->bytes + a->length - 2, 2);
        feed_expect(&feed, a, "a byte at a time", means, look);
        feed_free(&feed);
    }
}

static void chunk_extensions(void)
{
    static const struct answer cases[] = {
        {"an extension", FEED_BYTES("3;x=y\r\nabc\r\n0\r\n\r\n"),
         FEED_BYTES("abc")},
        {"an extension of hexadecimal digits",
         FEED_BYTES("3;a=bad;decade\r\nabc\r\n0;0\r\n\r\n"),
         FEED_BYTES("abc")},
        {"a quoted one", FEED_BYTES("3;n=\"a b; 1\"\r\nabc\r\n0\r\n\r\n"),
         FEED_BYTES("abc")},
        {"blanks before it", FEED_BYTES("3 \t; a=b\r\nabc\r\n0\r\n\r\n"),
         FEED_BYTES("abc")},
        {"an extension behind an extension and a blank",
         FEED_BYTES("3;a ;b\t\r\nabc\r\n0 ;c\r\n\r\n"), FEED_BYTES("abc")},
        {"blanks alone", FEED_BYTES("3  \r\nabc\r\n0\r\n\r\n"),
         FEED_BYTES("abc")},
        {0}};
    static const char means[] =
        "behind the size there may be blanks and extensions, which are read "
        "past; digits in them are none of the size";
    for (const struct answer *a = cases; a->name != NULL; a++) {
        struct feed feed;
        for (size_t split = 0; split < 12 && split < a->length - 1; split++) {
            begin(&feed);
            feed_split(&feed, a->bytes, a->length, split);
            feed_expect(&feed, a, split == 0 ? "in one piece" : "in two reads",
                        means,
                        "chunk_size_byte: where in the line it is, and which "
                        "bytes may come there");
            feed_free(&feed);
        }
    }
}

/* The body is over with the last chunk; the response is not. */
static void last_chunk_is_not_the_end(void)
{
    static const struct answer cases[] = {
        {"no trailers", FEED_BYTES("1\r\na\r\n0\r\n\r\n"), FEED_BYTES("a")},
        {"trailers", FEED_BYTES("1\r\na\r\n0\r\nDigest: x\r\nX: y\r\n\r\n"),
         FEED_BYTES("a")},
        {"trailers that would change the framing",
         FEED_BYTES("1\r\na\r\n0\r\nContent-Length: 99\r\n"
                    "Transfer-Encoding: gzip\r\nConnection: close\r\n\r\n"),
         FEED_BYTES("a")},
        {0}};
    static const char means[] =
        "behind the last chunk come the trailers, perhaps none, and an empty "
        "line; who stops before it leaves it to the connection's next request";
    static const char look[] =
        "chunk_size_byte: which state follows a size of 0";
    for (const struct answer *a = cases; a->name != NULL; a++) {
        struct feed feed;
        for (size_t split = 9; split < a->length; split++) {
            begin(&feed);
            feed_piece(&feed, a->bytes, split);
            lab_check(feed.http.state != HTTP_DONE, means, look,
                      "\"%s\": after %s it is done, with %zu bytes still to "
                      "come",
                      a->name, feed_show(a->bytes, split), a->length - split);
            feed_piece(&feed, a->bytes + split, a->length - split);
            feed_expect(&feed, a, "in two reads", means, look);
            lab_check(feed.http.keep_alive, means, look,
                      "\"%s\": the connection is not to be kept", a->name);
            feed_free(&feed);
        }
    }
}

/* Each in one piece, and byte by byte. */
static void expect_refusals(const char *const *cases, const char *means,
                            const char *look)
{
    for (; *cases != NULL; cases++) {
        for (int in_bytes = 0; in_bytes < 2; in_bytes++) {
            struct feed feed;
            begin(&feed);
            (in_bytes ? feed_drip : feed_piece)(&feed, *cases, strlen(*cases));
            feed_expect_broken(&feed, RESULT_PROTOCOL,
                               feed_show(*cases, strlen(*cases)), means, look);
            feed_free(&feed);
        }
    }
}

static void control(void)
{
    struct feed feed;
    begin(&feed);
    feed_piece(&feed, plain[0].bytes, plain[0].length);
    feed_expect(&feed, &plain[0], "in one piece",
                "a sound response must be taken before one can see what is "
                "refused",
                "feed_chunk_size, feed_chunk_end, feed_content");
    feed_free(&feed);
}

static void chunk_end_is_checked(void)
{
    static const char *const cases[] = {
        "1\r\nab\r\n0\r\n\r\n", "1\r\nabc\r\n0\r\n\r\n",
        "2\r\nab0\r\n\r\n",     "2\r\nab\n0\r\n\r\n",
        "2\r\nab\rX0\r\n\r\n",  "3\r\nabcd\n0\r\n\r\n",
        "2\r\nab\n\r0\r\n\r\n", NULL};
    control();
    expect_refusals(cases,
                    "behind the data there must be CR LF. If there is "
                    "something else, a size was wrong and the body is "
                    "damaged: to skip two bytes unseen saves it as good",
                    "feed_chunk_end");
}

static void sizes_that_are_none(void)
{
    static const char *const cases[] = {"\r\n",
                                        "\r\nabc",
                                        ";x\r\n",
                                        " 3\r\nabc\r\n",
                                        "0x3\r\nabc\r\n",
                                        "-1\r\n",
                                        "+3\r\nabc\r\n",
                                        "g\r\n",
                                        "3\nabc\r\n",
                                        "3\rX\r\nabc\r\n",
                                        "3\rXabc\r\n0\r\n\r\n",
                                        "3 3\r\nabc\r\n",
                                        "3,\r\nabc\r\n",
                                        "3;x=y\nabc\r\n0\r\n\r\n",
                                        "3 \nabc\r\n0\r\n\r\n",
                                        "3;a\rb\r\nabc\r\n0\r\n\r\n",
                                        "3 \rb\r\nabc\r\n",
                                        "3/\r\nabc\r\n",
                                        "3:\r\nabc\r\n",
                                        "3@\r\nabc\r\n",
                                        "3G\r\nabc\r\n",
                                        "3`\r\nabc\r\n",
                                        "3 a\r\nabc\r\n",
                                        NULL};
    control();
    expect_refusals(cases,
                    "a size is hexadecimal digits, from the first byte on, "
                    "and its line ends in CR LF",
                    "chunk_size_byte");
}

static void sizes_that_overflow(void)
{
    static const char *const cases[] = {
        "8000000000000000\r\n", "ffffffffffffffff\r\n",
        /* What is left of it in 64 bits is larger than it began. */
        "23000000000000000\r\n", "f000000000000000\r\n",
        "10000000000000001\r\n", "100000000000000000000000000000003\r\nabc",
        NULL};
    control();
    expect_refusals(cases,
                    "the size has wrapped around: the next bytes would be "
                    "cut into chunks at the wrong places",
                    "chunk_size_byte: the comparison with LENGTH_MAX, before "
                    "the digit is added");
    struct feed feed;
    begin(&feed);
    feed_piece(&feed, FEED_BYTES("7fffffffffffffff\r\nabc"));
    lab_check(feed.http.state != HTTP_BAD && feed.body.length == 3,
              "this size is large, but a number of 63 bits",
              "chunk_size_byte: the comparison with LENGTH_MAX",
              "a chunk of 2^63 - 1 bytes: %s (%s)", feed_state(&feed.http),
              feed.http.cause != NULL ? feed.http.cause : "no cause");
    feed_free(&feed);
    begin(&feed);
    feed_piece(&feed, FEED_BYTES("100000005\r\nabcdefgh"));
    lab_check(feed.http.state != HTTP_BAD && feed.body.length == 8,
              "a size is kept in 32 bits",
              "chunk_size_byte: the type of each number on the way",
              "of a chunk of 2^32 + 5 bytes 8 came, and %zu are handed out; "
              "the state is %s",
              feed.body.length, feed_state(&feed.http));
    feed_free(&feed);
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"chunks", chunks},
        {"chunks_split_anywhere", chunks_split_anywhere},
        {"chunk_extensions", chunk_extensions},
        {"last_chunk_is_not_the_end", last_chunk_is_not_the_end},
        {"chunk_end_is_checked", chunk_end_is_checked},
        {"sizes_that_are_none", sizes_that_are_none},
        {"sizes_that_overflow", sizes_that_overflow},
        {0}};
    return lab_main(tests);
}
