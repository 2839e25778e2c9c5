/* output: standard output, never blocking. See output.h. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Given to one system call. */
#define OUTPUT_SHARE ((size_t)1024 * 1024)

void output_open(struct output *output, int fd)
{
    struct stat status;
    *output = (struct output){.kind = OUTPUT_DIRECT, .fd = fd};
    if (fstat(fd, &status) != 0)
        return; /* it is closed: the first write will say so */
    output->saves = S_ISREG(status.st_mode);
    if (S_ISSOCK(status.st_mode)) {
        output->kind = OUTPUT_SOCKET;
        return;
    }
    if (!S_ISFIFO(status.st_mode) && !isatty(fd))
        return;
    int flags = fcntl(fd, F_GETFL);
    if (flags != -1 && (flags & O_ACCMODE) == O_RDONLY)
        return; /* the first write will say so; one of our own would not */
    if (flags != -1 && (flags & O_NONBLOCK) != 0) {
        output->kind = OUTPUT_OWN;
        return;
    }
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own == -1) {
        output->kind = OUTPUT_POLL;
        return;
    }
    *output = (struct output){.kind = OUTPUT_OWN, .fd = own, .owned = true};
}

/* Writes no more than a writable pipe is sure to have room for. Another writer
 * on the same pipe could still make us wait; then its reader is ours too. */
static ssize_t send_polled(int fd, const struct iovec *part)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    int ready = poll(&poll_fd, 1, 0);
    if (ready == 0) {
        errno = EAGAIN;
        return -1;
    }
    if (ready == -1)
        return -1;
    size_t n = part->iov_len < PIPE_BUF ? part->iov_len : PIPE_BUF;
    return write(fd, part->iov_base, n);
}

/* A file takes all that it is given, which may be a whole body that waited in
 * memory. The writer would notice no stop before that is done, so it is given
 * less. */
static ssize_t send_some(int fd, const struct iovec *parts, int n)
{
    size_t length = 0;
    if (parts[0].iov_len > OUTPUT_SHARE)
        return write(fd, parts[0].iov_base, OUTPUT_SHARE);
    for (int i = 0; i < n; i++) {
        length += parts[i].iov_len;
        if (length > OUTPUT_SHARE)
            n = i;
    }
    return writev(fd, parts, n);
}

ssize_t output_send(struct output *output, const struct iovec *parts, int n)
{
    for (;;) {
        ssize_t sent;
        switch (output->kind) {
        case OUTPUT_SOCKET: {
            struct msghdr message = {.msg_iov = (struct iovec *)parts,
                                     .msg_iovlen = (size_t)n};
            sent = sendmsg(output->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
            break;
        }
        case OUTPUT_POLL:
            sent = send_polled(output->fd, parts);
            break;
        default:
            sent = send_some(output->fd, parts, n);
        }
        if (sent > 0)
            return sent;
        if (sent == 0)
            return -EIO; /* nothing taken, no reason given: do not spin */
        if (errno != EINTR)
            return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    }
}

void output_close(struct output *output)
{
    if (output->owned)
        (void)close(output->fd);
    *output = (struct output){.fd = -1};
}
