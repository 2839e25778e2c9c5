/*
 * http-verdict: what our parser makes of responses, for differential.mjs.
 *
 * Reads inputs from standard input, each after its length as four bytes, the
 * lowest first. Writes a line of JSON for each: what became of the response,
 * if the peer sends just this and closes.
 */
#include "http.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verdict {
    struct http http;
    struct bytes body;
    size_t used;
    bool closed; /* the end came with the close */
};

/* False when memory is short. */
static bool parse(struct verdict *v, const char *p, size_t n)
{
    struct http *http = &v->http;
    bool good = true;
    *v = (struct verdict){0};
    http_start(http);
    while (good && v->used < n && http->state != HTTP_DONE &&
           http->state != HTTP_BAD) {
        struct span span;
        v->used += http_feed(http, p + v->used, n - v->used, &span);
        good = bytes_append(&v->body, span.at, span.length) == 0;
    }
    v->closed = http->state != HTTP_DONE;
    http_eof(http);
    return good;
}

static void print(const struct verdict *v)
{
    const struct http *http = &v->http;
    const char *end = "done";
    if (http->state == HTTP_BAD)
        end = http->result == RESULT_TRUNCATED || http->result == RESULT_RESET
                  ? "cut"
                  : "bad";
    printf("{\"end\": \"%s\", \"cause\": \"%s\", \"head\": %s, "
           "\"status\": %d, \"keep\": %s, \"used\": %zu, \"body\": \"",
           end, http->cause != NULL ? http->cause : "",
           http->head_complete ? "true" : "false",
           http->head_complete ? http->status : 0,
           http->state == HTTP_DONE && !v->closed && http->keep_alive
               ? "true"
               : "false",
           v->used);
    for (size_t i = 0; i < v->body.length; i++)
        printf("%02x", (unsigned char)v->body.data[i]);
    puts("\"}");
}

/* One input; false at the end of them, or when it cannot be judged. */
static bool judge_next(void)
{
    unsigned char size[4];
    if (fread(size, 1, sizeof size, stdin) != sizeof size)
        return false;
    size_t n = size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 |
               (size_t)size[3] << 24;
    /* Of exactly its size: the address sanitizer sees any look beyond it. */
    char *input = malloc(n > 0 ? n : 1);
    struct verdict verdict;
    bool good = input != NULL && fread(input, 1, n, stdin) == n;
    if (good) {
        good = parse(&verdict, input, n);
        print(&verdict);
        http_free(&verdict.http);
        bytes_free(&verdict.body);
    }
    free(input);
    return good;
}

int main(void)
{
    while (judge_next())
        ;
    return feof(stdin) && fflush(stdout) == 0 ? 0 : 1;
}
