/* There are none here. See ../../world.c. */
#ifndef WORLD_SOCKET_H
#define WORLD_SOCKET_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#define MSG_DONTWAIT 0
#define MSG_NOSIGNAL 0
#define SHUT_WR      1

struct msghdr {
    struct iovec *msg_iov;
    size_t msg_iovlen;
};

ssize_t sendmsg(int fd, const struct msghdr *message, int flags);
int shutdown(int fd, int how);

#endif
