/*
 * Mistake 31: CR LF missed when they come in two reads
 * Lab: protocol
 * File: common/http.c
 * Caught by: cr_and_lf_apart
 *
 * Symptom: about one request in a thousand, over a slow line, ends as
 * `protocol`, "a header line has no name and colon" or "contains NUL or a
 * bare CR", although the server sends the same header every time.
 */

static size_t feed_line(struct http *http, const char *p, size_t n)
{
    const char *lf = memchr(p, '\n', n);
    size_t take = lf != NULL ? (size_t)(lf - p) + 1 : n;
    if (!count_head(http, take))
        return take;
    /* Of the line end nothing is kept. */
    size_t keep = lf != NULL ? take - 1 : take;
    if (keep > 0 && lf != NULL && p[keep - 1] == '\r')
        keep--;
    if (bytes_append(&http->line, p, keep) != 0) {
        bad(http, RESULT_NO_RESOURCES, "out of memory");
        return take;
    }
    if (http->state == HTTP_STATUS_LINE && !begins_as_http(&http->line))
        broken(http, "this is no HTTP/1 status line");
    else if (lf != NULL)
        line_complete(http);
    return take;
}

/* A line stands in `line` without its line end. */
static void line_complete(struct http *http)
{
    struct bytes *line = &http->line;
    if (http->state == HTTP_STATUS_LINE) {
        read_status_line(http, (struct span){line->data, line->length});
        line->length = 0;
    } else {
        field_line(http);
    }
}
