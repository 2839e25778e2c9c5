/* epoll: one sleep for many descriptors; the kernel says which are ready. */
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

static void watch(int set, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

int main(void)
{
    int a[2], b[2];
    struct epoll_event ready[8];
    int set = epoll_create1(0);
    if (pipe(a) != 0 || pipe(b) != 0)
        return 1;
    watch(set, a[0]);
    watch(set, b[0]);
    if (write(b[1], "hello", 5) != 5)
        return 1;
    int n = epoll_wait(set, ready, 8, -1); /* sleeps for both at once */
    printf("%d ready: %s\n", n, ready[0].data.fd == b[0] ? "b" : "a");
    return 0;
}
