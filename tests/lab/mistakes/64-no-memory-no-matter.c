/*
 * Mistake 64: that there is no memory is not looked at
 * Lab: protocol
 * File: common/http.c
 * Caught by: memory_runs_out
 *
 * Symptom: when memory is short some answers end as "protocol" although the
 * server did nothing wrong, or with a header that is not theirs.
 */

static size_t feed_line(struct http *http, const char *p, size_t n)
{
    const char *lf = memchr(p, '\n', n);
    size_t take = lf != NULL ? (size_t)(lf - p) + 1 : n;
    if (!count_head(http, take))
        return take;
    (void)bytes_append(&http->line, p, take);
    if (http->state == HTTP_STATUS_LINE && !begins_as_http(&http->line))
        broken(http, "this is no HTTP/1 status line");
    else if (lf != NULL)
        line_complete(http);
    return take;
}
