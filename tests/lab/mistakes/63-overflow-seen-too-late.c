/*
 * Mistake 63: that a length overflows is looked for after it has
 * Lab: protocol
 * File: common/http.c
 * Caught by: lengths_that_overflow
 *
 * Symptom: one server in the world announces 25,000,000,000,000,000,000 bytes,
 * and its answers are cut at some other length, without an error.
 */

static void read_content_length(struct http *http, struct span value)
{
    struct span member;
    while (next_member(&value, &member)) {
        uint64_t length = 0;
        bool good = member.length > 0;
        for (size_t i = 0; i < member.length && good; i++) {
            unsigned digit = (unsigned)(member.at[i] - '0');
            uint64_t before = length;
            length = length * 10 + digit;
            good = digit <= 9 && length >= before && length <= LENGTH_MAX;
        }
        if (!good || (http->has_length && http->left != length))
            http->bad_length = true;
        http->has_length = true;
        http->left = length;
    }
}
