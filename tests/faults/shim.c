/*
 * shim: makes one call of one function fail, once. Preloaded by faults.py.
 *
 *     LD_PRELOAD=.../faults-shim.so TRIPTYCH_FAULT_PAGE=FILE
 *     TRIPTYCH_FAULT=read.socket:17:ECONNRESET fetch-threads URL...
 *
 * The 17th read from a socket fails; write.pipe:5:short takes one byte only;
 * with alloc:9:ENOMEM+ all from the 9th on fail.
 * Calls are counted over the whole run: in FILE, which the parent, its
 * children and all threads have mapped, and where faults.py finds the counts
 * and whether the fault has come to pass. Without TRIPTYCH_FAULT calls are
 * only counted. What is called before main, and after it, is not.
 *
 * A fault must be one that can happen. So calls that transfer bytes are
 * counted by what the descriptor is - file, pipe, socket; others, such as an
 * eventfd, do not fail - and those of getaddrinfo by whether anybody is asked,
 * or it reads a number. Apart from that:
 *
 *     short     by those that could take less: not of datagrams, not of one
 *               byte
 *     EAGAIN    (of transfers) by those that may not block
 *     others    by all
 *
 * `alloc` is malloc, calloc, realloc and strdup; those inside of libevent, and
 * of the C library where it calls them as we do, are among them. What the C
 * library calls in itself cannot be reached from here: the sockets and files
 * of getaddrinfo, the mmap of pthread_create. The memory of getaddrinfo could
 * be, but is not failed: glibc 2.36 then ends the program, in an assertion.
 * close is not failed: on Linux it has closed the descriptor whatever it says.
 *
 * Nothing here is compiled with sanitizers: malloc is called before theirs
 * are ready.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- What is counted ---------------------------------------------------- */

enum point {
    READ_FILE, /* these are in order: function by function, file, pipe, */
    READ_PIPE, /* socket */
    READ_SOCKET,
    READV_FILE,
    READV_PIPE,
    READV_SOCKET,
    WRITE_FILE,
    WRITE_PIPE,
    WRITE_SOCKET,
    WRITEV_FILE,
    WRITEV_PIPE,
    WRITEV_SOCKET,
    RECV,
    SEND,
    SENDMSG,
    PREAD,
    ALLOC,
    OPEN,
    OPENAT,
    FSTAT,
    RENAMEAT,
    UNLINKAT,
    MKDIR,
    SOCKET,
    CONNECT,
    GETSOCKOPT,
    GETADDRINFO,
    GETADDRINFO_NUMBER,
    POLL,
    PPOLL,
    EPOLL_CREATE,
    EPOLL_CTL,
    EPOLL_WAIT,
    EVENTFD,
    SIGNALFD,
    PIPE2,
    FORK,
    PROBE,
    WAITPID,
    PIPE_SIZE,
    PTHREAD_CREATE,
    POINTS
};

static const char *const names[POINTS] = {
    [READ_FILE] = "read.file",
    [READ_PIPE] = "read.pipe",
    [READ_SOCKET] = "read.socket",
    [READV_FILE] = "readv.file",
    [READV_PIPE] = "readv.pipe",
    [READV_SOCKET] = "readv.socket",
    [WRITE_FILE] = "write.file",
    [WRITE_PIPE] = "write.pipe",
    [WRITE_SOCKET] = "write.socket",
    [WRITEV_FILE] = "writev.file",
    [WRITEV_PIPE] = "writev.pipe",
    [WRITEV_SOCKET] = "writev.socket",
    [RECV] = "recv",
    [SEND] = "send",
    [SENDMSG] = "sendmsg",
    [PREAD] = "pread",
    [ALLOC] = "alloc",
    [OPEN] = "open",
    [OPENAT] = "openat",
    [FSTAT] = "fstat",
    [RENAMEAT] = "renameat",
    [UNLINKAT] = "unlinkat",
    [MKDIR] = "mkdir",
    [SOCKET] = "socket",
    [CONNECT] = "connect",
    [GETSOCKOPT] = "getsockopt",
    [GETADDRINFO] = "getaddrinfo",
    [GETADDRINFO_NUMBER] = "getaddrinfo.number",
    [POLL] = "poll",
    [PPOLL] = "ppoll",
    [EPOLL_CREATE] = "epoll_create",
    [EPOLL_CTL] = "epoll_ctl",
    [EPOLL_WAIT] = "epoll_wait",
    [EVENTFD] = "eventfd",
    [SIGNALFD] = "signalfd",
    [PIPE2] = "pipe2",
    [FORK] = "fork",
    [PROBE] = "probe",
    [WAITPID] = "waitpid",
    [PIPE_SIZE] = "pipe_size",
    [PTHREAD_CREATE] = "pthread_create",
};

