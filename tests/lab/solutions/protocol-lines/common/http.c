/* Style: the line of a chunk's size is gathered whole, and then read. */
/* http: the HTTP/1.1 response parser and the request writer. See http.h. */
#include "http.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* No length above it is believed: it would not fit a file's offset. */
#define LENGTH_MAX ((uint64_t)INT64_MAX)

/* Seconds of Retry-After that are as good as for ever. */
#define RETRY_AFTER_MAX 1000000000

void http_start(struct http *http)
{
    *http = (struct http){.state = HTTP_STATUS_LINE};
}

void http_free(struct http *http)
{
    bytes_free(&http->line);
    free(http->location);
    http->location = NULL;
}

static void bad(struct http *http, enum result result, const char *cause)
{
    http->state = HTTP_BAD;
    http->result = result;
    http->cause = cause;
}

static void broken(struct http *http, const char *cause)
{
    bad(http, RESULT_PROTOCOL, cause);
}

static bool is_token_char(char c)
{
    return isalnum((unsigned char)c) ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct span trim(struct span span)
{
    while (span.length > 0 && is_blank(*span.at)) {
        span.at++;
        span.length--;
    }
    while (span.length > 0 && is_blank(span.at[span.length - 1]))
        span.length--;
    return span;
}

static bool equals(struct span span, const char *word)
{
    return span.length == strlen(word) &&
           strncasecmp(span.at, word, span.length) == 0;
}

/* Cuts the next member off a comma-separated list (RFC 9110, 5.6.1). False
 * when the list is used up; empty members come out as empty spans. */
static bool next_member(struct span *list, struct span *member)
{
    if (list->at == NULL)
        return false;
    const char *comma = memchr(list->at, ',', list->length);
    if (comma == NULL) {
        *member = trim(*list);
        list->at = NULL;
        return true;
    }
    size_t n = (size_t)(comma - list->at);
    *member = trim((struct span){list->at, n});
    list->at += n + 1;
    list->length -= n + 1;
    return true;
}

/* --- The fields that matter to framing ---------------------------------- */

/* 6.3: equal lengths, even in a list, are one length; others are an attack
 * or a mistake. Any digit string that overflows is malformed. */
static void read_content_length(struct http *http, struct span value)
{
    struct span member;
    while (next_member(&value, &member)) {
        uint64_t length = 0;
        bool good = member.length > 0;
        for (size_t i = 0; i < member.length && good; i++) {
            unsigned digit = (unsigned)(member.at[i] - '0');
            good = digit <= 9 && length <= (LENGTH_MAX - digit) / 10;
            length = length * 10 + digit;
        }
        if (!good || (http->has_length && http->left != length))
            http->bad_length = true;
        http->has_length = true;
        http->left = length;
    }
}

/* 6.1: chunked must be there once, at the end; we ask for no other coding. */
static void read_transfer_encoding(struct http *http, struct span value)
{
    struct span member;
    http->coded = true;
    while (next_member(&value, &member)) {
        if (member.length == 0)
            continue;
        if (http->chunked || !equals(member, "chunked"))
            http->other_coding = true;
        else
            http->chunked = true;
    }
}

static void read_connection(struct http *http, struct span value)
{
    struct span member;
    while (next_member(&value, &member)) {
        if (equals(member, "close"))
            http->close = true;
        else if (equals(member, "keep-alive"))
            http->keep = true;
    }
}

static void read_location(struct http *http, struct span value)
{
    if (http->location != NULL) {
        http->several_locations = true;
        return;
    }
    http->location = malloc(value.length + 1);
    if (http->location == NULL) {
        bad(http, RESULT_NO_RESOURCES, "out of memory");
        return;
    }
    memcpy(http->location, value.at, value.length);
    http->location[value.length] = '\0';
}

/* Seconds or a date (RFC 9110, 10.2.3); if it is there more than once, the
 * longest. What is neither says nothing. */
static void read_retry_after(struct http *http, struct span value)
{
    int64_t seconds = 0;
    size_t i = 0;
    for (; i < value.length && isdigit((unsigned char)value.at[i]); i++) {
        if (seconds < RETRY_AFTER_MAX)
            seconds = seconds * 10 + (value.at[i] - '0');
    }
    if (i < value.length)
        date_parse(&http->retry_at, value.at, value.length);
    else if (seconds > http->retry_after)
        http->retry_after = seconds;
}

/* One field line, folds joined, without its line end (5). */
static void read_field(struct http *http, struct span line)
{
    size_t n = 0;
    while (n < line.length && is_token_char(line.at[n]))
        n++;
    /* 5.1: no white space before the colon; servers have been made to
     * disagree on the length of a message by it. */
    if (n == 0 || n == line.length || line.at[n] != ':') {
        broken(http, "a header line has no name and colon");
        return;
    }
    struct span name = {line.at, n};
    struct span value =
        trim((struct span){line.at + n + 1, line.length - n - 1});
    if (memchr(value.at, '\0', value.length) != NULL ||
        memchr(value.at, '\r', value.length) != NULL) {
        broken(http, "a header's value contains NUL or a bare CR");
        return;
    }
    /* 7.1.2: trailers must not change the framing; they are only read past. */
    if (http->state == HTTP_TRAILERS)
        return;
    if (equals(name, "content-length"))
        read_content_length(http, value);
    else if (equals(name, "transfer-encoding"))
        read_transfer_encoding(http, value);
    else if (equals(name, "connection"))
        read_connection(http, value);
    else if (equals(name, "location"))
        read_location(http, value);
    else if (equals(name, "retry-after"))
        read_retry_after(http, value);
    else if (equals(name, "date"))
        date_parse(&http->date, value.at, value.length);
}

/* "HTTP/1.x NNN reason" (4). The reason, and the space before it, may be
 * missing. */
static void read_status_line(struct http *http, struct span line)
{
    const char *p = line.at;
    if (line.length < 12 || memcmp(p, "HTTP/1.", 7) != 0 ||
        !isdigit((unsigned char)p[7]) || p[8] != ' ' ||
        !isdigit((unsigned char)p[9]) || !isdigit((unsigned char)p[10]) ||
        !isdigit((unsigned char)p[11]) || (line.length > 12 && p[12] != ' ')) {
        broken(http, "this is no HTTP/1 status line");
        return;
    }
    if (memchr(p, '\0', line.length) != NULL ||
        memchr(p, '\r', line.length) != NULL) {
        broken(http, "the status line contains NUL or a bare CR");
        return;
    }
    http->minor = p[7] == '0' ? 0 : 1;
    http->status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
    if (http->status < 100) {
        broken(http, "the status is below 100");
        return;
    }
    http->state = HTTP_FIELDS;
}

/* The fields are complete: what follows them (6.3)? */
static void end_of_fields(struct http *http)
{
    if (http->status == 101) {
        broken(http, "the server switched protocols unasked");
        return;
    }
    if (http->status < 200) {
        /* 1xx: the real response is still to come. What counts against the
         * limit stays counted, or 1xx without end would never stop; and a
         * "close" stays said (9.6). */
        size_t head_size = http->head_size;
        struct bytes line = http->line;
        free(http->location);
        *http = (struct http){.begun = true,
                              .head_size = head_size,
                              .line = line,
                              .close = http->close,
                              .status = http->status};
        return;
    }
    bool no_content = http->status == 204 || http->status == 304;
    if (no_content) {
        /* RFC 9110, 8.6, and 6.1 here: a 204 must not announce content. One
         * that does may well send it: on a kept connection, as the next
         * answer. (A 304 may say what a 200 would have had.) */
        if (http->status == 204 && (http->chunked || http->other_coding ||
                                    http->bad_length || http->left > 0))
            http->close = true;
        http->chunked = http->other_coding = http->bad_length = false;
        http->coded = false;
        http->has_length = true;
        http->left = 0;
    }
    if (http->other_coding) {
        broken(http, "a transfer coding that was not asked for");
        return;
    }
    if (http->bad_length) {
        broken(http, "Content-Length is malformed or says different things");
        return;
    }
    if (http->several_locations && http->status / 100 == 3) {
        broken(http, "there is more than one Location");
        return;
    }
    http->keep_alive = !http->close && (http->minor == 1 || http->keep);
    if (http->chunked) {
        /* 6.1: chunked wins over a length, and the doubt costs the
         * connection; so does chunked in HTTP/1.0. */
        if (http->has_length || http->minor == 0)
            http->keep_alive = false;
        http->has_length = false;
        http->left = 0;
        http->state = HTTP_CHUNK_SIZE;
    } else if (http->has_length && !http->coded) {
        http->state = http->left > 0 ? HTTP_LENGTH : HTTP_DONE;
    } else {
        /* 6.3: a Transfer-Encoding overrides a length even if it is empty:
         * another reader of the same bytes may see it so. */
        http->has_length = false;
        http->keep_alive = false;
        http->state = HTTP_UNTIL_CLOSE;
    }
    http->head_complete = true;
}

/* --- Lines -------------------------------------------------------------- */

/* The pending field is whole: the next line is not a fold of it. */
static void flush_pending(struct http *http)
{
    if (http->pending > 0)
        read_field(http, (struct span){http->line.data, http->pending});
    bytes_drop(&http->line, http->pending);
    http->pending = 0;
}

/* A line of the header or trailer section stands in `line` after the pending
 * field, without its line end. A field is parsed only when the next line is
 * known not to be its fold (5.2). */
static void field_line(struct http *http)
{
    char *line = http->line.data + http->pending;
    size_t n = http->line.length - http->pending;
    if (n == 0) {
        bool trailers = http->state == HTTP_TRAILERS;
        flush_pending(http);
        if (http->state == HTTP_BAD)
            return;
        if (trailers)
            http->state = HTTP_DONE;
        else
            end_of_fields(http);
    } else if (is_blank(*line)) {
        if (http->pending == 0) {
            broken(http, "the first header line begins with white space");
            return;
        }
        /* obs-fold: a user agent reads it as a space. */
        *line = ' ';
        http->pending = http->line.length;
    } else {
        flush_pending(http);
        http->pending = http->line.length;
    }
}

static void line_complete(struct http *http)
{
    struct bytes *line = &http->line;
    line->length--; /* the LF */
    /* 2.2: a lone LF ends a line as well. */
    if (line->length > http->pending && line->data[line->length - 1] == '\r')
        line->length--;
    if (http->state == HTTP_STATUS_LINE) {
        read_status_line(http, (struct span){line->data, line->length});
        line->length = 0;
    } else {
        field_line(http);
    }
}

/* Counts `n` bytes more of header section; false when that is too much. */
static bool count_head(struct http *http, size_t n)
{
    http->head_size += n;
    if (http->head_size <= HTTP_HEAD_LIMIT)
        return true;
    bad(http, RESULT_TOO_LARGE, "the header section is over 256 KiB");
    return false;
}

/* Known from the first byte that is wrong: what is no HTTP may have no line
 * ends at all. */
static bool begins_as_http(const struct bytes *line)
{
    static const char start[] = "HTTP/1.";
    size_t n =
        line->length < sizeof start - 1 ? line->length : sizeof start - 1;
    return memcmp(line->data, start, n) == 0;
}

/* Appends to `line` up to the first LF, or everything. Returns how many bytes
 * that was; *whole says whether the line is complete. */
static size_t gather(struct http *http, const char *p, size_t n, bool *whole)
{
    size_t before = http->line.length;
    *whole = false;
    if (bytes_append(&http->line, p, n) != 0) {
        bad(http, RESULT_NO_RESOURCES, "out of memory");
        return n;
    }
    size_t at = http->searched > before ? http->searched : before;
    while (at < http->line.length && !*whole)
        *whole = http->line.data[at++] == '\n';
    http->line.length = at;
    http->searched = *whole ? 0 : at;
    return at - before;
}

/* Gathers one line, or the start of one. */
static size_t feed_line(struct http *http, const char *p, size_t n)
{
    bool whole;
    size_t take = gather(http, p, n, &whole);
    if (http->state == HTTP_BAD || !count_head(http, take))
        return take;
    if (http->state == HTTP_STATUS_LINE && !begins_as_http(&http->line))
        broken(http, "this is no HTTP/1 status line");
    else if (whole)
        line_complete(http);
    return take;
}

/* --- Content ------------------------------------------------------------ */

/* A line of n bytes, its LF among them. */
static void read_chunk_size(struct http *http, const char *p, size_t n)
{
    uint64_t size = 0;
    size_t digits = 0, zeros = 0;
    while (isxdigit((unsigned char)p[digits])) { /* the LF is none */
        int c = tolower((unsigned char)p[digits++]);
        unsigned digit = (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
        if (size > LENGTH_MAX / 16) {
            broken(http, "the size of a chunk overflows");
            return;
        }
        size = size * 16 + digit;
        zeros += size == 0;
    }
    size_t at = digits;
    while (is_blank(p[at]))
        at++;
    if (digits == 0 || n < 2 || p[n - 2] != '\r' ||
        memchr(p, '\r', n - 2) != NULL || (at != n - 2 && p[at] != ';')) {
        broken(http, "this is no line for a chunk's size");
        return;
    }
    /* What is no digit that counts is to be limited. */
    if (!count_head(http, n - 2 - digits + zeros))
        return;
    http->left = size;
    http->state = size > 0 ? HTTP_CHUNK_DATA : HTTP_TRAILERS;
}

static size_t feed_chunk_size(struct http *http, const char *p, size_t n)
{
    bool whole;
    size_t take = gather(http, p, n, &whole);
    if (http->state == HTTP_BAD)
        return take;
    if (whole)
        read_chunk_size(http, http->line.data, http->line.length);
    else if (http->head_size + http->line.length > HTTP_HEAD_LIMIT)
        bad(http, RESULT_TOO_LARGE, "a chunk's line is over 256 KiB");
    if (whole)
        http->line.length = 0;
    return take;
}

/* The CR LF that ends a chunk's data; `left` counts them down. */
static size_t feed_chunk_end(struct http *http, const char *p)
{
    static const char line_end[] = "\r\n";
    if (*p != line_end[http->end_seen])
        broken(http, "the chunk goes on behind its end");
    else if (++http->end_seen == 2) {
        http->end_seen = 0;
        http->left = 0;
        http->state = HTTP_CHUNK_SIZE;
    }
    return 1;
}

static size_t feed_content(struct http *http, const char *p, size_t n,
                           struct span *body)
{
    *body = (struct span){p, n};
    if (http->state == HTTP_UNTIL_CLOSE)
        return n;
    if (http->left < n)
        body->length = (size_t)http->left;
    http->left -= body->length;
    if (http->left == 0)
        http->state = http->state == HTTP_LENGTH ? HTTP_DONE : HTTP_CHUNK_END;
    return body->length;
}

size_t http_feed(struct http *http, const char *p, size_t n, struct span *body)
{
    size_t used = 0;
    *body = (struct span){p, 0};
    if (n > 0)
        http->begun = true;
    while (used < n && body->length == 0) {
        switch (http->state) {
        case HTTP_STATUS_LINE:
        case HTTP_FIELDS:
        case HTTP_TRAILERS:
            used += feed_line(http, p + used, n - used);
            /* The caller looks at the head before it sees content. */
            if (http->head_complete && http->state != HTTP_TRAILERS)
                return used;
            break;
        case HTTP_CHUNK_SIZE:
            used += feed_chunk_size(http, p + used, n - used);
            break;
        case HTTP_CHUNK_END:
            used += feed_chunk_end(http, p + used);
            break;
        case HTTP_LENGTH:
        case HTTP_CHUNK_DATA:
        case HTTP_UNTIL_CLOSE:
            used += feed_content(http, p + used, n - used, body);
            break;
        case HTTP_DONE:
        case HTTP_BAD:
            return used;
        }
    }
    return used;
}

void http_eof(struct http *http)
{
    if (http->state == HTTP_DONE || http->state == HTTP_BAD)
        return;
    if (http->state == HTTP_UNTIL_CLOSE)
        http->state = HTTP_DONE;
    else if (!http->begun)
        bad(http, RESULT_RESET, "the server closed without a response");
    else if (http->head_complete)
        bad(http, RESULT_TRUNCATED, "the server closed within the body");
    else
        bad(http, RESULT_TRUNCATED, "the server closed within the header");
}

/* --- The request -------------------------------------------------------- */

const char *http_header_fault(const char *header, size_t n)
{
    size_t name = 0;
    while (name < n && is_token_char(header[name]))
        name++;
    if (name == 0 || name == n || header[name] != ':')
        return "it is not of the form 'Name: value'";
    for (size_t i = name; i < n; i++) {
        unsigned char c = (unsigned char)header[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return "its value contains a control character";
    }
    struct span field = {header, name};
    if (equals(field, "content-length") || equals(field, "transfer-encoding"))
        return "how long the body is, is for the fetcher to say";
    return NULL;
}

static struct span header_name(const char *header)
{
    return (struct span){header, strcspn(header, ":")};
}

/* True if the field speaks of the request's content (RFC 9110, 15.4). */
static bool is_about_content(struct span name)
{
    static const char start[] = "content-";
    struct span first = {name.at, sizeof start - 1};
    return (name.length >= first.length && equals(first, start)) ||
           equals(name, "expect") || equals(name, "digest") ||
           equals(name, "repr-digest") || equals(name, "last-modified") ||
           equals(name, "trailer");
}

/* True if this header of the user's goes out with this request. */
static bool goes_out(const struct http_request *request, const char *header)
{
    struct span name = header_name(header);
    if (request->without_content && is_about_content(name))
        return false;
    return request->same_origin ||
           !(equals(name, "authorization") ||
             equals(name, "proxy-authorization") || equals(name, "cookie") ||
             equals(name, "host"));
}

static bool user_gives(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (equals(header_name(request->headers[i]), name) &&
            goes_out(request, request->headers[i]))
            return true;
    }
    return false;
}

int http_write_request(struct bytes *out, const struct http_request *request)
{
    char host[URL_HOST_SIZE];
    url_print_host(request->url, host, sizeof host);
    int error = bytes_print(out, "%s %s HTTP/1.1\r\n", request->method,
                            request->url->target);
    if (error == 0 && !user_gives(request, "host"))
        error = bytes_print(out, "Host: %s\r\n", host);
    if (error == 0 && !user_gives(request, "user-agent"))
        error =
            bytes_print(out, "User-Agent: triptych/" TRIPTYCH_VERSION "\r\n");
    if (error == 0 && !user_gives(request, "accept"))
        error = bytes_print(out, "Accept: */*\r\n");
    if (error == 0 && !request->keep_alive &&
        !user_gives(request, "connection"))
        error = bytes_print(out, "Connection: close\r\n");
    if (error == 0 && request->length != UINT64_MAX)
        error = bytes_print(out, "Content-Length: %llu\r\n",
                            (unsigned long long)request->length);
    for (size_t i = 0; i < request->header_count && error == 0; i++) {
        if (goes_out(request, request->headers[i]))
            error = bytes_print(out, "%s\r\n", request->headers[i]);
    }
    if (error == 0)
        error = bytes_append(out, "\r\n", 2);
    return error;
}
