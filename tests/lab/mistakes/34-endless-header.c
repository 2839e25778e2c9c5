/*
 * Mistake 34: a header of any length is taken
 * Lab: protocol
 * File: common/http.c
 * Caught by: endless_head
 *
 * Symptom: one of the servers never ends its header. The program's memory
 * grows for as long as that server sends; where memory is limited, other
 * requests begin to end as `no-resources`, or the program is killed.
 */

static size_t feed_line(struct http *http, const char *p, size_t n)
{
    const char *lf = memchr(p, '\n', n);
    size_t take = lf != NULL ? (size_t)(lf - p) + 1 : n;
    if (bytes_append(&http->line, p, take) != 0) {
        bad(http, RESULT_NO_RESOURCES, "out of memory");
        return take;
    }
    if (http->state == HTTP_STATUS_LINE && !begins_as_http(&http->line))
        broken(http, "this is no HTTP/1 status line");
    else if (lf != NULL)
        line_complete(http);
    return take;
}