/* How a call may go wrong. */
enum way { WAY_ERROR, WAY_AGAIN, WAY_SHORT, WAYS };

/* What the processes share; faults.py reads it. */
struct record {
    char name[24];
    _Atomic uint64_t calls[WAYS];
    _Atomic uint64_t struck;
};

static struct record *page; /* POINTS of them; NULL: do nothing */
static atomic_bool in_main;

static struct {
    enum point point; /* POINTS: none */
    enum way way;
    uint64_t number;
    uint64_t second; /* another call that goes wrong; 0: none */
    bool stays;      /* all calls after that one as well */
    int error;
} wanted = {.point = POINTS};

/* --- The functions behind ours ------------------------------------------ */

static struct {
    __typeof__(malloc) *malloc;
    __typeof__(calloc) *calloc;
    __typeof__(realloc) *realloc;
    __typeof__(read) *read;
    __typeof__(readv) *readv;
    __typeof__(write) *write;
    __typeof__(writev) *writev;
    __typeof__(recv) *recv;
    __typeof__(send) *send;
    __typeof__(sendmsg) *sendmsg;
    __typeof__(pread) *pread;
    __typeof__(open) *open;
    __typeof__(openat) *openat;
    __typeof__(fstat) *fstat;
    __typeof__(renameat) *renameat;
    __typeof__(unlinkat) *unlinkat;
    __typeof__(mkdir) *mkdir;
    __typeof__(socket) *socket;
    __typeof__(connect) *connect;
    __typeof__(getsockopt) *getsockopt;
    __typeof__(shutdown) *shutdown;
    int (*getaddrinfo)(const char *, const char *, const struct addrinfo *,
                       struct addrinfo **);
    __typeof__(poll) *poll;
    __typeof__(ppoll) *ppoll;
    __typeof__(epoll_create1) *epoll_create1;
    __typeof__(epoll_ctl) *epoll_ctl;
    __typeof__(epoll_wait) *epoll_wait;
    __typeof__(eventfd) *eventfd;
    __typeof__(signalfd) *signalfd;
    __typeof__(pipe2) *pipe2;
    __typeof__(fork) *fork;
    __typeof__(syscall) *syscall;
    __typeof__(waitpid) *waitpid;
    __typeof__(fcntl) *fcntl;
    int (*pthread_create)(pthread_t *, const pthread_attr_t *,
                          void *(*)(void *), void *);
    __typeof__(pthread_getattr_np) *pthread_getattr_np;
    __typeof__(dlopen) *dlopen;
    __typeof__(_exit) *_exit;
} next;

static void find_all(void)
{
    next.malloc = dlsym(RTLD_NEXT, "malloc");
    next.calloc = dlsym(RTLD_NEXT, "calloc");
    next.realloc = dlsym(RTLD_NEXT, "realloc");
    next.read = dlsym(RTLD_NEXT, "read");
    next.readv = dlsym(RTLD_NEXT, "readv");
    next.write = dlsym(RTLD_NEXT, "write");
    next.writev = dlsym(RTLD_NEXT, "writev");
    next.recv = dlsym(RTLD_NEXT, "recv");
    next.send = dlsym(RTLD_NEXT, "send");
    next.sendmsg = dlsym(RTLD_NEXT, "sendmsg");
    next.pread = dlsym(RTLD_NEXT, "pread");
    next.open = dlsym(RTLD_NEXT, "open");
    next.openat = dlsym(RTLD_NEXT, "openat");
    next.fstat = dlsym(RTLD_NEXT, "fstat");
    next.renameat = dlsym(RTLD_NEXT, "renameat");
    next.unlinkat = dlsym(RTLD_NEXT, "unlinkat");
    next.mkdir = dlsym(RTLD_NEXT, "mkdir");
    next.socket = dlsym(RTLD_NEXT, "socket");
    next.connect = dlsym(RTLD_NEXT, "connect");
    next.getsockopt = dlsym(RTLD_NEXT, "getsockopt");
    next.shutdown = dlsym(RTLD_NEXT, "shutdown");
    next.getaddrinfo = dlsym(RTLD_NEXT, "getaddrinfo");
    next.poll = dlsym(RTLD_NEXT, "poll");
    next.ppoll = dlsym(RTLD_NEXT, "ppoll");
    next.epoll_create1 = dlsym(RTLD_NEXT, "epoll_create1");
    next.epoll_ctl = dlsym(RTLD_NEXT, "epoll_ctl");
    next.epoll_wait = dlsym(RTLD_NEXT, "epoll_wait");
    next.eventfd = dlsym(RTLD_NEXT, "eventfd");
    next.signalfd = dlsym(RTLD_NEXT, "signalfd");
    next.pipe2 = dlsym(RTLD_NEXT, "pipe2");
    next.fork = dlsym(RTLD_NEXT, "fork");
    next.syscall = dlsym(RTLD_NEXT, "syscall");
    next.waitpid = dlsym(RTLD_NEXT, "waitpid");
    next.fcntl = dlsym(RTLD_NEXT, "fcntl");
    next.pthread_create = dlsym(RTLD_NEXT, "pthread_create");
    next.pthread_getattr_np = dlsym(RTLD_NEXT, "pthread_getattr_np");
    next.dlopen = dlsym(RTLD_NEXT, "dlopen");
    next._exit = dlsym(RTLD_NEXT, "_exit");
}

