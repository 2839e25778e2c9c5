/*
 * watch: what the parent sleeps on.
 *
 * Each descriptor is watched for one event at a time (EPOLLONESHOT): after
 * that epoll tells nothing of it, not even its end, until it is watched again.
 * So what is not waited for does not wake the parent again and again.
 */
#ifndef TRIPTYCH_WATCH_H
#define TRIPTYCH_WATCH_H

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>

/* Lets epoll tell, once, when the descriptor has one of the events, or an
 * error; it will say what it is `about`. 0 or a negative errno. The first time
 * takes memory, and may be made with no events; after that it cannot fail. A
 * closed descriptor is forgotten. */
static inline int watch(int epoll_fd, int fd, uint64_t about, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLONESHOT,
                                .data.u64 = about};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    /* A regular file is always ready, and a closed one will say so. */
    return errno == EPERM || errno == EBADF ? 0 : -errno;
}

#endif
