/*
 * Attack: reads beyond a global variable, which AddressSanitizer guards
 * Lab: protocol
 * File: common/http.c
 * Tests: whole_head
 * Says: global-buffer-overflow
 *
 * Its guards are put up by a constructor, and constructors are taken out of
 * what is graded: so it was not seen.
 */
static char table[4];
static char *volatile at = table; /* so that UBSan knows of no array */

void http_start(struct http *http)
{
    static volatile int far = 5;
    http->state = (enum http_state)at[far];
}
