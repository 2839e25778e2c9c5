/* Fuzzes http_feed: however the bytes are cut, the same comes out. */
#include "http.h"

#include "fuzz.h"

#include <string.h>

struct seen {
    struct http http;
    struct bytes body;
    size_t used;
};

/* Feeds `n` bytes in pieces of `step`, each in a block of its own. */
static void parse(struct seen *seen, const uint8_t *data, size_t n,
                  size_t step)
{
    struct http *http = &seen->http;
    *seen = (struct seen){0};
    http_start(http);
    while (seen->used < n && http->state != HTTP_DONE &&
           http->state != HTTP_BAD) {
        size_t size = n - seen->used < step ? n - seen->used : step;
        char *piece = malloc(size);
        HOLDS(piece != NULL);
        memcpy(piece, data + seen->used, size);
        struct span body;
        size_t used = http_feed(http, piece, size, &body);
        HOLDS(used <= size);
        HOLDS(used > 0 || http->state == HTTP_DONE ||
              http->state == HTTP_BAD || http->head_complete);
        if (body.length > 0) {
            HOLDS(body.at >= piece && body.at + body.length <= piece + used);
            HOLDS(bytes_append(&seen->body, body.at, body.length) == 0);
        }
        seen->used += used;
        free(piece);
    }
    if (http->state != HTTP_DONE && http->state != HTTP_BAD)
        http_eof(http);
    HOLDS(http->state == HTTP_DONE || http->state == HTTP_BAD);
}

static void forget(struct seen *seen)
{
    http_free(&seen->http);
    bytes_free(&seen->body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole;
    struct seen cut;
    if (size < 1)
        return 0;
    size_t step = data[0] % 7 + 1;
    parse(&whole, data + 1, size - 1, size);
    parse(&cut, data + 1, size - 1, step);
    HOLDS(whole.http.state == cut.http.state);
    if (whole.http.state == HTTP_DONE) {
        HOLDS(whole.http.status >= 100 && whole.http.status <= 999);
        HOLDS(whole.http.status == cut.http.status);
        HOLDS(whole.http.keep_alive == cut.http.keep_alive);
        HOLDS(whole.used == cut.used);
        HOLDS((whole.http.location == NULL) == (cut.http.location == NULL));
    } else {
        HOLDS(whole.http.result == cut.http.result);
    }
    HOLDS(whole.body.length == cut.body.length);
    HOLDS(whole.body.length == 0 ||
          memcmp(whole.body.data, cut.body.data, whole.body.length) == 0);
    forget(&whole);
    forget(&cut);
    return 0;
}
