/*
 * Mistake 26: one read taken for the whole header
 * Lab: protocol
 * File: common/http.c
 * Caught by: split_within_lines
 *
 * Symptom: against a server on the same machine all is well. Through a slow
 * line, or with a long header, some requests end as `protocol`, and not the
 * same ones in the next run.
 */

static size_t feed_line(struct http *http, const char *p, size_t n)
{
    /* The server writes its header at once, so it is all here. */
    const char *lf = memchr(p, '\n', n);
    if (lf == NULL) {
        broken(http, "the header has no end");
        return n;
    }
    size_t take = (size_t)(lf - p) + 1;
    if (!count_head(http, take))
        return take;
    if (bytes_append(&http->line, p, take) != 0) {
        bad(http, RESULT_NO_RESOURCES, "out of memory");
        return take;
    }
    if (http->state == HTTP_STATUS_LINE && !begins_as_http(&http->line))
        broken(http, "this is no HTTP/1 status line");
    else
        line_complete(http);
    return take;
}