/* --- The fault ---------------------------------------------------------- */

/* What is called in these functions of glibc is not counted. */
static _Thread_local bool in_glibc;

/* To stop at in gdb: here is the fault. */
__attribute__((noinline)) static void strike(struct record *record)
{
    atomic_store(&record->struck, 1);
}

/* Counts a call; true, with errno set, if it is to go wrong in this way. */
static bool goes_wrong(enum point point, enum way way)
{
    if (next._exit == NULL)
        find_all();
    if (page == NULL || in_glibc || !atomic_load(&in_main))
        return false;
    uint64_t number = atomic_fetch_add(&page[point].calls[way], 1) + 1;
    if (point != wanted.point || way != wanted.way ||
        (number != wanted.number && number != wanted.second &&
         (number < wanted.number || !wanted.stays)))
        return false;
    strike(&page[point]);
    errno = wanted.error;
    return true;
}

/* What becomes of a call that is to transfer `n` bytes. */
enum fate { TAKES_ALL, TAKES_ONE, TAKES_NONE };

static bool is_datagram(int fd)
{
    int type = 0;
    socklen_t size = sizeof type;
    return next.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
           type == SOCK_DGRAM;
}

/* A connection that fails once fails for ever. */
static void break_off(int fd)
{
    if (wanted.error != ECONNRESET && wanted.error != EPIPE)
        return;
    (void)next.shutdown(fd, SHUT_RDWR);
    errno = wanted.error;
}

static enum fate fate_of_kind(enum point point, int fd, size_t n, bool socket,
                              bool waits)
{
    if (goes_wrong(point, WAY_ERROR)) {
        if (socket)
            break_off(fd);
        return TAKES_NONE;
    }
    if (!waits && goes_wrong(point, WAY_AGAIN))
        return TAKES_NONE;
    if (n > 1 && !(socket && is_datagram(fd)) && goes_wrong(point, WAY_SHORT))
        return TAKES_ONE;
    return TAKES_ALL;
}

/* Of read, write and their kin: `point` is that for files. */
static enum fate fate_of(enum point point, int fd, size_t n)
{
    struct stat status;
    if (page == NULL || next.fstat(fd, &status) == -1)
        return TAKES_ALL;
    int flags = next.fcntl(fd, F_GETFL);
    bool waits = (flags & O_NONBLOCK) == 0;
    if (S_ISREG(status.st_mode))
        return fate_of_kind(point, fd, n, false, true);
    if (S_ISFIFO(status.st_mode))
        return fate_of_kind(point + 1, fd, n, false, waits);
    if (S_ISSOCK(status.st_mode))
        return fate_of_kind(point + 2, fd, n, true, waits);
    return TAKES_ALL;
}

