/* request: what a client of the practice server asks for. See request.h. */
#include "request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f')
        return (c | 32) - 'a' + 10;
    return -1;
}

/* Copies and percent-decodes; what does not fit is cut off. */
static void decode(char *out, size_t size, const char *in, size_t n)
{
    size_t length = 0;
    for (size_t i = 0; i < n && length + 1 < size; i++) {
        if (in[i] == '%' && i + 2 < n && hex(in[i + 1]) >= 0 &&
            hex(in[i + 2]) >= 0) {
            out[length++] = (char)(hex(in[i + 1]) * 16 + hex(in[i + 2]));
            i += 2;
        } else {
            out[length++] = in[i];
        }
    }
    out[length] = '\0';
}

/* A number; `otherwise` if there is none. */
static uint64_t number(const char *text, uint64_t otherwise)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    return end == text || *end != '\0' ? otherwise : value;
}

/* One "name=value" or "name" of the query. */
static void take_parameter(struct request *r, const char *name,
                           const char *value)
{
    const struct {
        const char *name;
        uint64_t *place;
        uint64_t otherwise;
    } numbers[] = {
        {"delay", &r->delay_ms, 0},
        {"rate", &r->rate, REQUEST_NONE},
        {"chunked", &r->chunk, 16384},
        {"status", &r->status, 200},
        {"fin", &r->fin, 0},
        {"rst", &r->rst, 0},
        {"header-drip", &r->header_drip_ms, 10},
        {"garbage", &r->garbage, 64},
        {"barrier", &r->barrier, 1},
        {"key", &r->key, 0},
        {"early", &r->early, 0},
        {"seed", &r->seed, 0},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strcmp(name, numbers[i].name) == 0)
            *numbers[i].place = number(value, numbers[i].otherwise);
    }
    if (strcmp(name, "close") == 0)
        r->close = true;
    if (strcmp(name, "redirect") == 0 && strlen(value) < sizeof r->redirect)
        memcpy(r->redirect, value, strlen(value) + 1);
}

static void take_query(struct request *r, const char *query, size_t n)
{
    while (n > 0) {
        char name[32];
        char value[512];
        const char *end = memchr(query, '&', n);
        size_t length = end != NULL ? (size_t)(end - query) : n;
        const char *equals = memchr(query, '=', length);
        size_t name_length =
            equals != NULL ? (size_t)(equals - query) : length;
        decode(name, sizeof name, query, name_length);
        value[0] = '\0';
        if (equals != NULL)
            decode(value, sizeof value, equals + 1, length - name_length - 1);
        take_parameter(r, name, value);
        query += length;
        n -= length;
        if (n > 0) {
            query++;
            n--;
        }
    }
}

static bool is(const char *p, size_t n, const char *word)
{
    return n == strlen(word) && strncasecmp(p, word, n) == 0;
}

/* One header field. */
static unsigned take_field(struct request *r, const char *line, size_t n)
{
    char text[64];
    const char *colon = memchr(line, ':', n);
    if (colon == NULL)
        return 400;
    size_t name = (size_t)(colon - line);
    const char *value = colon + 1;
    size_t length = n - name - 1;
    while (length > 0 && (*value == ' ' || *value == '\t')) {
        value++;
        length--;
    }
    if (is(line, name, "connection") && is(value, length, "close"))
        r->keep_alive = false;
    if (is(line, name, "connection") && is(value, length, "keep-alive"))
        r->keep_alive = true;
    if (is(line, name, "expect"))
        r->expects_continue = true;
    if (is(line, name, "transfer-encoding"))
        return 411;
    if (is(line, name, "content-length")) {
        decode(text, sizeof text, value, length);
        r->length = number(text, REQUEST_NONE);
        if (r->length == REQUEST_NONE)
            return 400;
    }
    return 0;
}

static unsigned take_request_line(struct request *r, const char *line,
                                  size_t n)
{
    const char *target = memchr(line, ' ', n);
    if (target == NULL)
        return 400;
    r->head = is(line, (size_t)(target - line), "HEAD");
    target++;
    n -= (size_t)(target - line);
    const char *version = memchr(target, ' ', n);
    if (version == NULL)
        return 400;
    size_t length = (size_t)(version - target);
    n -= length + 1;
    version++;
    if (n != 8 || memcmp(version, "HTTP/1.", 7) != 0)
        return 505;
    r->keep_alive = version[7] != '0';
    const char *query = memchr(target, '?', length);
    size_t path = query != NULL ? (size_t)(query - target) : length;
    if (path >= sizeof r->path)
        return 414;
    decode(r->path, sizeof r->path, target, path);
    if (query != NULL)
        take_query(r, query + 1, length - path - 1);
    return 0;
}

unsigned request_parse(struct request *r, const char *head, size_t n)
{
    unsigned status = 0;
    bool first = true;
    *r = (struct request){.delay_ms = 0,
                          .rate = REQUEST_NONE,
                          .chunk = REQUEST_NONE,
                          .status = 200,
                          .fin = REQUEST_NONE,
                          .rst = REQUEST_NONE,
                          .header_drip_ms = REQUEST_NONE,
                          .garbage = REQUEST_NONE,
                          .barrier = REQUEST_NONE,
                          .early = REQUEST_NONE};
    while (n > 0 && status == 0) {
        const char *lf = memchr(head, '\n', n);
        size_t length = lf != NULL ? (size_t)(lf - head) : n;
        size_t used = lf != NULL ? length + 1 : length;
        if (length > 0 && head[length - 1] == '\r')
            length--;
        if (first)
            status = take_request_line(r, head, length);
        else if (length > 0)
            status = take_field(r, head, length);
        first = false;
        head += used;
        n -= used;
    }
    return status;
}
