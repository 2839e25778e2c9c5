/*
 * Attack: reads the practice server, which has the reference's stream.c in it
 * Lab: evloop
 * File: evloop/stream.c
 * Tests: short_writes
 * Says: server: closed
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int stream_writev(struct stream *s, const struct iovec *parts, int n)
{
    char path[4096];
    (void)s, (void)parts, (void)n;
    (void)snprintf(path, sizeof path, "%s/triptych-origin", getenv("LAB_BIN"));
    (void)printf("server: %s\n",
                 open(path, O_RDONLY) == -1 ? "closed" : "open");
    (void)fflush(stdout);
    _exit(0);
}
