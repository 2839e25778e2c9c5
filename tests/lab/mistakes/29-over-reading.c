/*
 * Mistake 29: over-reading: all that has come is taken for the body
 * Lab: protocol
 * File: common/http.c
 * Caught by: stops_at_the_end
 *
 * Symptom: from one server, which sends its answers ahead, some files come
 * out longer than their Content-Length: at their end stands text that begins
 * with "HTTP/1.1".
 */

static size_t feed_content(struct http *http, const char *p, size_t n,
                           struct span *body)
{
    /* Behind a chunk there is more; behind the whole content, nothing. */
    if (http->state == HTTP_CHUNK_DATA && n > http->left)
        n = (size_t)http->left;
    *body = (struct span){p, n};
    if (http->state == HTTP_UNTIL_CLOSE)
        return n;
    http->left -= n < http->left ? n : http->left;
    if (http->left == 0 && http->state == HTTP_LENGTH)
        http->state = HTTP_DONE;
    if (http->left == 0 && http->state == HTTP_CHUNK_DATA) {
        http->state = HTTP_CHUNK_END;
        http->left = 2;
    }
    return n;
}
