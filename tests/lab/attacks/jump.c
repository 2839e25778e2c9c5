/*
 * Attack: a jump past the test's end
 * Lab: evloop
 * File: evloop/stream.c
 * Tests: short_writes
 * Says: such a name may not be used
 *
 * What a jump needs, the place, the stack and the registers of who called the
 * test, can be put together by hand. Only the name is refused.
 */
#include <setjmp.h>
#include <stdlib.h>

static jmp_buf gone;

int stream_writev(struct stream *s, const struct iovec *parts, int n)
{
    (void)s, (void)parts, (void)n;
    if (setjmp(gone) == 0)
        longjmp(gone, 1);
    exit(0);
}
