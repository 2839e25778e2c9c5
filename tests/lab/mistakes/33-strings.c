/*
 * Mistake 33: bytes from the network treated as strings
 * Lab: protocol
 * File: common/http.c
 * Caught by: nul_in_the_head
 *
 * Symptom: a broken device sends a header with a few zero bytes in it. Instead
 * of `protocol` at once, the request ends as `timeout` after half a minute.
 */

static size_t feed_line(struct http *http, const char *p, size_t n)
{
    size_t before = http->line.length;
    if (bytes_append(&http->line, p, n) != 0 ||
        bytes_reserve(&http->line, 1) != 0) {
        bad(http, RESULT_NO_RESOURCES, "out of memory");
        return n;
    }
    /* Only now may strchr look for the end. */
    http->line.data[http->line.length] = '\0';
    const char *lf = strchr(http->line.data + before, '\n');
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
