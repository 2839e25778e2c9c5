/*
 * work: how often a byte of the header is looked at.
 *
 * No clock is asked. The program is built with -fsanitize=thread, for which
 * the compiler puts a call before every access to memory, __tsan_read1 and
 * the like; the linker turns these calls, and those of the functions of
 * <string.h> that look at bytes, into the ones below. They only count. So a
 * loop of one's own and memchr are measured alike: in bytes.
 *
 * The header comes a byte at a time. Who looks at each byte a fixed number
 * of times looks eight times as often at a header of eight times the length;
 * who begins from the start with every read, 64 times.
 */
#include "feed.h"

#include "lab.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static uint64_t looks;
static bool counting;

#define UNSEEN __attribute__((no_sanitize_thread))

/* --- What the compiler's calls become ------------------------------------ */

#define READS(name, bytes)                                                    \
    void __wrap___tsan_##name(void *at);                                      \
    UNSEEN void __wrap___tsan_##name(void *at)                                \
    {                                                                         \
        (void)at;                                                             \
        looks += counting ? (bytes) : 0;                                      \
    }

/* A number is looked at as a whole, however many bytes it has. */
READS(read1, 1)
READS(read2, 1)
READS(read4, 1)
READS(read8, 1)
READS(read16, 1)
READS(unaligned_read2, 1)
READS(unaligned_read4, 1)
READS(unaligned_read8, 1)
READS(unaligned_read16, 1)

/* --- What the functions of <string.h> become ----------------------------- */

/* Up to and with the byte at `end`, or all `n`. */
UNSEEN static void looked(const void *from, const void *end, size_t n)
{
    if (counting)
        looks += end != NULL
                     ? (size_t)((const char *)end - (const char *)from) + 1
                     : n;
}

size_t __real_strlen(const char *s);
size_t __real_strnlen(const char *s, size_t n);
void *__real_memchr(const void *p, int c, size_t n);
void *__real_memrchr(const void *p, int c, size_t n);
void *__real_rawmemchr(const void *p, int c);
void *__real_memmem(const void *p, size_t n, const void *word, size_t m);
int __real_memcmp(const void *a, const void *b, size_t n);
char *__real_strchr(const char *s, int c);
char *__real_strstr(const char *s, const char *word);
size_t __real_strcspn(const char *s, const char *set);

size_t __wrap_strlen(const char *s);
size_t __wrap_strnlen(const char *s, size_t n);
void *__wrap_memchr(const void *p, int c, size_t n);
void *__wrap_memrchr(const void *p, int c, size_t n);
void *__wrap_rawmemchr(const void *p, int c);
void *__wrap_memmem(const void *p, size_t n, const void *word, size_t m);
int __wrap_memcmp(const void *a, const void *b, size_t n);
char *__wrap_strchr(const char *s, int c);
char *__wrap_strstr(const char *s, const char *word);
size_t __wrap_strcspn(const char *s, const char *set);

UNSEEN size_t __wrap_strlen(const char *s)
{
    size_t n = __real_strlen(s);
    looked(s, NULL, n);
    return n;
}

UNSEEN size_t __wrap_strnlen(const char *s, size_t n)
{
    size_t length = __real_strnlen(s, n);
    looked(s, NULL, length);
    return length;
}

UNSEEN void *__wrap_memchr(const void *p, int c, size_t n)
{
    void *found = __real_memchr(p, c, n);
    looked(p, found, n);
    return found;
}

UNSEEN void *__wrap_memrchr(const void *p, int c, size_t n)
{
    void *found = __real_memrchr(p, c, n);
    looked(found != NULL ? found : p, NULL,
           found != NULL ? n - (size_t)((char *)found - (const char *)p) : n);
    return found;
}

UNSEEN void *__wrap_rawmemchr(const void *p, int c)
{
    void *found = __real_rawmemchr(p, c);
    looked(p, found, 0);
    return found;
}

UNSEEN void *__wrap_memmem(const void *p, size_t n, const void *word, size_t m)
{
    void *found = __real_memmem(p, n, word, m);
    looked(p, found, n);
    return found;
}

