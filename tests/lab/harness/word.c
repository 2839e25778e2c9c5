/* word: that a child has come to the end of its work. See word.h. */
#include "word.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOKS 5000 /* at a place, of 200 us: a second and more */

enum { GO_ON = 0 }; /* what no word is */

int word_make(struct word *word)
{
    int ends[2];
    const int on = 1;
    *word = (struct word){.parent = -1, .child = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -errno;
    word->parent = ends[0];
    word->child = ends[1];
    /* With each message the kernel says who has sent it. */
    if (setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
        int error = -errno;
        word_end(word);
        return error;
    }
    return 0;
}

/* --- In the child ---------------------------------------------------------*/

/* Asks; the answer, or GO_ON if there is none. The system call is made by
 * syscall(), which waits at the same place whether or not there are threads. */
static uint64_t ask(int end)
{
    uint64_t answer = GO_ON;
    long n = syscall(SYS_sendto, end, "?", 1, MSG_NOSIGNAL, NULL, 0);
    do {
        n = syscall(SYS_recvfrom, end, &answer, sizeof answer, 0, NULL, NULL);
    } while (n == -1 && errno == EINTR);
    return n == (long)sizeof answer ? answer : GO_ON;
}

/* From here on no handler of the work's runs: it could end the process before
 * what a sanitizer looks for at the end is found. */
static void block_signals(void)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
}

/* One place asks twice: the parent compares where. */
void word_work(struct word *word, void (*work)(void *context), void *context)
{
    const pid_t self = getpid();
    int end = word->child;
    (void)close(word->parent);
    for (int time = 0; time < 2; time++) {
        uint64_t answer = ask(end);
        if (time == 0) {
            work(context);
            block_signals();
        }
        if (getpid() != self)
            _exit(0);
        if (answer != GO_ON)
            (void)send(end, &answer, sizeof answer, MSG_NOSIGNAL);
    }
    (void)close(end);
}

/* --- In the parent --------------------------------------------------------*/

void word_begin(struct word *word, pid_t child)
{
    (void)close(word->child);
    word->child = -1;
    word->pid = child;
    /* Only now: the child is not to have it in its memory. Without it there
     * is no word, and nothing passes. */
    if (getrandom(&word->secret, sizeof word->secret, 0) !=
        (ssize_t)sizeof word->secret)
        word->secret = GO_ON;
}

void word_end(struct word *word)
{
    (void)close(word->parent);
    (void)close(word->child);
    word->parent = word->child = -1;
}

static ssize_t read_file(pid_t pid, const char *name, void *to, size_t size,
                         off_t from)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return -1;
    ssize_t n = pread(fd, to, size, from);
    (void)close(fd);
    return n;
}

/* What the call that `place` speaks of returns to: the top of the stack, where
 * a call leaves it there. 0: it is not known. */
static unsigned long returns_to(pid_t pid, const char *place)
{
    unsigned long back = 0;
#if defined(__x86_64__)
    unsigned long stack, at;
    if (sscanf(place, "%*s %*s %*s %*s %*s %*s %*s %lx %lx", &stack, &at) == 2)
        (void)read_file(pid, "mem", &back, sizeof back, (off_t)stack);
#else
    (void)pid;
    (void)place;
#endif
    return back;
}

/* Where the child waits: as /proc has it, "45 0x5 ... STACK PLACE\n". False
 * as long as it does not wait for the answer. Where /proc does not say, all
 * places are the same. */
static bool look(pid_t pid, char *place, size_t size)
{
    char *end = place;
    ssize_t n = read_file(pid, "syscall", place, size - 1, 0);
    place[n > 0 ? n : 0] = '\0';
    return n < 0 || (strtol(place, &end, 10) == SYS_recvfrom && end != place);
}

static void pause_a_little(void)
{
    const struct timespec pause = {.tv_nsec = 200 * 1000};
    (void)nanosleep(&pause, NULL);
}

/* False by an emulator: what /proc says of this very reading is the number of
 * the machine below. */
static bool has_our_numbers(void)
{
    char own[256] = "";
    char *end = own;
    (void)read_file(getpid(), "syscall", own, sizeof own - 1, 0);
    return strtol(own, &end, 10) == SYS_pread64 || end == own;
}

/* The child has asked, and goes to wait for the answer. By an emulator, where
 * nobody is graded, that is not looked at. */
static bool is_at_its_place(struct word *word)
{
    char place[sizeof word->place];
    if (!has_our_numbers())
        return true;
    for (int i = 0; i < LOOKS; i++) {
        if (!look(word->pid, place, sizeof place)) {
            pause_a_little();
            continue;
        }
        if (!word->began) {
            memcpy(word->place, place, sizeof place);
            word->returning = returns_to(word->pid, place);
            return true;
        }
        if (strcmp(place, word->place) == 0 &&
            returns_to(word->pid, place) == word->returning)
            return true;
        pause_a_little(); /* a signal may have called it away */
    }
    return false;
}

static void answer(struct word *word)
{
    uint64_t said = word->began ? word->secret : GO_ON;
    if (word->told || !is_at_its_place(word)) {
        (void)shutdown(word->parent, SHUT_RDWR); /* so that it does not wait */
        return;
    }
    word->told = word->began;
    word->began = true;
    (void)send(word->parent, &said, sizeof said, MSG_NOSIGNAL);
}

/* One message, and who has sent it. Its length; 0 at the end. */
static ssize_t receive(int end, uint64_t *said, pid_t *who)
{
    union {
        char room[CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr aligned;
    } control;
    struct iovec part = {said, sizeof *said};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t n = recvmsg(end, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    *who = 0;
    struct cmsghdr *first = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (first != NULL && first->cmsg_type == SCM_CREDENTIALS) {
        struct ucred sender;
        memcpy(&sender, CMSG_DATA(first), sizeof sender);
        *who = sender.pid;
    }
    return n;
}

enum word_heard word_hear(struct word *word, int ms)
{
    struct pollfd waited = {.fd = word->parent, .events = POLLIN};
    uint64_t said = 0;
    pid_t who = 0;
    if (poll(&waited, 1, ms) <= 0)
        return WORD_NOTHING;
    ssize_t n = receive(word->parent, &said, &who);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        return WORD_GONE;
    if (who != word->pid)
        return WORD_SOMETHING;
    if (n == 1)
        answer(word);
    else if (n == (ssize_t)sizeof said)
        word->kept = word->told && said == word->secret && said != GO_ON;
    return WORD_SOMETHING;
}
