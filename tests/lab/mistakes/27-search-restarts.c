/*
 * Mistake 27: the search for the line end begins at the line's start again
 * Lab: protocol
 * File: common/http.c
 * Caught by: examined_once
 *
 * Symptom: all answers are right. But some dozens of servers that send a header
 * line of 200 KiB byte by byte keep a core busy for ten seconds, and not with
 * reading; an honest server beside them is served late.
 */

static size_t feed_line(struct http *http, const char *p, size_t n)
{
    size_t before = http->line.length;
    if (bytes_append(&http->line, p, n) != 0) {
        bad(http, RESULT_NO_RESOURCES, "out of memory");
        return n;
    }
    /* Is the line complete now? It may have come in several pieces. */
    char *line = http->line.data + http->pending;
    const char *lf = memchr(line, '\n', http->line.length - http->pending);
    if (lf != NULL)
        http->line.length = (size_t)(lf - http->line.data) + 1;
    size_t take = http->line.length - before;
    if (!count_head(http, take))
        return take;
    if (http->state == HTTP_STATUS_LINE && !begins_as_http(&http->line))
        broken(http, "this is no HTTP/1 status line");
    else if (lf != NULL)
        line_complete(http);
    return take;
}