UNSEEN int __wrap_memcmp(const void *a, const void *b, size_t n)
{
    looked(a, NULL, n);
    return __real_memcmp(a, b, n);
}

UNSEEN char *__wrap_strchr(const char *s, int c)
{
    char *found = __real_strchr(s, c);
    looked(s, found, found == NULL ? __real_strlen(s) : 0);
    return found;
}

UNSEEN char *__wrap_strstr(const char *s, const char *word)
{
    char *found = __real_strstr(s, word);
    looked(s, found, found == NULL ? __real_strlen(s) : 0);
    return found;
}

UNSEEN size_t __wrap_strcspn(const char *s, const char *set)
{
    size_t n = __real_strcspn(s, set);
    looked(s, NULL, n);
    return n;
}

/* --- The test ------------------------------------------------------------ */

#define SHORT ((size_t)1024)
#define LONG  (8 * SHORT)

/* 8 is the way of one who looks once, 64 that of one who begins anew. */
#define MOST 20

/* Gives a text a byte at a time; CR and LF come together, for that they may
 * not is another test's matter. */
static void drip(struct http *http, const char *text, size_t n)
{
    struct span body;
    for (size_t i = 0; i < n && http->state != HTTP_BAD;) {
        size_t piece = text[i] == '\r' ? 2 : 1;
        counting = true;
        (void)http_feed(http, text + i, piece, &body);
        counting = false;
        i += piece;
    }
}

/* How many looks it costs to take `start`, then `n` bytes of `again` over and
 * over. */
static uint64_t cost(const char *start, const char *again, size_t n)
{
    static const char means[] =
        "a header that comes a byte at a time must be taken first; then it "
        "can be seen what that costs";
    static const char end[] = "\r\nX: y\r\n\r\n";
    struct http http;
    size_t each = strlen(again);
    looks = 0;
    http_start(&http);
    drip(&http, start, strlen(start));
    for (size_t given = 0; given < n; given += each)
        drip(&http, again, each);
    uint64_t so_far = looks;
    lab_check(http.state != HTTP_BAD && !http.head_complete, means,
              "feed_line", "in a header of %zu bytes: %s (%s)",
              strlen(start) + n, feed_state(&http),
              http.cause != NULL ? http.cause : "no cause");
    drip(&http, end, strlen(end));
    lab_check(http.state == HTTP_DONE && http.status == 204, means,
              "feed_line", "a header of %zu bytes and its end: %s",
              strlen(start) + n + strlen(end), feed_state(&http));
    http_free(&http);
    return so_far;
}

static void examined_once(void)
{
    static const struct {
        const char *name;
        const char *start;
        const char *again;
        const char *means;
    } cases[] = {
        {"one long line", "HTTP/1.1 204 No Content\r\nX: ", "yyyyyyyyyyyyyyyy",
         "with each read the search begins again at the start of the line; a "
         "long line that comes in small pieces costs the square of its "
         "length"},
        {"many lines", "HTTP/1.1 204 No Content\r\n",
         "X: yyyyyyyyyyy\r\nYyyyyyyyyyy: z\r\n",
         "with each read the search begins again at the start of the header; "
         "a long one that comes in small pieces costs the square of its "
         "length"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t few = cost(cases[i].start, cases[i].again, SHORT);
        uint64_t many = cost(cases[i].start, cases[i].again, LONG);
        if (few == 0)
            lab_broken("nothing was counted: -fsanitize=thread, --wrap?");
        lab_check(many <= MOST * few, cases[i].means,
                  "feed_line: where the search for the LF begins when the "
                  "line has begun in an earlier call",
                  "%s, a byte at a time: a header of %zu bytes cost %llu "
                  "looks at memory, one of %zu bytes %llu: %llu times as "
                  "many for 8 times the length",
                  cases[i].name, SHORT, (unsigned long long)few, LONG,
                  (unsigned long long)many, (unsigned long long)(many / few));
    }
}

int main(void)
{
    static const struct lab_test tests[] = {{"examined_once", examined_once},
                                            {0}};
    return lab_main(tests);
}
