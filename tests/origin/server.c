/* server: the practice server's connections. See server.h. */
#include "server.h"

#include "content.h"
#include "request.h"
#include "stream.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/sockios.h>

#define HEAD_LIMIT   65536
#define RATE_TICK_MS 20

/* How far the client at hand is.
 *
 *     HEAD --> BODY --> DELAY --> BARRIER --> DRIP --> SENDING --> HEAD
 *                \-> ECHO --------------------------------------/   \-> ENDING
 */
enum phase {
    HEAD,    /* the request's head is not complete */
    BODY,    /* its body is being read */
    ECHO,    /* ... and sent back */
    DELAY,   /* waits for the time that ?delay= asks for */
    BARRIER, /* waits for other requests */
    DRIP,    /* sends the head byte by byte */
    SENDING, /* sends content */
    ENDING   /* waits until all is sent, to close or reset */
};

struct client {
    struct server *server;
    struct bufferevent *bev;
    struct stream *out;
    struct stream_waiter waiter;
    struct event timer;
    enum phase phase;
    bool only_echo; /* TCP echo: there is no protocol */
    bool counted;   /* in flight */
    bool resets;    /* ENDING is to be a reset */
    struct request request;
    uint64_t left;    /* of the request's body */
    uint64_t in_tick; /* ... bytes read since the last tick of its rate */
    uint64_t given;   /* bytes given to `out`, of all responses */
    uint64_t counted_sent;
    uint64_t ticket;  /* of the barrier */
    uint64_t total;   /* content bytes of the response */
    uint64_t offset;  /* ... sent so far */
    char head[1024];  /* of the response */
    size_t head_length;
    size_t head_sent; /* of a drip */
};

static void on_read(struct bufferevent *bev, void *arg);
static void send_content(struct client *c);

/* --- Counting ----------------------------------------------------------- */

static void raise_peak(atomic_llong *peak, long long value)
{
    long long seen = atomic_load(peak);
    while (seen < value && !atomic_compare_exchange_weak(peak, &seen, value))
        ;
}

static void count_in_flight(struct client *c, bool in_flight)
{
    struct statistics *statistics = c->server->statistics;
    if (c->counted == in_flight)
        return;
    c->counted = in_flight;
    if (in_flight)
        raise_peak(&statistics->peak_in_flight,
                   atomic_fetch_add(&statistics->in_flight, 1) + 1);
    else
        atomic_fetch_sub(&statistics->in_flight, 1);
}

static void count_sent(struct client *c)
{
    uint64_t sent = c->given - stream_buffered(c->out);
    atomic_fetch_add(&c->server->statistics->sent, sent - c->counted_sent);
    c->counted_sent = sent;
}

/* What lies in the kernel between us and all clients: in our sockets, not yet
 * acknowledged, and in theirs, not yet read. Theirs are on this machine. */
static unsigned long long unread_bytes(unsigned port)
{
    static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};
    unsigned long long unread = 0;
    char line[400];
    for (size_t i = 0; i < 2; i++) {
        FILE *file = fopen(tables[i], "re");
        while (file != NULL && fgets(line, sizeof line, file) != NULL) {
            unsigned local;
            unsigned remote;
            unsigned queued_out;
            unsigned queued_in;
            if (sscanf(line, " %*d: %*[^:]:%x %*[^:]:%x %*x %x:%x", &local,
                       &remote, &queued_out, &queued_in) != 4)
                continue;
            if (local == port && remote != 0)
                unread += queued_out;
            if (remote == port)
                unread += queued_in;
        }
        if (file != NULL)
            (void)fclose(file);
    }
    return unread;
}

/* --- The end of a client ------------------------------------------------ */

static void free_client(struct client *c)
{
    count_sent(c);
    count_in_flight(c, false);
    atomic_fetch_sub(&c->server->statistics->open, 1);
    event_del(&c->timer);
    stream_cancel(c->out, &c->waiter);
    stream_free(c->out);
    bufferevent_free(c->bev); /* closes the socket as well */
    free(c);
}

static void reset_client(struct client *c)
{
    struct linger abrupt = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(bufferevent_getfd(c->bev), SOL_SOCKET, SO_LINGER, &abrupt,
                     sizeof abrupt);
    free_client(c);
}