/* Of recv, send, sendmsg. */
static enum fate fate_of_socket(enum point point, int fd, size_t n, int flags)
{
    if (page == NULL)
        return TAKES_ALL;
    bool waits = (flags & MSG_DONTWAIT) == 0 &&
                 (next.fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
    return fate_of_kind(point, fd, n, true, waits);
}

/* The first byte of some parts. */
static struct iovec first_byte(const struct iovec *parts, int n)
{
    struct iovec one = {NULL, 0};
    for (int i = 0; i < n && one.iov_len == 0; i++) {
        if (parts[i].iov_len > 0)
            one = (struct iovec){parts[i].iov_base, 1};
    }
    return one;
}

static size_t length_of(const struct iovec *parts, int n)
{
    size_t length = 0;
    for (int i = 0; i < n; i++)
        length += parts[i].iov_len;
    return length;
}

/* --- Memory ------------------------------------------------------------- */

void *malloc(size_t size)
{
    return goes_wrong(ALLOC, WAY_ERROR) ? NULL : next.malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return goes_wrong(ALLOC, WAY_ERROR) ? NULL : next.calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    return goes_wrong(ALLOC, WAY_ERROR) ? NULL : next.realloc(block, size);
}

char *strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

/* --- Transfers ---------------------------------------------------------- */

ssize_t read(int fd, void *data, size_t n)
{
    enum fate fate = fate_of(READ_FILE, fd, n);
    return fate == TAKES_NONE ? -1
                              : next.read(fd, data, fate == TAKES_ONE ? 1 : n);
}

ssize_t write(int fd, const void *data, size_t n)
{
    enum fate fate = fate_of(WRITE_FILE, fd, n);
    return fate == TAKES_NONE
               ? -1
               : next.write(fd, data, fate == TAKES_ONE ? 1 : n);
}

ssize_t readv(int fd, const struct iovec *parts, int n)
{
    enum fate fate = fate_of(READV_FILE, fd, length_of(parts, n));
    struct iovec one = first_byte(parts, n);
    if (fate == TAKES_NONE)
        return -1;
    return fate == TAKES_ONE ? next.readv(fd, &one, 1)
                             : next.readv(fd, parts, n);
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
    enum fate fate = fate_of(WRITEV_FILE, fd, length_of(parts, n));
    struct iovec one = first_byte(parts, n);
    if (fate == TAKES_NONE)
        return -1;
    return fate == TAKES_ONE ? next.writev(fd, &one, 1)
                             : next.writev(fd, parts, n);
}

ssize_t recv(int fd, void *data, size_t n, int flags)
{
    enum fate fate = fate_of_socket(RECV, fd, n, flags);
    return fate == TAKES_NONE
               ? -1
               : next.recv(fd, data, fate == TAKES_ONE ? 1 : n, flags);
}

ssize_t send(int fd, const void *data, size_t n, int flags)
{
    enum fate fate = fate_of_socket(SEND, fd, n, flags);
    return fate == TAKES_NONE
               ? -1
               : next.send(fd, data, fate == TAKES_ONE ? 1 : n, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    size_t n = length_of(message->msg_iov, (int)message->msg_iovlen);
    enum fate fate = fate_of_socket(SENDMSG, fd, n, flags);
    struct iovec one = first_byte(message->msg_iov, (int)message->msg_iovlen);
    struct msghdr cut = *message;
    cut.msg_iov = &one;
    cut.msg_iovlen = 1;
    if (fate == TAKES_NONE)
        return -1;
    return next.sendmsg(fd, fate == TAKES_ONE ? &cut : message, flags);
}

ssize_t pread(int fd, void *data, size_t n, off_t offset)
{
    if (goes_wrong(PREAD, WAY_ERROR))
        return -1;
    if (n > 1 && goes_wrong(PREAD, WAY_SHORT))
        n = 1;
    return next.pread(fd, data, n, offset);
}

/* --- Files -------------------------------------------------------------- */

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode =
        (flags & O_CREAT) != 0 ? (mode_t)va_arg(arguments, unsigned) : 0;
    va_end(arguments);
    return goes_wrong(OPEN, WAY_ERROR) ? -1 : next.open(path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode =
        (flags & O_CREAT) != 0 ? (mode_t)va_arg(arguments, unsigned) : 0;
    va_end(arguments);
    return goes_wrong(OPENAT, WAY_ERROR)
               ? -1
               : next.openat(directory, path, flags, mode);
}

int fstat(int fd, struct stat *status)
{
    return goes_wrong(FSTAT, WAY_ERROR) ? -1 : next.fstat(fd, status);
}

int renameat(int from, const char *old, int to, const char *new)
{
    return goes_wrong(RENAMEAT, WAY_ERROR) ? -1
                                           : next.renameat(from, old, to, new);
}

int unlinkat(int directory, const char *path, int flags)
{
    return goes_wrong(UNLINKAT, WAY_ERROR)
               ? -1
               : next.unlinkat(directory, path, flags);
}

int mkdir(const char *path, mode_t mode)
{
    return goes_wrong(MKDIR, WAY_ERROR) ? -1 : next.mkdir(path, mode);
}

/* --- Sockets ------------------------------------------------------------ */

int socket(int family, int type, int protocol)
{
    return goes_wrong(SOCKET, WAY_ERROR) ? -1
                                         : next.socket(family, type, protocol);
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    if (!goes_wrong(CONNECT, WAY_ERROR))
        return next.connect(fd, address, size);
    if (wanted.error == EINTR) /* it goes on without us */
        (void)next.connect(fd, address, size);
    errno = wanted.error;
    return -1;
}

int getsockopt(int fd, int level, int option, void *restrict value,
               socklen_t *restrict size)
{
    return goes_wrong(GETSOCKOPT, WAY_ERROR)
               ? -1
               : next.getsockopt(fd, level, option, value, size);
}

int getaddrinfo(const char *restrict host, const char *restrict service,
                const struct addrinfo *restrict hints,
                struct addrinfo **restrict addresses)
{
    bool is_number = hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0;
    if (goes_wrong(is_number ? GETADDRINFO_NUMBER : GETADDRINFO, WAY_ERROR))
        return wanted.error;
    in_glibc = true;
    int error = next.getaddrinfo(host, service, hints, addresses);
    in_glibc = false;
    return error;
}

/* Without memory for its own message about that, dlopen of glibc 2.36 keeps the
 * loader's lock, which exit then waits for. */
void *dlopen(const char *path, int flags)
{
    if (next.dlopen == NULL)
        find_all();
    in_glibc = wanted.stays;
    void *module = next.dlopen(path, flags);
    in_glibc = false;
    return module;
}

/* --- Waiting ------------------------------------------------------------ */

int poll(struct pollfd *fds, nfds_t n, int ms)
{
    return goes_wrong(POLL, WAY_ERROR) ? -1 : next.poll(fds, n, ms);
}

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *time,
          const sigset_t *mask)
{
    return goes_wrong(PPOLL, WAY_ERROR) ? -1 : next.ppoll(fds, n, time, mask);
}

int epoll_create1(int flags)
{
    return goes_wrong(EPOLL_CREATE, WAY_ERROR) ? -1
                                               : next.epoll_create1(flags);
}

/* Only to add takes anything that could be short. */
int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD && goes_wrong(EPOLL_CTL, WAY_ERROR))
        return -1;
    return next.epoll_ctl(epoll, operation, fd, event);
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int ms)
{
    return goes_wrong(EPOLL_WAIT, WAY_ERROR)
               ? -1
               : next.epoll_wait(epoll, events, most, ms);
}

