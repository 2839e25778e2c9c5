/* loop: an event loop that a test turns by hand. See loop.h. */
#include "loop.h"

#include "lab.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>

void (*loop_before_sleep)(int timeout_ms);
void (*loop_after_sleep)(void);
bool loop_interrupts;

static struct event_base *turned; /* by loop_settles */
static unsigned turns;
static bool asleep;
static int epoll_of_sleeper;
static int spins; /* of a loop that somebody else turns */

#define SPINS 100000

/* Sleeps bit by bit, for what is looked for may come about meanwhile. */
static int sleep_watched(int epoll, struct epoll_event *events, int size,
                         int timeout)
{
    for (int left = timeout; left != 0;) {
        loop_before_sleep(timeout);
        if (loop_interrupts) {
            loop_interrupts = false;
            errno = EINTR;
            return -1;
        }
        int part = left == -1 || left > 5 ? 5 : left;
        int n = epoll_pwait(epoll, events, size, part, NULL);
        if (n != 0)
            return n;
        left -= left == -1 ? 0 : part;
    }
    loop_after_sleep();
    return 0;
}

/* In the place of the system's, for libevent as well: the program's own name
 * comes first. (epoll_pwait without a mask is the same call.) */
int epoll_wait(int epoll, struct epoll_event *events, int size, int timeout)
{
    int n = epoll_pwait(epoll, events, size, 0, NULL);
    if (turned != NULL) {
        asleep = n == 0 && timeout != 0;
        turns++;
        if (asleep || turns >= LOOP_TURNS)
            (void)event_base_loopbreak(turned);
        return n;
    }
    spins = n == 0 && timeout == 0 ? spins + 1 : 0;
    lab_check(loop_before_sleep == NULL || spins < SPINS,
              "something is ready all the time and nobody deals with it, so "
              "the loop never sleeps: one CPU is at 100%",
              "connection_pause_bufferevent, stream_writable: what is still "
              "watched, and what is left where",
              "the loop went round %d times without sleeping, although "
              "nothing happened",
              SPINS);
    if (n != 0 || timeout == 0)
        return n;
    if (loop_before_sleep == NULL)
        return epoll_pwait(epoll, events, size, timeout, NULL);
    epoll_of_sleeper = epoll;
    return sleep_watched(epoll, events, size, timeout);
}

unsigned loop_watches(int fd)
{
    char path[60], line[200];
    unsigned watched = 0;
    (void)snprintf(path, sizeof path, "/proc/self/fdinfo/%d",
                   epoll_of_sleeper);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        lab_broken("%s: %s", path, strerror(errno));
    while (fgets(line, sizeof line, file) != NULL) {
        int of;
        unsigned events;
        if (sscanf(line, "tfd: %d events: %x", &of, &events) == 2 &&
            (of == fd || fd == -1))
            watched |= events;
    }
    (void)fclose(file);
    return watched;
}

bool loop_settles(struct event_base *base)
{
    turned = base;
    turns = 0;
    asleep = false;
    (void)event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
    turned = NULL;
    return asleep;
}

int listen_anywhere(unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) == -1 ||
        listen(fd, 100) == -1 ||
        getsockname(fd, (struct sockaddr *)&address, &length) == -1)
        lab_broken("no socket to listen on: %s", strerror(errno));
    *port = ntohs(address.sin_port);
    return fd;
}

static bool is_acknowledged(void *context)
{
    int waiting = 0;
    return ioctl(*(int *)context, SIOCOUTQ, &waiting) == 0 && waiting == 0;
}

void wait_arrived(int fd)
{
    if (!lab_eventually(is_acknowledged, &fd))
        lab_broken("what was sent over loopback does not arrive");
}

void send_all(int fd, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent == -1 && errno != EINTR)
            lab_broken("cannot send to the program that is tested: %s",
                       strerror(errno));
        p += sent > 0 ? sent : 0;
        n -= sent > 0 ? (size_t)sent : 0;
    }
}