static void start_timer(struct client *c, uint64_t ms)
{
    struct timeval time = {.tv_sec = (time_t)(ms / 1000),
                           .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    if (event_add(&c->timer, &time) != 0)
        event_active(&c->timer, EV_TIMEOUT, 1);
}

/* All is sent, as far as the kernel goes. A reset drops what the peer's kernel
 * does not have yet, so it waits for that. */
static void on_flushed(void *arg, int error)
{
    struct client *c = arg;
    int queued = 0;
    if (error == 0 && c->resets &&
        ioctl(bufferevent_getfd(c->bev), SIOCOUTQ, &queued) == 0 &&
        queued > 0) {
        start_timer(c, 1);
        return;
    }
    if (c->resets)
        reset_client(c);
    else
        free_client(c);
}

/* Closes when everything is sent. */
static void end_client(struct client *c, bool resets)
{
    c->phase = ENDING;
    c->resets = resets;
    (void)bufferevent_disable(c->bev, EV_READ);
    stream_cancel(c->out, &c->waiter);
    c->waiter = (struct stream_waiter){.done = on_flushed, .arg = c};
    stream_close(c->out);
    int error = stream_wait_closed(c->out, &c->waiter);
    if (error != STREAM_WAITS)
        on_flushed(c, error);
}

/* --- Sending ------------------------------------------------------------ */

/* Writes, and drains with `done`. True: go on; false: `done` will be called,
 * or the client is gone. */
static bool put(struct client *c, const struct iovec *parts, int n,
                void (*done)(void *arg, int error))
{
    for (int i = 0; i < n; i++)
        c->given += parts[i].iov_len;
    int error = stream_writev(c->out, parts, n);
    count_sent(c);
    c->waiter = (struct stream_waiter){.done = done, .arg = c};
    if (error == 0)
        error = stream_drain(c->out, &c->waiter);
    if (error < 0)
        free_client(c);
    return error == 0;
}

static void next_request(struct client *c)
{
    count_in_flight(c, false);
    if (!c->request.keep_alive) {
        end_client(c, false);
        return;
    }
    c->phase = HEAD;
    (void)bufferevent_enable(c->bev, EV_READ);
    if (evbuffer_get_length(bufferevent_get_input(c->bev)) > 0)
        bufferevent_trigger(c->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
}

static void on_drained(void *arg, int error)
{
    struct client *c = arg;
    if (error != 0)
        free_client(c);
    else
        send_content(c);
}

/* What may be sent now, of the content, in one piece. */
static size_t next_piece(const struct client *c)
{
    const struct request *r = &c->request;
    uint64_t n = c->total - c->offset;
    uint64_t most = 65536;
    if (r->rate != REQUEST_NONE)
        most = r->rate * RATE_TICK_MS / 1000 > 0
                   ? r->rate * RATE_TICK_MS / 1000
                   : 1;
    if (r->chunk != REQUEST_NONE && r->chunk < most && r->chunk > 0)
        most = r->chunk;
    if (r->fin != REQUEST_NONE && r->fin - c->offset < n)
        n = r->fin - c->offset;
    if (r->rst != REQUEST_NONE && r->rst - c->offset < n)
        n = r->rst - c->offset;
    return (size_t)(n < most ? n : most);
}

/* At the end of the content, or at the place where it is to break off. */
static void content_sent(struct client *c)
{
    const struct request *r = &c->request;
    struct iovec last = {(void *)"0\r\n\r\n", 5};
    if (r->rst != REQUEST_NONE && r->rst <= c->offset) {
        end_client(c, true);
    } else if (r->fin != REQUEST_NONE && r->fin <= c->offset) {
        end_client(c, false);
    } else if (r->chunk != REQUEST_NONE) {
        c->request.chunk = REQUEST_NONE;
        if (put(c, &last, 1, on_drained))
            next_request(c);
    } else {
        next_request(c);
    }
}

/* Sends content until the stream says "wait", or the rate does, or it is all
 * sent. */
static void send_content(struct client *c)
{
    const struct request *r = &c->request;
    char size[24];
    size_t n;
    c->phase = SENDING;
    while ((n = next_piece(c)) > 0) {
        const char *at;
        n = content_at(r->seed, c->offset, n, &at);
        struct iovec parts[] = {
            {size, 0}, {(void *)at, n}, {(void *)"\r\n", 0}};
        if (r->chunk != REQUEST_NONE) {
            parts[0].iov_len =
                (size_t)snprintf(size, sizeof size, "%zx\r\n", n);
            parts[2].iov_len = 2;
        }
        c->offset += n;
        if (!put(c, parts, 3, on_drained))
            return;
        if (r->rate != REQUEST_NONE && c->offset < c->total) {
            start_timer(c, r->rate * RATE_TICK_MS / 1000 > 0 ? RATE_TICK_MS
                                                            : 1000 / r->rate);
            return;
        }
    }
    content_sent(c);
}

static const char *reason(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 204:
        return "No Content";
    case 302:
        return "Found";
    case 404:
        return "Not Found";
    case 413:
        return "Content Too Large";
    case 503:
        return "Service Unavailable";
    default:
        return "Status";
    }
}

/* Where ?redirect= leads: a number counts down on the same URL. */
static void print_location(const struct request *r, char *out, size_t size)
{
    char *end;
    unsigned long count = strtoul(r->redirect, &end, 10);
    if (*end != '\0')
        snprintf(out, size, "Location: %s\r\n", r->redirect);
    else if (count > 1)
        snprintf(out, size, "Location: %s?redirect=%lu\r\n", r->path,
                 count - 1);
    else
        snprintf(out, size, "Location: %s\r\n", r->path);
}

static void make_head(struct client *c)
{
    struct request *r = &c->request;
    char location[600] = "";
    char length[60] = "";
    unsigned status = (unsigned)r->status;
    if (r->redirect[0] != '\0' && strcmp(r->redirect, "0") != 0) {
        status = r->status == 200 ? 302 : status;
        print_location(r, location, sizeof location);
        c->total = 0;
    }
    if (status == 204 || status == 304)
        c->total = 0;
    else if (r->chunk != REQUEST_NONE && c->total > 0)
        snprintf(length, sizeof length, "Transfer-Encoding: chunked\r\n");
    else if (!r->close)
        snprintf(length, sizeof length, "Content-Length: %llu\r\n",
                 (unsigned long long)c->total);
    if (c->total == 0)
        r->chunk = REQUEST_NONE;
    if (r->close)
        r->keep_alive = false;
    int n = snprintf(c->head, sizeof c->head,
                     "HTTP/1.1 %u %s\r\nServer: triptych-origin\r\n%s%s%s\r\n",
                     status, reason(status), length, location,
                     r->keep_alive ? "" : "Connection: close\r\n");
    c->head_length = (size_t)n < sizeof c->head ? (size_t)n : 0;
    c->head_sent = 0;
    if (r->head)
        c->total = 0;
}

/* Sends the head, and as much content as comes with it. */
static void send_head(struct client *c)
{
    const struct request *r = &c->request;
    const char *at = NULL;
    size_t n = 0;
    /* The usual case - small, plain - is one system call. */
    bool plain = r->chunk == REQUEST_NONE && r->rate == REQUEST_NONE;
    if (plain && (n = next_piece(c)) > 0)
        n = content_at(r->seed, 0, n, &at);
    struct iovec parts[] = {{c->head, c->head_length}, {(void *)at, n}};
    c->offset = n;
    if (put(c, parts, n > 0 ? 2 : 1, on_drained))
        send_content(c);
}

/* One byte of the head, each header_drip_ms. */
static void drip_head(struct client *c)
{
    struct iovec byte = {c->head + c->head_sent, 1};
    c->phase = DRIP;
    if (c->head_sent == c->head_length) {
        send_content(c);
        return;
    }
    c->head_sent++;
    if (put(c, &byte, 1, on_drained))
        start_timer(c, c->request.header_drip_ms);
}

static void send_garbage(struct client *c)
{
    const char *at;
    size_t n = c->request.garbage < 65536 ? (size_t)c->request.garbage : 65536;
    n = content_at(1, 0, n, &at);
    struct iovec part = {(void *)at, n};
    if (put(c, &part, 1, on_drained))
        end_client(c, false);
}

/* --- Answering ---------------------------------------------------------- */

static void answer_now(struct client *c)
{
    c->offset = 0;
    if (c->request.garbage != REQUEST_NONE) {
        send_garbage(c);
        return;
    }
    make_head(c);
    if (c->request.header_drip_ms != REQUEST_NONE)
        drip_head(c);
    else
        send_head(c);
}

/* The requests of a barrier come in groups of N; a group is let through when
 * it is full. */
static bool barrier_is_open(const struct client *c)
{
    uint64_t group = c->request.barrier > 0 ? c->request.barrier : 1;
    uint64_t needed = (c->ticket / group + 1) * group;
    return atomic_load(&c->server->statistics
                            ->arrived[c->request.key % SERVER_BARRIERS]) >=
           needed;
}

/* The others may be in another process, so each asks again and again; of many
 * each asks more rarely, for the server has to hear the rest of them. */
static void wait_for_barrier(struct client *c)
{
    uint64_t ms = 1 + c->request.barrier / 500;
    if (barrier_is_open(c)) {
        (void)bufferevent_disable(c->bev, EV_READ);
        answer_now(c);
    } else {
        start_timer(c, ms < 50 ? ms : 50);
    }
}

static void after_delay(struct client *c)
{
    if (c->request.barrier == REQUEST_NONE) {
        answer_now(c);
        return;
    }
    c->ticket =
        atomic_fetch_add(&c->server->statistics
                              ->arrived[c->request.key % SERVER_BARRIERS],
                         1);
    c->phase = BARRIER;
    (void)bufferevent_enable(c->bev, EV_READ); /* to hear that it leaves */
    wait_for_barrier(c);
}

/* The request is complete: answers it, in its time. */
static void answer(struct client *c)
{
    (void)bufferevent_disable(c->bev, EV_READ);
    c->phase = DELAY;
    if (c->request.delay_ms > 0)
        start_timer(c, c->request.delay_ms);
    else
        after_delay(c);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct client *c = arg;
    (void)fd;
    (void)what;
    switch (c->phase) {
    case DELAY:
        after_delay(c);
        break;
    case BARRIER:
        wait_for_barrier(c);
        break;
    case DRIP:
        drip_head(c);
        break;
    case SENDING:
        send_content(c);
        break;
    case ENDING:
        on_flushed(c, 0);
        break;
    case BODY: /* a slow reader of uploads goes on */
        c->in_tick = 0;
        (void)bufferevent_enable(c->bev, EV_READ);
        on_read(c->bev, c);
        break;
    case HEAD:
    case ECHO:
        break;
    }
}

/* Answers with a small text, whatever the query says about content. */
static void answer_text(struct client *c, unsigned status, const char *type,
                        const char *text)
{
    (void)bufferevent_disable(c->bev, EV_READ);
    c->offset = c->total = 0;
    int n = snprintf(c->head, sizeof c->head,
                     "HTTP/1.1 %u %s\r\nServer: triptych-origin\r\n"
                     "Content-Type: %s\r\nContent-Length: %zu\r\n%s\r\n",
                     status, reason(status), type, strlen(text),
                     c->request.keep_alive ? "" : "Connection: close\r\n");
    struct iovec parts[] = {
        {c->head, (size_t)n},
        {(void *)text, c->request.head ? 0 : strlen(text)}};
    if (put(c, parts, 2, on_drained))
        next_request(c);
}

static void answer_statistics(struct client *c)
{
    struct statistics *s = c->server->statistics;
    char text[512];
    snprintf(text, sizeof text,
             "{\"requests\": %llu, \"connections\": %llu, \"open\": %lld, "
             "\"peak_connections\": %lld, \"in_flight\": %lld, "
             "\"peak_in_flight\": %lld, \"sent\": %llu, \"received\": %llu, "
             "\"unread\": %llu}\n",
             atomic_load(&s->requests), atomic_load(&s->connections),
             atomic_load(&s->open), atomic_load(&s->peak_open),
             atomic_load(&s->in_flight), atomic_load(&s->peak_in_flight),
             atomic_load(&s->sent), atomic_load(&s->received),
             unread_bytes(c->server->http_port));
    answer_text(c, 200, "application/json", text);
}

/* --- Receiving ---------------------------------------------------------- */

static void on_echo_drained(void *arg, int error)
{
    struct client *c = arg;
    if (error != 0) {
        free_client(c);
        return;
    }
    (void)bufferevent_enable(c->bev, EV_READ);
    on_read(c->bev, c);
}

/* Sends back what has come. False if that must wait, or the client is gone. */
static bool echo(struct client *c)
{
    struct evbuffer *input = bufferevent_get_input(c->bev);
    struct evbuffer_iovec part;
    while (evbuffer_peek(input, -1, NULL, &part, 1) > 0) {
        struct iovec piece = {part.iov_base, part.iov_len};
        if (!c->only_echo && piece.iov_len > c->left)
            piece.iov_len = (size_t)c->left;
        if (piece.iov_len == 0)
            break;
        c->left -= c->only_echo ? 0 : piece.iov_len;
        (void)bufferevent_disable(c->bev, EV_READ);
        c->given += piece.iov_len;
        int error = stream_writev(c->out, &piece, 1);
        evbuffer_drain(input, piece.iov_len);
        c->waiter =
            (struct stream_waiter){.done = on_echo_drained, .arg = c};
        if (error == 0)
            error = stream_drain(c->out, &c->waiter);
        if (error < 0)
            free_client(c);
        if (error != 0)
            return false;
        (void)bufferevent_enable(c->bev, EV_READ);
    }
    return true;
}

/* Bytes of an upload that may be read before the next tick. */
static uint64_t budget(const struct client *c)
{
    const struct request *r = &c->request;
    if (r->rate == REQUEST_NONE || strcmp(r->path, "/sink") != 0)
        return c->left;
    uint64_t most = r->rate * RATE_TICK_MS / 1000 + 1 - c->in_tick;
    return most < c->left ? most : c->left;
}

/* Reads an upload away, at the rate that was asked for. True when it is all
 * read, or enough for an early answer. */
static bool swallow(struct client *c)
{
    struct evbuffer *input = bufferevent_get_input(c->bev);
    uint64_t n = evbuffer_get_length(input);
    if (n > budget(c))
        n = budget(c);
    evbuffer_drain(input, (size_t)n);
    c->left -= n;
    c->in_tick += n;
    while (n > 0 && budget(c) > 0 && evbuffer_get_length(input) == 0) {
        /* What libevent has not read yet: on TCP, MSG_TRUNC drops it. */
        ssize_t dropped = recv(bufferevent_getfd(c->bev), NULL,
                               (size_t)budget(c), MSG_TRUNC | MSG_DONTWAIT);
        if (dropped <= 0)
            break;
        n += (uint64_t)dropped;
        c->left -= (uint64_t)dropped;
        c->in_tick += (uint64_t)dropped;
    }
    atomic_fetch_add(&c->server->statistics->received, n);
    uint64_t read = c->request.length - c->left;
    if (c->left == 0 ||
        (c->request.early != REQUEST_NONE && read >= c->request.early))
        return true;
    if (budget(c) == 0) {
        (void)bufferevent_disable(c->bev, EV_READ);
        start_timer(c, RATE_TICK_MS);
    }
    return false;
}

/* The body is read: what is wanted? */
static void dispatch(struct client *c)
{
    const struct request *r = &c->request;
    char text[64];
    char *end;
    if (c->left > 0)
        c->request.keep_alive = false; /* an early answer */
    if (strncmp(r->path, "/bytes/", 7) == 0) {
        c->total = strtoull(r->path + 7, &end, 10);
        if (*end == '\0' && end != r->path + 7) {
            answer(c);
            return;
        }
    } else if (strcmp(r->path, "/sink") == 0) {
        snprintf(text, sizeof text, "received %llu\n",
                 (unsigned long long)(r->length - c->left));
        answer_text(c, (unsigned)r->status, "text/plain", text);
        return;
    } else if (strcmp(r->path, "/stats") == 0) {
        answer_statistics(c);
        return;
    }
    answer_text(c, 404, "text/plain", "there is /bytes/N, /echo, /sink and "
                                      "/stats\n");
}

/* A head is complete. False if it was refused; the client may be gone. */
static bool take_head(struct client *c, unsigned status)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct statistics *statistics = c->server->statistics;
    atomic_fetch_add(&statistics->requests, 1);
    count_in_flight(c, true);
    if (status != 0) {
        c->request.keep_alive = false;
        answer_text(c, status, "text/plain", "I do not understand\n");
        return false;
    }
    c->left = c->request.length;
    c->in_tick = 0;
    c->phase = BODY;
    if (c->request.expects_continue && c->left > 0) {
        c->given += sizeof go_on - 1;
        (void)stream_write(c->out, go_on, sizeof go_on - 1);
    }
    if (strcmp(c->request.path, "/echo") == 0) {
        c->phase = ECHO;
        int n = snprintf(c->head, sizeof c->head,
                         "HTTP/1.1 200 OK\r\nServer: triptych-origin\r\n"
                         "Content-Length: %llu\r\n%s\r\n",
                         (unsigned long long)c->left,
                         c->request.keep_alive ? ""
                                               : "Connection: close\r\n");
        c->given += (size_t)n;
        (void)stream_write(c->out, c->head, (size_t)n);
    }
    return true;
}

