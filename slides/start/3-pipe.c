/* pipe: bytes go in at one end and come out at the other. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    int ends[2];
    char text[64];
    if (pipe(ends) != 0 || write(ends[1], "hello", 5) != 5)
        return 1;
    printf("room for %d\n", fcntl(ends[1], F_GETPIPE_SZ));
    close(ends[1]);
    printf("read %zd\n", read(ends[0], text, sizeof text));
    printf("read %zd: the end\n", read(ends[0], text, sizeof text));
    return 0;
}
