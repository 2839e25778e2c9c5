/* nursery: fork, for a parent with thousands of descriptors. See nursery.h. */
#include "nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __SANITIZE_THREAD__
#define SHARES false /* it must see a fork as such */
#else
#define SHARES true
#endif

int nursery_open(struct nursery *n, const int *kept, int count)
{
    *n = (struct nursery){.shares = SHARES, .reserved = {-1, -1}, .pidfd = -1};
    n->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (n->null != -1)
        n->reserved[0] = fcntl(n->null, F_DUPFD_CLOEXEC, 0);
    if (n->reserved[0] != -1)
        n->reserved[1] = fcntl(n->null, F_DUPFD_CLOEXEC, 0);
    n->ready = eventfd(0, EFD_CLOEXEC);
    if (n->reserved[1] == -1 || n->ready == -1) {
        int error = -errno;
        nursery_close(n);
        return error;
    }
    n->top = n->ready;
    for (int i = 0; i < 2; i++)
        n->top = n->reserved[i] > n->top ? n->reserved[i] : n->top;
    for (int i = 0; i < count; i++)
        n->top = kept[i] > n->top ? kept[i] : n->top;
    return 0;
}

static void put(const struct nursery *n, int first, int second)
{
    /* Neither can fail: all numbers are open. */
    (void)dup3(first, n->reserved[0], O_CLOEXEC);
    (void)dup3(second, n->reserved[1], O_CLOEXEC);
}

/* In the child. It must not touch the table before it has its own. */
static void leave_table(const struct nursery *n)
{
    uint64_t one = 1;
    if (close_range((unsigned)n->top + 1, ~0U, CLOSE_RANGE_UNSHARE) == -1)
        _exit(71);
    while (write(n->ready, &one, sizeof one) == -1)
        ; /* there is room for it: it was interrupted */
}

void nursery_settle(struct nursery *n)
{
    uint64_t count;
    if (n->pidfd == -1)
        return;
    /* Or the child has died before. */
    struct pollfd fds[] = {{.fd = n->ready, .events = POLLIN},
                           {.fd = n->pidfd, .events = POLLIN}};
    /* To go on before is out of the question, whatever poll has met. */
    while (poll(fds, 2, -1) == -1)
        ;
    while (fds[0].revents != 0 && read(n->ready, &count, sizeof count) == -1)
        ;
    (void)close(n->pidfd);
    n->pidfd = -1;
    put(n, n->null, n->null);
}

static pid_t clone_sharing(int *pidfd)
{
    struct clone_args args = {.flags = CLONE_FILES | CLONE_PIDFD,
                              .pidfd = (uint64_t)(uintptr_t)pidfd,
                              .exit_signal = SIGCHLD};
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

pid_t nursery_fork(struct nursery *n, int *first, int *second)
{
    if (!n->shares)
        return fork();
    nursery_settle(n);
    put(n, *first, *second);
    pid_t pid = clone_sharing(&n->pidfd);
    if (pid == 0) {
        leave_table(n);
        *first = n->reserved[0];
        *second = n->reserved[1];
    }
    if (pid != -1)
        return pid;
    int error = errno;
    n->pidfd = -1;
    put(n, n->null, n->null);
    if (error != EAGAIN && error != ENOMEM && error != EMFILE) {
        n->shares = false; /* not here */
        return fork();
    }
    errno = error;
    return -1;
}

void nursery_close(struct nursery *n)
{
    nursery_settle(n);
    const int fds[] = {n->null, n->reserved[0], n->reserved[1], n->ready};
    for (int i = 0; i < 4; i++) {
        if (fds[i] != -1)
            (void)close(fds[i]);
    }
}