/* The request's line, in one call: several processes may write. */
static void log_request(const struct server *server, const char *head,
                        size_t n)
{
    struct iovec parts[] = {{(void *)head, 0}, {"\n", 1}};
    const char *end = memchr(head, '\r', n);
    if (server->log == -1 || end == NULL)
        return;
    parts[0].iov_len = (size_t)(end - head);
    if (writev(server->log, parts, 2) == -1)
        perror("triptych-origin: the log");
}

/* Looks for a whole head in the input. True if there was one. */
static bool find_head(struct client *c)
{
    struct evbuffer *input = bufferevent_get_input(c->bev);
    struct evbuffer_ptr end = evbuffer_search(input, "\r\n\r\n", 4, NULL);
    if (end.pos == -1) {
        if (evbuffer_get_length(input) > HEAD_LIMIT)
            free_client(c);
        return false;
    }
    size_t n = (size_t)end.pos + 4;
    const char *head = (const char *)evbuffer_pullup(input, (ssize_t)n);
    unsigned status = head != NULL ? request_parse(&c->request, head, n) : 400;
    if (head != NULL)
        log_request(c->server, head, n);
    evbuffer_drain(input, n);
    return take_head(c, status);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct client *c = arg;
    if (c->phase == HEAD && !c->only_echo && !find_head(c))
        return;
    if (c->phase == BODY && swallow(c))
        dispatch(c);
    else if (c->phase == ECHO && echo(c) && !c->only_echo && c->left == 0)
        next_request(c);
    else if (c->phase == BARRIER) /* what is next has to wait */
        (void)bufferevent_disable(bev, EV_READ);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct client *c = arg;
    (void)bev;
    if ((what & BEV_EVENT_EOF) != 0 && c->only_echo) {
        end_client(c, false);
    } else if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0) {
        stream_abort(c->out);
        free_client(c);
    }
}

