/*
 * Mistake 32: the last chunk taken for the end of the response
 * Lab: protocol
 * File: common/http.c
 * Caught by: last_chunk_is_not_the_end
 *
 * Symptom: the bodies are right. But from a server that sends chunks hardly
 * a connection is used a second time: the column `reused` of the report is 0,
 * and many small answers take far longer than from one that sends lengths.
 */

static void chunk_size_byte(struct http *http, char c)
{
    if (http->size_part == SIZE_LF) {
        if (c != '\n')
            broken(http, "a chunk-size line has a bare CR");
        else if (http->left > 0)
            http->state = HTTP_CHUNK_DATA;
        else
            http->state = HTTP_DONE; /* a size of 0: that was all */
        return;
    }
    if (http->size_part <= SIZE_DIGITS && isxdigit((unsigned char)c)) {
        unsigned digit = isdigit((unsigned char)c)
                             ? (unsigned)(c - '0')
                             : (unsigned)((c | 32) - 'a' + 10);
        if (http->left > (LENGTH_MAX >> 4)) {
            broken(http, "a chunk's size overflows");
            return;
        }
        http->left = http->left * 16 + digit;
        http->size_part = SIZE_DIGITS;
        return;
    }
    if (http->size_part == SIZE_FIRST)
        broken(http, "a chunk has no size");
    else if (c == '\r')
        http->size_part = SIZE_LF;
    else if (http->size_part == SIZE_EXTENSION && c != '\n')
        ; /* ignored */
    else if (c == ';')
        http->size_part = SIZE_EXTENSION;
    else if (is_blank(c))
        http->size_part = SIZE_BLANK;
    else
        broken(http, "a chunk-size line has something else in it");
}
