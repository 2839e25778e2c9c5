/* socket: a descriptor whose other end is another program's. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* A socket that waits for callers, on a free port: *at says which. */
static int listening(struct sockaddr_in *at)
{
    socklen_t n = sizeof *at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    *at = (struct sockaddr_in){.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)at, n) != 0 || listen(fd, 8) != 0 ||
        getsockname(fd, (struct sockaddr *)at, &n) != 0)
        return -1;
    return fd;
}

int main(void)
{
    char text[64];
    struct sockaddr_in at;
    int door = listening(&at);
    int caller = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(caller, (struct sockaddr *)&at, sizeof at) != 0) /* sleeps */
        return 1;
    int called = accept(door, NULL, NULL); /* sleeps until somebody calls */
    if (write(caller, "hel", 3) != 3 || write(caller, "lo!", 3) != 3)
        return 1;
    ssize_t n = recv(called, text, 5, MSG_WAITALL);
    printf("%zd bytes: %.*s\n", n, (int)n, text);
    return 0;
}
