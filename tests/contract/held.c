/*
 * held: a disk that does not answer, for cases_disk.py. Preloaded.
 *
 *     LD_PRELOAD=.../held-shim.so TRIPTYCH_HELD=write TRIPTYCH_GATE=FILE ...
 *
 * Calls of that name - openat (of what is to be written), write (to a regular
 * file), fsync, renameat - return only when FILE is there; with "stdout" writes
 * to standard output, with "pread" the first call alone; with "thread" a new
 * thread begins only then; with "close_range" a new process asks only then for
 * descriptors of its own. FILE.held is made when one begins to wait. With
 * "again" reading a regular file fails, as some of /proc do that wait for news:
 * there is nothing now.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static void hold(const char *call)
{
    const char *held = getenv("TRIPTYCH_HELD");
    const char *gate = getenv("TRIPTYCH_GATE");
    char sign[4096];
    if (held == NULL || gate == NULL || strcmp(held, call) != 0)
        return;
    snprintf(sign, sizeof sign, "%s.held", gate);
    int fd = open(sign, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd != -1)
        (void)close(fd);
    else if (strcmp(call, "pread") == 0)
        return;
    while (access(gate, F_OK) == -1)
        (void)usleep(2000);
}

static bool has_nothing(int fd)
{
    const char *held = getenv("TRIPTYCH_HELD");
    struct stat what;
    return held != NULL && strcmp(held, "again") == 0 &&
           fstat(fd, &what) == 0 && S_ISREG(what.st_mode);
}

static bool shrinks(void)
{
    const char *held = getenv("TRIPTYCH_HELD");
    return held != NULL && strcmp(held, "shrunk") == 0;
}

/* How many of `n` bytes are there at the offset of a file that shrinks. */
static size_t left_of(size_t n, off_t offset)
{
    static off_t last = -1;
    static off_t end = -1;
    if (!shrinks())
        return n;
    if (offset == last && end == -1)
        end = offset + 1000;
    last = offset;
    if (end == -1 || offset + (off_t)n <= end)
        return n;
    return offset < end ? (size_t)(end - offset) : 0;
}

/* The next function of this name, which is the C library's. POSIX lets a
 * pointer to data be one to a function; ISO C does not. */
#define NEXT(function, name)                                                  \
    do {                                                                      \
        void *found = dlsym(RTLD_NEXT, name);                                 \
        memcpy(&(function), &found, sizeof(function));                        \
    } while (0)

ssize_t write(int fd, const void *p, size_t n)
{
    ssize_t (*next)(int, const void *, size_t);
    struct stat what;
    NEXT(next, "write");
    if (fstat(fd, &what) == 0 && S_ISREG(what.st_mode))
        hold("write");
    return next(fd, p, n);
}

ssize_t read(int fd, void *p, size_t n)
{
    ssize_t (*next)(int, void *, size_t);
    NEXT(next, "read");
    if (has_nothing(fd)) {
        errno = EAGAIN;
        return -1;
    }
    return next(fd, p, n);
}

ssize_t pread(int fd, void *p, size_t n, off_t offset)
{
    ssize_t (*next)(int, void *, size_t, off_t);
    NEXT(next, "pread");
    hold("pread");
    if (has_nothing(fd)) {
        errno = EAGAIN;
        return -1;
    }
    return next(fd, p, left_of(n, offset), offset);
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
    ssize_t (*next)(int, const void *, size_t, int);
    static int long_ones;
    NEXT(next, "send");
    if (n > 4000 && shrinks() && ++long_ones == 2) {
        errno = EAGAIN;
        return -1;
    }
    return next(fd, p, n > 4000 && long_ones == 1 ? 1000 : n, flags);
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
    ssize_t (*next)(int, const struct iovec *, int);
    NEXT(next, "writev");
    if (fd == STDOUT_FILENO)
        hold("stdout");
    return next(fd, parts, n);
}

int openat(int directory, const char *path, int flags, ...)
{
    int (*next)(int, const char *, int, ...);
    va_list arguments;
    NEXT(next, "openat");
    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if ((flags & O_CREAT) != 0)
        hold("openat");
    return next(directory, path, flags, mode);
}

int renameat(int from, const char *old, int to, const char *new)
{
    int (*next)(int, const char *, int, const char *);
    NEXT(next, "renameat");
    hold("renameat");
    return next(from, old, to, new);
}

int fsync(int fd)
{
    int (*next)(int);
    NEXT(next, "fsync");
    hold("fsync");
    return next(fd);
}

int close_range(unsigned first, unsigned last, int flags)
{
    int (*next)(unsigned, unsigned, int);
    NEXT(next, "close_range");
    /* With no range it is but tried whether the kernel has it. */
    if (flags == CLOSE_RANGE_UNSHARE && first <= last)
        hold("close_range");
    return next(first, last, flags);
}

/* What a thread is to do. */
struct beginning {
    void *(*f)(void *arg);
    void *arg;
};

static void *begin(void *arg)
{
    struct beginning beginning = *(struct beginning *)arg;
    free(arg);
    hold("thread");
    return beginning.f(beginning.arg);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                   void *(*f)(void *arg), void *arg)
{
    int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
                void *);
    struct beginning *beginning = malloc(sizeof *beginning);
    if (beginning == NULL)
        return EAGAIN;
    *beginning = (struct beginning){f, arg};
    NEXT(next, "pthread_create");
    return next(thread, attributes, begin, beginning);
}