static void accept_client(struct server *server, evutil_socket_t fd,
                          bool only_echo)
{
    struct statistics *statistics = server->statistics;
    int on = 1;
    struct client *c = calloc(1, sizeof *c);
    struct bufferevent *bev =
        bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
    struct stream *out = bev != NULL ? stream_new(bev) : NULL;
    if (c == NULL || out == NULL) {
        free(c);
        if (bev != NULL)
            bufferevent_free(bev);
        else
            (void)close(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->server = server;
    c->bev = bev;
    c->out = out;
    c->only_echo = only_echo;
    c->phase = only_echo ? ECHO : HEAD;
    evtimer_assign(&c->timer, server->base, on_timer, c);
    (void)stream_set_limits(out, 262144, STREAM_UNSET);
    (void)bufferevent_set_max_single_write(bev, 262144);
    atomic_fetch_add(&statistics->connections, 1);
    raise_peak(&statistics->peak_open,
               atomic_fetch_add(&statistics->open, 1) + 1);
    bufferevent_setcb(bev, on_read, NULL, on_event, c);
    (void)bufferevent_enable(bev, EV_READ);
}

void server_accept_http(struct server *server, evutil_socket_t fd)
{
    accept_client(server, fd, false);
}

void server_accept_echo(struct server *server, evutil_socket_t fd)
{
    accept_client(server, fd, true);
}

void server_echo_datagrams(evutil_socket_t fd)
{
    static char datagram[65536];
    struct sockaddr_storage from;
    for (int i = 0; i < 64; i++) {
        socklen_t length = sizeof from;
        ssize_t n = recvfrom(fd, datagram, sizeof datagram, MSG_DONTWAIT,
                             (struct sockaddr *)&from, &length);
        if (n == -1)
            return;
        (void)sendto(fd, datagram, (size_t)n, MSG_DONTWAIT,
                     (struct sockaddr *)&from, length);
    }
}
