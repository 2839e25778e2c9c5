/*
 * Mistake 52: the two bytes behind a chunk skipped without a look at them
 * Lab: protocol
 * File: common/http.c
 * Caught by: chunk_end_is_checked
 *
 * Symptom: a server with a mistake of its own takes the last two bytes of each
 * chunk for its line end: it says a size that is too small by two, and sends
 * no CR LF. Files from it are `ok` in the report, but two bytes are missing
 * here and there.
 */

static size_t feed_chunk_end(struct http *http, const char *p)
{
    (void)p; /* CR, then LF */
    http->left--;
    if (http->left == 0) {
        http->size_part = SIZE_FIRST;
        http->state = HTTP_CHUNK_SIZE;
    }
    return 1;
}
