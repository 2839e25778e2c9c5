/*
 * triptych-floor: the least that a client can do, for others to be measured
 * against: one epoll loop, non-blocking sockets, and a count of bytes.
 *
 *     triptych-floor JOBS LIST
 *
 * LIST has a URL a line, all to one http://ADDRESS:PORT. JOBS requests are in
 * flight at once, each on a connection that is kept if the server keeps it.
 * Nothing is parsed but the end of the head, Content-Length and the status;
 * nothing is checked, delivered, limited or retried: any surprise ends it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK ((size_t)512 * 1024)

/* Of a large body epoll tells when so much is there: a client that is faster
 * than the server would else be woken for each piece of it. */
#define BATCH 131072

/* Requests begun in one turn; then those that are there may go on. */
#define SHARE 64

struct slot {
    int fd;
    char *path; /* to be asked for when it is connected; NULL: it is */
    bool in_body;
    uint64_t left;   /* of the body */
    int batch;       /* what epoll waits for: SO_RCVLOWAT */
    size_t held;     /* bytes of an incomplete head */
    char head[2048]; /* ... these */
};

static struct sockaddr_in server;
static char authority[64]; /* ADDRESS:PORT */
static char *list;         /* the rest of it */
static uint64_t bytes;
static uint64_t finished;
static char *chunk;
static int epoll_fd;
static int open_count; /* connections */

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "triptych-floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- The list ----------------------------------------------------------- */

static void read_list(const char *path)
{
    size_t used = 0;
    size_t size = CHUNK;
    ssize_t n = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    list = malloc(size + 1);
    while (fd != -1 && list != NULL && n > 0) {
        n = read(fd, list + used, size - used);
        used += n > 0 ? (size_t)n : 0;
        if (used == size)
            list = realloc(list, (size *= 2) + 1);
    }
    if (fd == -1 || list == NULL || n == -1)
        give_up(path);
    (void)close(fd);
    list[used] = '\0';
}

/* The next URL's path, with a NUL behind it; NULL: there is none. */
static char *next_path(void)
{
    char *line = list;
    char *end = strchr(line, '\n');
    if (end == NULL)
        return NULL;
    *end = '\0';
    list = end + 1;
    char *path = strchr(line + strlen("http://"), '/');
    return path;
}

static void find_server(void)
{
    char address[50];
    int port;
    if (sscanf(list, "http://%49[0-9.]:%d/", address, &port) != 2 ||
        inet_pton(AF_INET, address, &server.sin_addr) != 1) {
        errno = EINVAL;
        give_up("the first URL");
    }
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)port);
    snprintf(authority, sizeof authority, "%s:%d", address, port);
}

/* --- One request after the other ---------------------------------------- */

static void dial(struct slot *slot)
{
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = slot};
    slot->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (slot->fd == -1 ||
        (connect(slot->fd, (struct sockaddr *)&server, sizeof server) == -1 &&
         errno != EINPROGRESS) ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, slot->fd, &event) == -1)
        give_up("connect");
    slot->batch = 1;
    open_count++;
}

static void hang_up(struct slot *slot)
{
    (void)close(slot->fd);
    slot->fd = -1;
    open_count--;
}

static void ask(struct slot *slot, const char *path)
{
    char request[1024];
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, authority);
    if (send(slot->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        give_up("send");
    slot->in_body = false;
    slot->held = 0;
}

static void on_connected(struct slot *slot)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = slot};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, slot->fd, &event) == -1)
        give_up("epoll");
    ask(slot, slot->path);
    slot->path = NULL;
}

/* Sends the next request, or closes: there is none. */
static void send_next(struct slot *slot)
{
    char *path = next_path();
    if (path == NULL) {
        if (slot->fd != -1)
            hang_up(slot);
        return;
    }
    if (slot->fd != -1) {
        ask(slot, path);
        return;
    }
    slot->path = path;
    dial(slot);
}

/* Takes the head in; returns how many bytes of `p` belong to it. */
static size_t take_head(struct slot *slot, const char *p, size_t n)
{
    size_t room = sizeof slot->head - 1 - slot->held;
    size_t part = n < room ? n : room;
    memcpy(slot->head + slot->held, p, part);
    slot->head[slot->held + part] = '\0';
    const char *end = strstr(slot->head, "\r\n\r\n");
    if (end == NULL) {
        slot->held += part;
        return n;
    }
    const char *length = strcasestr(slot->head, "\r\nContent-Length:");
    errno = EPROTO;
    if (length == NULL || strncmp(slot->head, "HTTP/1.1 200", 12) != 0)
        give_up("a response");
    slot->left = strtoull(length + 17, NULL, 10);
    slot->in_body = true;
    return (size_t)(end + 4 - slot->head) - slot->held;
}

static void set_batch(struct slot *slot)
{
    int batch = slot->left >= BATCH ? BATCH : 1;
    if (batch != slot->batch && setsockopt(slot->fd, SOL_SOCKET, SO_RCVLOWAT,
                                           &batch, sizeof batch) == -1)
        give_up("SO_RCVLOWAT");
    slot->batch = batch;
}

static void on_readable(struct slot *slot)
{
    ssize_t got = recv(slot->fd, chunk, CHUNK, MSG_DONTWAIT);
    if (got == -1 && errno == EAGAIN)
        return;
    if (got <= 0)
        give_up("recv");
    size_t n = (size_t)got;
    size_t head = slot->in_body ? 0 : take_head(slot, chunk, n);
    bytes += n - head;
    if (slot->in_body) {
        slot->left -= n - head;
        set_batch(slot);
        if (slot->left == 0) {
            finished++;
            if (strcasestr(slot->head, "\nConnection: close") != NULL)
                hang_up(slot);
            send_next(slot);
        }
    }
}

int main(int argc, char **argv)
{
    struct epoll_event events[256];
    int jobs = argc == 3 ? atoi(argv[1]) : 0;
    bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
    if (jobs < 1) {
        fputs("Usage: triptych-floor JOBS LIST\n"
              "Get the URLs of the file LIST, JOBS at once, and count bytes: "
              "what triptych-bench\nmeasures against. See "
              "triptych-floor(1).\n",
              help ? stdout : stderr);
        return help ? 0 : 2;
    }
    read_list(argv[2]);
    find_server();
    chunk = malloc(CHUNK);
    struct slot *slots = calloc((size_t)jobs, sizeof *slots);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (chunk == NULL || slots == NULL || epoll_fd == -1)
        give_up("start");
    int begun = 0;
    while (begun < jobs || open_count > 0) {
        for (int i = 0; i < SHARE && begun < jobs; i++, begun++) {
            slots[begun].fd = -1;
            send_next(&slots[begun]);
        }
        int n = epoll_wait(epoll_fd, events, 256, begun < jobs ? 0 : -1);
        for (int i = 0; i < n; i++) {
            struct slot *slot = events[i].data.ptr;
            if (slot->path != NULL)
                on_connected(slot);
            else
                on_readable(slot);
        }
    }
    printf("%llu requests, %llu bytes\n", (unsigned long long)finished,
           (unsigned long long)bytes);
    return 0;
}
