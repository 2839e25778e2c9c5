/* nursery: fork, for a parent of thousands. See nursery.h. */
#include "nursery.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* With a limit below this, descriptors are kept for workers: a crib takes
 * three, a worker two. */
#define DESCRIPTORS_ENOUGH 1024

#ifdef __SANITIZE_THREAD__
#define SHARES false /* it must see a fork as such */
#else
#define SHARES true
#endif

#ifdef __SANITIZE_ADDRESS__
#define SPARES false /* it looks for leaks in children, too */
#else
#define SPARES SHARES
#endif

/* True if the kernel has both calls. They are tried with what it must refuse:
 * no size, and a range that ends before it begins. */
static bool can_share(void)
{
    return SHARES && syscall(SYS_clone3, NULL, 0) == -1 && errno == EINVAL &&
           close_range(1, 0, CLOSE_RANGE_UNSHARE) == -1 && errno == EINVAL;
}

static int count_cribs(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == -1 ||
        limit.rlim_cur < DESCRIPTORS_ENOUGH)
        return 1;
    return NURSERY_CRIBS;
}

static int open_crib(struct crib *crib, int null)
{
    for (int i = 0; i < 2; i++) {
        crib->reserved[i] = fcntl(null, F_DUPFD_CLOEXEC, 0);
        if (crib->reserved[i] == -1)
            return -errno;
    }
    crib->ready = eventfd(0, EFD_CLOEXEC);
    return crib->ready == -1 ? -errno : 0;
}

static int highest(const struct nursery *n, const int *kept, int count)
{
    int top = n->null;
    for (int i = 0; i < n->count; i++) {
        const struct crib *crib = &n->cribs[i];
        top = crib->reserved[0] > top ? crib->reserved[0] : top;
        top = crib->reserved[1] > top ? crib->reserved[1] : top;
        top = crib->ready > top ? crib->ready : top;
    }
    for (int i = 0; i < count; i++)
        top = kept[i] > top ? kept[i] : top;
    return top;
}

int nursery_open(struct nursery *n, const int *kept, int count)
{
    *n = (struct nursery){
        .shares = can_share(), .count = count_cribs(), .stop_fd = -1};
    n->spares = n->shares && SPARES;
    for (int i = 0; i < n->count; i++)
        n->cribs[i] = (struct crib){{-1, -1}, -1, -1};
    n->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int error = n->null == -1 ? -errno : 0;
    for (int i = 0; i < n->count && error == 0; i++)
        error = open_crib(&n->cribs[i], n->null);
    if (error != 0)
        nursery_close(n);
    n->top = highest(n, kept, count);
    return error;
}

static void put(const struct crib *crib, int first, int second)
{
    /* Neither can fail: all numbers are open. */
    (void)dup3(first, crib->reserved[0], O_CLOEXEC);
    (void)dup3(second, crib->reserved[1], O_CLOEXEC);
}

/* In the child. It must not touch the table before it has its own. */
static void leave_table(const struct nursery *n, const struct crib *crib)
{
    uint64_t one = 1;
    if (close_range((unsigned)n->top + 1, ~0U, CLOSE_RANGE_UNSHARE) == -1)
        _exit(71);
    while (write(crib->ready, &one, sizeof one) == -1)
        ; /* there is room for it: it was interrupted */
}

/* Waits until the child that was last put there has a table of its own. If the
 * run is to stop before, the child has done nothing yet, and is killed. */
static void settle(const struct nursery *n, struct crib *crib)
{
    uint64_t count;
    if (crib->pidfd == -1)
        return;
    /* Or the child has died before. */
    struct pollfd fds[] = {{.fd = crib->ready, .events = POLLIN},
                           {.fd = crib->pidfd, .events = POLLIN},
                           {.fd = n->stop_fd, .events = POLLIN}};
    /* It must not go on before, whatever error poll meets. */
    while (fds[0].revents == 0 && fds[1].revents == 0) {
        if (poll(fds, 3, -1) == 1 && fds[2].revents != 0) {
            (void)syscall(SYS_pidfd_send_signal, crib->pidfd, SIGKILL, NULL,
                          0);
            fds[2].fd = -1; /* it is not asked again */
        }
    }
    while (fds[0].revents != 0 &&
           read(crib->ready, &count, sizeof count) == -1)
        ;
    (void)close(crib->pidfd);
    crib->pidfd = -1;
    put(crib, n->null, n->null);
}

void nursery_make_room(struct nursery *n)
{
    settle(n, &n->cribs[n->next]);
}

void nursery_settle(struct nursery *n)
{
    for (int i = 0; i < n->count; i++)
        settle(n, &n->cribs[i]);
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
    struct crib *crib = &n->cribs[n->next];
    assert(crib->pidfd == -1); /* room was made */
    n->next = (n->next + 1) % n->count;
    put(crib, *first, *second);
    pid_t pid = clone_sharing(&crib->pidfd);
    if (pid == 0) {
        leave_table(n, crib);
        *first = crib->reserved[0];
        *second = crib->reserved[1];
    }
    if (pid != -1)
        return pid;
    int error = errno;
    crib->pidfd = -1;
    put(crib, n->null, n->null);
    errno = error;
    return -1;
}

static void close_fd(int fd)
{
    if (fd != -1)
        (void)close(fd);
}

void nursery_close(struct nursery *n)
{
    nursery_settle(n);
    for (int i = 0; i < n->count; i++) {
        close_fd(n->cribs[i].reserved[0]);
        close_fd(n->cribs[i].reserved[1]);
        close_fd(n->cribs[i].ready);
    }
    close_fd(n->null);
}

void *nursery_calloc(const struct nursery *n, size_t count, size_t size)
{
    if (!n->spares)
        return calloc(count, size);
    if (count > SIZE_MAX / size)
        return NULL;
    void *memory = mmap(NULL, count * size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    (void)madvise(memory, count * size, MADV_DONTFORK); /* or it is copied */
    return memory;
}

void nursery_free(const struct nursery *n, void *memory, size_t count,
                  size_t size)
{
    if (!n->spares)
        free(memory);
    else if (memory != NULL)
        (void)munmap(memory, count * size);
}