int eventfd(unsigned count, int flags)
{
    return goes_wrong(EVENTFD, WAY_ERROR) ? -1 : next.eventfd(count, flags);
}

int signalfd(int fd, const sigset_t *mask, int flags)
{
    return goes_wrong(SIGNALFD, WAY_ERROR) ? -1
                                           : next.signalfd(fd, mask, flags);
}

/* --- Pipes, processes, threads ------------------------------------------ */

int pipe2(int ends[2], int flags)
{
    return goes_wrong(PIPE2, WAY_ERROR) ? -1 : next.pipe2(ends, flags);
}

/* Of what fcntl does for us, only to resize a pipe can be refused. */
int fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (command == F_SETPIPE_SZ && goes_wrong(PIPE_SIZE, WAY_ERROR))
        return -1;
    return next.fcntl(fd, command, argument);
}

pid_t fork(void)
{
    return goes_wrong(FORK, WAY_ERROR) ? -1 : next.fork();
}

/* clone3 has no function of its own. Here it makes a process, as fork does;
 * but without arguments it only tells whether it is there. */
long syscall(long number, ...)
{
    long a[6];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(arguments, long);
    va_end(arguments);
    if (number == SYS_clone3 &&
        goes_wrong(a[0] == 0 ? PROBE : FORK, WAY_ERROR))
        return -1;
    return next.syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Only a call that waits can be interrupted. */
pid_t waitpid(pid_t pid, int *status, int options)
{
    if ((options & WNOHANG) == 0 && goes_wrong(WAITPID, WAY_ERROR))
        return -1;
    return next.waitpid(pid, status, options);
}

int pthread_create(pthread_t *restrict thread,
                   const pthread_attr_t *restrict attributes,
                   void *(*start)(void *), void *restrict argument)
{
    return goes_wrong(PTHREAD_CREATE, WAY_ERROR)
               ? wanted.error
               : next.pthread_create(thread, attributes, start, argument);
}

/* For the address sanitizer, which goes down when it fails. */
int pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes)
{
    if (next._exit == NULL)
        find_all();
    in_glibc = true;
    int error = next.pthread_getattr_np(thread, attributes);
    in_glibc = false;
    return error;
}

