/*
 * Mistake 30: lengths read with atoll
 * Lab: protocol
 * File: common/http.c
 * Caught by: lengths_that_are_none
 *
 * Symptom: a broken server says `Content-Length: 0x2000` or `1 024 bytes`.
 * The requests end as `ok`, with bodies of 0 bytes and of 1.
 */

static void read_content_length(struct http *http, struct span value)
{
    struct span member;
    while (next_member(&value, &member)) {
        char text[32];
        size_t n =
            member.length < sizeof text - 1 ? member.length : sizeof text - 1;
        memcpy(text, member.at, n);
        text[n] = '\0';
        long long length = atoll(text);
        if (http->has_length && http->left != (uint64_t)length)
            http->bad_length = true;
        http->has_length = true;
        http->left = (uint64_t)length;
    }
}
