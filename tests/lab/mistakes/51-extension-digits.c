/*
 * Mistake 51: every hexadecimal digit of a chunk's line counts as its size
 * Lab: protocol
 * File: common/http.c
 * Caught by: chunk_extensions
 *
 * Symptom: everything comes out right, until a cache is put before the server
 * that signs each chunk (`400;sig=a81c...`): now every body is refused as
 * `protocol` or cut off, and the old server by itself still works.
 */

static void chunk_size_byte(struct http *http, char c)
{
    if (http->size_part == SIZE_LF) {
        if (c != '\n') {
            broken(http, "a chunk-size line has a bare CR");
            return;
        }
        http->state = http->left > 0 ? HTTP_CHUNK_DATA : HTTP_TRAILERS;
        return;
    }
    if (isxdigit((unsigned char)c)) {
        unsigned digit = isdigit((unsigned char)c)
                             ? (unsigned)(c - '0')
                             : (unsigned)((c | 32) - 'a' + 10);
        if (http->size_part == SIZE_BLANK) {
            broken(http, "a chunk has two sizes");
            return;
        }
        if (http->left > (LENGTH_MAX >> 4)) {
            broken(http, "a chunk's size overflows");
            return;
        }
        http->left = http->left * 16 + digit;
        if (http->size_part == SIZE_FIRST)
            http->size_part = SIZE_DIGITS;
        return;
    }
    if (http->size_part == SIZE_FIRST)
        broken(http, "a chunk has no size");
    else if (c == '\r')
        http->size_part = SIZE_LF;
    else if (http->size_part == SIZE_EXTENSION && c != '\n')
        ; /* names and values of extensions do not matter */
    else if (c == ';')
        http->size_part = SIZE_EXTENSION;
    else if (is_blank(c))
        http->size_part = SIZE_BLANK;
    else
        broken(http, "a chunk-size line has something else in it");
}