/* --- Beginning and end -------------------------------------------------- */

/* In the build with sanitizers only. */
extern void __lsan_do_leak_check(void) __attribute__((weak));

/* A forked worker ends here, where nobody would look for leaks. */
void _exit(int status)
{
    atomic_store(&in_main, false);
    if (__lsan_do_leak_check != NULL)
        __lsan_do_leak_check();
    next._exit(status);
    for (;;)
        ; /* not reached, but the compiler cannot know */
}

static int number_of_error(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } errors[] = {
        {"EACCES", EACCES},
        {"EADDRNOTAVAIL", EADDRNOTAVAIL},
        {"EAGAIN", EAGAIN},
        {"ENOSYS", ENOSYS},
        {"ECONNREFUSED", ECONNREFUSED},
        {"ECONNRESET", ECONNRESET},
        {"EINTR", EINTR},
        {"EIO", EIO},
        {"EMFILE", EMFILE},
        {"ENETUNREACH", ENETUNREACH},
        {"ENOBUFS", ENOBUFS},
        {"ENOMEM", ENOMEM},
        {"ENOSPC", ENOSPC},
        {"EPERM", EPERM},
        {"EPIPE", EPIPE},
        {"EAI_AGAIN", EAI_AGAIN},
        {"EAI_MEMORY", EAI_MEMORY},
        {"EAI_NONAME", EAI_NONAME},
    };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (strcmp(errors[i].name, name) == 0)
            return errors[i].number;
    }
    return 0;
}

/* "read.socket:17:ECONNRESET", or "socket:1,3:EMFILE". False if it is no such
 * thing. */
static bool parse(const char *text)
{
    char name[24];
    char how[24];
    unsigned long number;
    unsigned long second = 0;
    char more = '\0';
    if (sscanf(text, "%23[^:]:%lu,%lu:%23[^+]%c", name, &number, &second, how,
               &more) < 4 &&
        sscanf(text, "%23[^:]:%lu:%23[^+]%c", name, &number, how, &more) < 3)
        return false;
    for (int i = 0; i < POINTS; i++) {
        if (strcmp(names[i], name) == 0)
            wanted.point = (enum point)i;
    }
    wanted.number = number;
    wanted.second = second;
    wanted.stays = more == '+';
    wanted.error = number_of_error(how);
    wanted.way = WAY_ERROR;
    if (strcmp(how, "short") == 0)
        wanted.way = WAY_SHORT;
    else if (wanted.error == EAGAIN && wanted.point <= SENDMSG)
        wanted.way = WAY_AGAIN;
    return wanted.point != POINTS &&
           (wanted.error != 0 || wanted.way == WAY_SHORT);
}

/* Maps what is counted. An environment that makes no sense ends the program:
 * better than a test that tests nothing. */
static void set_up(void)
{
    const char *file = getenv("TRIPTYCH_FAULT_PAGE");
    const char *fault = getenv("TRIPTYCH_FAULT");
    size_t size = POINTS * sizeof *page;
    if (file == NULL)
        return;
    int fd = next.open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd == -1 || ftruncate(fd, (off_t)size) == -1)
        abort();
    page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (page == MAP_FAILED || (fault != NULL && !parse(fault)))
        abort();
    for (size_t i = 0; i < POINTS; i++)
        strcpy(page[i].name, names[i]);
}

static int (*real_main)(int argc, char **argv, char **environment);

static int main_between(int argc, char **argv, char **environment)
{
    set_up();
    atomic_store(&in_main, true);
    int status = real_main(argc, argv, environment);
    atomic_store(&in_main, false);
    return status;
}

typedef int start_function(int (*program)(int, char **, char **), int argc,
                           char **argv, void (*init)(void), void (*fini)(void),
                           void (*at_exit)(void), void *stack);

int __libc_start_main(int (*program)(int, char **, char **), int argc,
                      char **argv, void (*init)(void), void (*fini)(void),
                      void (*at_exit)(void), void *stack);

/* What calls main; so we stand between. */
int __libc_start_main(int (*program)(int, char **, char **), int argc,
                      char **argv, void (*init)(void), void (*fini)(void),
                      void (*at_exit)(void), void *stack)
{
    start_function *start = dlsym(RTLD_NEXT, "__libc_start_main");
    find_all();
    real_main = program;
    return start(main_between, argc, argv, init, fini, at_exit, stack);
}
