/* non-blocking: a call that would sleep says EAGAIN instead. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
    int ends[2];
    char text[64];
    if (pipe2(ends, O_NONBLOCK) != 0)
        return 1;
    ssize_t n = read(ends[0], text, sizeof text); /* does not sleep */
    printf("%zd: %s\n", n, errno == EAGAIN ? "EAGAIN" : strerror(errno));
    if (write(ends[1], "hello", 5) != 5)
        return 1;
    printf("%zd bytes\n", read(ends[0], text, sizeof text));
    return 0;
}
