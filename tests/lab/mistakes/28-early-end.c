/*
 * Mistake 28: an early end counted as success
 * Lab: protocol
 * File: common/http.c
 * Caught by: early_end_in_the_body
 *
 * Symptom: a server is restarted while files are being fetched from it. The
 * report says `ok` for all of them, and the exit status is 0; but some of the
 * files are shorter than they should be.
 */

void http_eof(struct http *http)
{
    if (http->state == HTTP_DONE || http->state == HTTP_BAD)
        return;
    /* The server has closed: that was the body. */
    if (http->head_complete)
        http->state = HTTP_DONE;
    else if (!http->begun)
        bad(http, RESULT_RESET, "the server closed without a response");
    else
        bad(http, RESULT_TRUNCATED, "the server closed within the header");
}
