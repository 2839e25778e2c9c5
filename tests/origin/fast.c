/* fast: a server that answers from memory. See fast.h. */
#include "fast.h"

#include "content.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK       65536
#define CLIENTS     65536 /* by their descriptors */
#define EVENTS_MOST 256

/* How long to rest when there is no descriptor for whoever comes next. */
#define REST_MS 20

static char answer[CHUNK + 200]; /* head and body */
static size_t answer_size;

/* How much of the empty line that ends a head stood at the end of what was
 * read last. */
static unsigned char matched[CLIENTS];

static void make_answer(size_t size)
{
    int n = snprintf(answer, sizeof answer,
                     "HTTP/1.1 200 OK\r\nServer: triptych-origin\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     size);
    answer_size = (size_t)n;
    while (size > 0) {
        const char *at;
        size_t part = content_at(0, answer_size - (size_t)n, size, &at);
        memcpy(answer + answer_size, at, part);
        answer_size += part;
        size -= part;
    }
}

static unsigned count_heads(const char *p, size_t n, unsigned char *match)
{
    static const char end[] = "\r\n\r\n";
    unsigned count = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] == end[*match])
            ++*match;
        else
            *match = p[i] == '\r';
        if (*match == 4) {
            *match = 0;
            count++;
        }
    }
    return count;
}

static void send_statistics(int fd, struct statistics *statistics)
{
    char body[60];
    char text[200];
    int n = snprintf(body, sizeof body, "{\"requests\": %llu}\n",
                     atomic_load(&statistics->requests));
    n = snprintf(text, sizeof text,
                 "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                 "Content-Length: %d\r\n\r\n%s",
                 n, body);
    (void)send(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Reads what there is and answers it. False: the client is done with, and to
 * be closed. */
static bool serve_client(int fd, struct statistics *statistics)
{
    static char chunk[CHUNK];
    ssize_t n = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n <= 0)
        return n == -1 && (errno == EAGAIN || errno == EINTR);
    unsigned heads = count_heads(chunk, (size_t)n, &matched[fd]);
    atomic_fetch_add(&statistics->requests, heads);
    if (heads == 1 && strncmp(chunk, "GET /stats ", 11) == 0) {
        send_statistics(fd, statistics);
        return false;
    }
    while (heads-- > 0) {
        if (send(fd, answer, answer_size, MSG_NOSIGNAL | MSG_DONTWAIT) !=
            (ssize_t)answer_size)
            return false;
    }
    return true;
}

static void accept_clients(int listener, int epoll_fd)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) != -1) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd >= CLIENTS ||
            epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == -1)
            (void)close(fd);
        else
            matched[fd] = 0;
    }
    if (errno == EMFILE || errno == ENFILE)
        (void)poll(NULL, 0, REST_MS);
}

int fast_serve(int listener, int signal_fd, size_t size,
               struct statistics *statistics)
{
    struct epoll_event events[EVENTS_MOST];
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    struct epoll_event signals = {.events = EPOLLIN, .data.fd = signal_fd};
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd == -1 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event) == -1 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, signal_fd, &signals) == -1)
        return 3;
    make_answer(size);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, EVENTS_MOST, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == signal_fd)
                return 0;
            if (fd == listener)
                accept_clients(listener, epoll_fd);
            else if (!serve_client(fd, statistics))
                (void)close(fd);
        }
    }
}
