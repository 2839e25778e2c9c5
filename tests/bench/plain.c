/*
 * triptych-plain: the least that a fetcher must do, as a measure for others.
 *
 * One connection, one GET, and a loop: read 64 KiB, write them to standard
 * output. It parses nothing (but for the end of the head), bounds nothing,
 * and checks only that its calls succeed.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK ((size_t)64 * 1024)

static int fail(const char *what)
{
    fprintf(stderr, "triptych-plain: %s: %s\n", what, strerror(errno));
    return 1;
}

/* Writes all of it. 0 or -1. */
static int write_all(const char *p, size_t n)
{
    while (n > 0) {
        ssize_t written = write(STDOUT_FILENO, p, n);
        if (written == -1)
            return -1;
        p += written;
        n -= (size_t)written;
    }
    return 0;
}

static int relay(int fd)
{
    static char chunk[CHUNK + 1];
    size_t length = 0;
    char *body = NULL;
    while (body == NULL && length < CHUNK) {
        ssize_t n = read(fd, chunk + length, CHUNK - length);
        if (n <= 0)
            return fail("read");
        length += (size_t)n;
        chunk[length] = '\0';
        body = strstr(chunk, "\r\n\r\n");
    }
    if (body == NULL || strncmp(chunk, "HTTP/1.1 200 ", 13) != 0) {
        errno = EPROTO;
        return fail("the answer");
    }
    if (write_all(body + 4, (size_t)(chunk + length - body - 4)) == -1)
        return fail("write");
    for (;;) {
        ssize_t n = read(fd, chunk, CHUNK);
        if (n == 0)
            return 0;
        if (n == -1)
            return fail("read");
        if (write_all(chunk, (size_t)n) == -1)
            return fail("write");
    }
}

int main(int argc, char **argv)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *address;
    if (argc != 4) {
        fprintf(stderr, "Usage: triptych-plain HOST PORT PATH\n"
                        "Copies the body of http://HOST:PORT/PATH to standard "
                        "output, as plainly as can be.\n");
        return 2;
    }
    if (getaddrinfo(argv[1], argv[2], &hints, &address) != 0) {
        errno = EHOSTUNREACH;
        return fail(argv[1]);
    }
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1 || connect(fd, address->ai_addr, address->ai_addrlen) == -1)
        return fail("connect");
    freeaddrinfo(address);
    if (dprintf(fd, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
                argv[3], argv[1]) < 0)
        return fail("send");
    int status = relay(fd);
    (void)close(fd);
    return status;
}
