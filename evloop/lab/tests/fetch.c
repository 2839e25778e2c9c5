/*
 * fetch: what a user sees of fetch-evloop, and what the servers see of it.
 */
#include "lab.h"
#include "loop.h"
#include "outside.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* A test ends with its process: what it leaves is not looked at. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}

static int listener;
static unsigned port;

/* "http://127.0.0.1:PORT/path"; lives as long as the test. */
static char *url_of(const char *path)
{
    char *url = malloc(200);
    if (url == NULL)
        lab_broken("no memory");
    (void)snprintf(url, 200, "http://127.0.0.1:%u/%s", port, path);
    return url;
}

static char *origin_url(const char *path)
{
    static const char *base;
    char *url = malloc(200);
    if (base == NULL)
        base = origin_start();
    if (url == NULL)
        lab_broken("no memory");
    (void)snprintf(url, 200, "%s/%s", base, path);
    return url;
}

static void say(int fd, const char *text)
{
    send_all(fd, text, strlen(text));
}

/* --- A request by callbacks --------------------------------------------- */

static void one_request(void)
{
    static const struct hint hint = {
        "a request does not get through all of its wants",
        "request_advance: each want, and who goes on after it"};
    char body[1000];
    listener = listen_anywhere(&port);
    memset(body, 'x', sizeof body);
    fetcher_start(false, "-n", "-t10", url_of("one"), NULL);
    int fd = fetcher_accept(listener, &hint);
    lab_check(fetcher_asks(fd, &hint) != NULL, hint.means, hint.look,
              "fetch-evloop closed the connection without a request");
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    send_all(fd, body, sizeof body);
    fetcher_wait(&hint);
    fetcher_expect(0, "ok", &hint);
    lab_check(strcmp(fetcher_said(0, "bytes"), "1000") == 0,
              "not all of the body was delivered", "on_readable",
              "a body of 1000 bytes: the report says %s",
              fetcher_said(0, "bytes"));
    fetcher_expect_status(0, &hint);
}

static void many_at_once(void)
{
    static const struct hint hint = {
        "one request keeps the others from going on: a callback that waits, "
        "or a want that nobody comes back to",
        "request_advance: where it returns, and which callback goes on"};
    int fds[8];
    char *url;
    listener = listen_anywhere(&port);
    url = url_of("x");
    fetcher_start(false, "-n", "-t20", "-j8", url, url, url, url, url, url,
                  url, url, NULL);
    for (int i = 0; i < 8; i++) { /* none is answered before all have asked */
        fds[i] = fetcher_accept(listener, &hint);
        (void)fetcher_asks(fds[i], &hint);
    }
    for (int i = 7; i >= 0; i--)
        say(fds[i], "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    fetcher_wait(&hint);
    for (unsigned id = 0; id < 8; id++)
        fetcher_expect(id, "ok", &hint);
    fetcher_expect_status(0, &hint);
}

/* Fails unless the file holds just this. */
static void check_file(const char *path, const char *expected)
{
    char text[400] = "";
    FILE *file = fopen(path, "re");
    size_t n = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    lab_check(file != NULL && n == strlen(expected) &&
                  memcmp(text, expected, n) == 0,
              "what comes in pieces is one stream of bytes: it may be cut "
              "anywhere",
              "on_readable: what becomes of the rest of what has come",
              "the file %s has %zu bytes, '%.60s', not the %zu of '%.60s'",
              path, n, text, strlen(expected), expected);
    if (file != NULL)
        (void)fclose(file);
}

static void in_pieces(void)
{
    static const struct hint hint = {"bytes are lost where a piece ends",
                                     "on_readable, connection_hand_on_input"};
    static const char first[] = "HTTP/1.1 200 OK\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n"
                                "5\r\nwhole\r\n7\r\n in the\r\n"
                                "4\r\n end\r\n0\r\n\r\n";
    int on = 1;
    listener = listen_anywhere(&port);
    fetcher_start(false, "-d", "bodies", "-j1", "-t20", url_of("first"),
                  url_of("second"), NULL);
    int fd = fetcher_accept(listener, &hint);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)fetcher_asks(fd, &hint);
    for (size_t i = 0; i < sizeof first - 1; i++) {
        send_all(fd, first + i, 1);
        wait_arrived(fd);
    }
    lab_check(fetcher_asks(fd, &hint) != NULL,
              "a response that is whole leaves a connection that can be used "
              "again",
              "leave_connection: exchange_reusable",
              "the second request did not come over the same connection");
    say(fd, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
            "Content-Length: 4\r\n\r\nonce");
    fetcher_wait(&hint);
    fetcher_expect(0, "ok", &hint);
    fetcher_expect(1, "ok", &hint);
    check_file("bodies/first", "whole in the end");
    check_file("bodies/second", "once");
}

/* A dialogue of tcp: the server answers when it has heard the end. */
static void tells_its_end(void)
{
    static const struct hint hint = {
        "the server waits for the end of what we say, and we for its answer",
        "request_advance: WANT_SHUT; stream_write_eof"};
    char *url = malloc(100), said[100];
    size_t heard = 0;
    ssize_t n;
    listener = listen_anywhere(&port);
    if (url == NULL)
        lab_broken("no memory");
    (void)snprintf(url, 100, "tcp://127.0.0.1:%u/hello", port);
    fetcher_start(false, "-d", "bodies", "-t20", url, NULL);
    int fd = fetcher_accept(listener, &hint);
    lab_doing("reading what fetch-evloop says, up to its end", hint.means,
              hint.look);
    while ((n = recv(fd, said + heard, sizeof said - heard, 0)) > 0)
        heard += (size_t)n;
    lab_check(n == 0 && heard == 5 && memcmp(said, "hello", 5) == 0,
              hint.means, hint.look,
              "of tcp://.../hello the server has heard %zu bytes, '%.*s'",
              heard, (int)heard, said);
    say(fd, "and the same to you");
    (void)close(fd);
    fetcher_wait(&hint);
    fetcher_expect(0, "ok", &hint);
    check_file("bodies/hello", "and the same to you");
}

/* Which of two there is something to be read from. */
static int ready_one(int one, int other, const struct hint *hint)
{
    struct pollfd fds[] = {{.fd = one, .events = POLLIN},
                           {.fd = other, .events = POLLIN},
                           {.fd = fetcher.exited, .events = POLLIN}};
    lab_doing("waiting for a request over one of two connections", hint->means,
              hint->look);
    while (poll(fds, 3, -1) == -1 && errno == EINTR)
        continue;
    lab_check(fds[2].revents == 0, hint->means, hint->look,
              "fetch-evloop ended before it had asked for everything");
    return fds[0].revents != 0 ? one : other;
}

/* A connection that has asked. */
static int asked(int listening, const struct hint *hint)
{
    int fd = fetcher_accept(listening, hint);
    (void)fetcher_asks(fd, hint);
    return fd;
}

static const char fine[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/* Two connections to one server are kept. The one that the sixth request takes
 * is closed under it; for the new try the other one will not do. (The requests
 * to the second server keep the places busy meanwhile.) */
static void a_new_one_after_a_stale_one(void)
{
    static const struct hint hint = {
        "a kept connection that breaks says that the others may be stale, "
        "too: the new try would be lost on the next of them",
        "step_connect: exchange_may_reuse"};
    int kept[2], busy[3], first = listen_anywhere(&port);
    char *a = url_of("a"), *b = url_of("b"), *f = url_of("f");
    listener = listen_anywhere(&port);
    fetcher_start(false, "-n", "-t20", "-j3", a, b, url_of("c"), url_of("d"),
                  url_of("e"), f, url_of("g"), NULL);
    for (int i = 0; i < 2; i++)
        kept[i] = asked(first, &hint);
    busy[0] = asked(listener, &hint);
    for (int i = 0; i < 2; i++) {
        say(kept[i], fine);
        busy[i + 1] = asked(listener, &hint);
    }
    say(busy[0], fine);
    int taken = ready_one(kept[0], kept[1], &hint);
    int other = taken == kept[0] ? kept[1] : kept[0];
    (void)fetcher_asks(taken, &hint);
    (void)close(taken);
    lab_check(ready_one(first, other, &hint) == first, hint.means, hint.look,
              "a kept connection was closed under a request, and the new try "
              "came over another kept one");
    say(asked(first, &hint), fine);
    (void)fetcher_asks(busy[0], &hint);
    for (int i = 0; i < 3; i++)
        say(busy[i], fine);
    fetcher_wait(&hint);
    for (unsigned id = 0; id < 7; id++)
        fetcher_expect(id, "ok", &hint);
}

static void keeps_connections(void)
{
    static const struct hint hint = {
        "a connection serves one request after the other, redirects as well",
        "step_connect, leave_connection"};
    char *url = origin_url("bytes/100");
    fetcher_start(false, "-n", "-t10", "-j1", url, url, url, url, url, url,
                  origin_url("bytes/100?redirect=5"), url, NULL);
    fetcher_wait(&hint);
    for (unsigned id = 0; id < 8; id++)
        fetcher_expect(id, "ok", &hint);
    long connections = origin_count("\"connections\"") - 1; /* our own */
    lab_check(connections == 1, hint.means, hint.look,
              "8 requests one after the other, with 5 redirects, took %ld "
              "connections to one server",
              connections);
    a_new_one_after_a_stale_one();
}

static void reset_is_not_an_end(void)
{
    static const struct hint hint = {
        "a connection that breaks is not one that the server has closed: "
        "part of a body would pass for the whole",
        "on_ended: its two arguments"};
    struct linger linger = {.l_onoff = 1};
    char body[1000];
    listener = listen_anywhere(&port);
    memset(body, 'x', sizeof body);
    fetcher_start(false, "-n", "-t10", url_of("cut"), NULL);
    int fd = fetcher_accept(listener, &hint);
    (void)fetcher_asks(fd, &hint);
    /* Without a length the body goes up to the server's close. */
    say(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    send_all(fd, body, sizeof body);
    wait_arrived(fd);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    (void)close(fd);
    fetcher_wait(&hint);
    fetcher_expect(0, "reset", &hint);
    fetcher_expect_status(1, &hint);
}

/* --- Write, drain, back-pressure ---------------------------------------- */

#define BODY ((size_t)50000)

static void send_body(int fd, char letter)
{
    char body[BODY];
    memset(body, letter, sizeof body);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n");
    send_all(fd, body, sizeof body);
}

/* A body in chunks of ten bytes: one reading brings hundreds of pieces, and
 * the first of them may pause the connection. */
static void many_pieces_in_one_reading(void)
{
    static const struct hint hint = {
        "the rest of what one reading has brought comes after the pause: it "
        "is "
        "stashed, too, and who waits already waits once",
        "deliver_ordered: b->waiter; step_deliver"};
    static char wanted[20000], body[sizeof wanted], chunks[2 * sizeof body];
    size_t n = 0;
    listener = listen_anywhere(&port);
    for (size_t i = 0; i < sizeof wanted; i++)
        wanted[i] = (char)('a' + (i * 7 + i / 253) % 26);
    for (size_t at = 0; at < sizeof wanted; at += 10)
        n += (size_t)snprintf(chunks + n, sizeof chunks - n, "a\r\n%.10s\r\n",
                              wanted + at);
    n += (size_t)snprintf(chunks + n, sizeof chunks - n, "0\r\n\r\n");
    fetcher_start(true, "--high-water=1000", "-j2", "-t20", url_of("slow"),
                  url_of("pieces"), NULL);
    int slow = fetcher_accept(listener, &hint);
    const char *request = fetcher_asks(slow, &hint);
    int pieces = fetcher_accept(listener, &hint);
    if (request != NULL && strstr(request, "/slow") == NULL) {
        int other = slow;
        slow = pieces;
        pieces = other;
        (void)fetcher_asks(slow, &hint);
    } else {
        (void)fetcher_asks(pieces, &hint);
    }
    say(pieces, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    send_all(pieces, chunks, n);
    /* With 101 pieces more waits than the high mark, and reading may end. If it
     * were this body's turn before, a quick reader would let nothing wait. */
    lab_check(fetcher_has_read(pieces, n - 101 * 15 + 2), hint.means,
              hint.look,
              "a body is to be read before its turn on standard output, too: "
              "%zu bytes were sent, and fetch-evloop has not read the first "
              "101 chunks of ten bytes",
              n);
    say(slow, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    size_t got = fetcher_read(body, sizeof body, &hint);
    fetcher_wait(&hint);
    fetcher_expect(0, "ok", &hint);
    fetcher_expect(1, "ok", &hint);
    lab_check(
        got == sizeof body && memcmp(body, wanted, sizeof body) == 0,
        hint.means, hint.look,
        "a body of 2000 chunks of ten bytes, above the high mark: %zu of "
        "%zu bytes came out, or not the right ones",
        got, sizeof body);
    lab_check(strtol(fetcher_said(1, "peak_buffered"), NULL, 10) > 1000,
              "the report says how much of a body waited in memory",
              "deliver_ordered: b->peak",
              "the high mark is 1000, and more came in one reading: the "
              "report's peak is %s",
              fetcher_said(1, "peak_buffered"));
}

/* All four are asked for before the first is answered; the last one is
 * answered first. */
static void bodies_in_order(void)
{
    static const struct hint hint = {
        "each body goes to standard output in its turn, and whole",
        "deliver_ordered, stream_writev, stream_writable"};
    static char bytes[4 * BODY + 1];
    int by_letter[4];
    listener = listen_anywhere(&port);
    fetcher_start(true, "-j4", "-t20", url_of("a"), url_of("b"), url_of("c"),
                  url_of("d"), NULL);
    for (int i = 0; i < 4; i++) {
        int fd = fetcher_accept(listener, &hint);
        const char *request = fetcher_asks(fd, &hint);
        if (request == NULL || strncmp(request, "GET /", 5) != 0)
            lab_fail(hint.means, hint.look, "request %d is no request", i);
        by_letter[request[5] - 'a'] = fd;
    }
    for (int i = 3; i >= 0; i--)
        send_body(by_letter[i], (char)('a' + i));
    size_t n = fetcher_read(bytes, sizeof bytes, &hint);
    fetcher_wait(&hint);
    for (size_t i = 0; i < n && i < 4 * BODY; i++)
        lab_check(bytes[i] == (char)('a' + (int)(i / BODY)), hint.means,
                  hint.look,
                  "4 bodies of %zu bytes, of a, b, c and d: at place %zu of "
                  "%zu stands '%c'",
                  BODY, i, n, bytes[i]);
    lab_check(n == 4 * BODY, hint.means, hint.look,
              "4 bodies of %zu bytes: %zu bytes came out", BODY, n);
    fetcher_expect_status(0, &hint);
    many_pieces_in_one_reading();
}

/* A disk without room, which whoever waits for the drain must hear of. */
static void the_file_breaks(void)
{
    static const struct hint hint = {
        "what cannot be written ends the request, and who waits for the "
        "drain learns it there",
        "on_drained: not_delivered, and who goes on then"};
    static char response[40000];
    struct rlimit before, little;
    listener = listen_anywhere(&port);
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)getrlimit(RLIMIT_FSIZE, &before);
    little = before;
    little.rlim_cur = sizeof response / 4;
    (void)setrlimit(RLIMIT_FSIZE, &little);
    fetcher_start(false, "-d", "little", "-t86400", "--retries=0",
                  "--high-water=1000", url_of("much"), NULL);
    (void)setrlimit(RLIMIT_FSIZE, &before);
    int fd = asked(listener, &hint);
    /* All in one reading, and then nothing more that could fail. */
    memset(response, 'x', sizeof response);
    static const char head[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n";
    memcpy(response, head, sizeof head - 1);
    send_all(fd, response, sizeof response);
    fetcher_wait(&hint);
    fetcher_expect(0, "write-failed", &hint);
}

/* `| head`: who reads our output goes away. */
static void output_breaks(void)
{
    static const struct hint hint = {
        "nobody takes what is fetched: the run is to stop, and say so",
        "deliver_ordered, on_drained: out_failed and not_delivered"};
    static char body[BODY];
    listener = listen_anywhere(&port);
    fetcher_start(true, "-j1", "-t20", url_of("long"), url_of("more"), NULL);
    int fd = fetcher_accept(listener, &hint);
    (void)fetcher_asks(fd, &hint);
    (void)close(fetcher.output);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    send_all(fd, body, sizeof body);
    fetcher_wait(&hint);
    fetcher_expect(0, "write-failed", &hint);
    fetcher_expect(1, "cancelled", &hint);
    lab_check(strstr(fetcher.messages, "standard output") != NULL, hint.means,
              hint.look, "standard output is broken; fetch-evloop says: %s",
              fetcher.messages);
    the_file_breaks();
}

#define MUCH   ((size_t)32 * 1024 * 1024)
#define BOUNDS ((size_t)16 * 1024 * 1024)

/* One end of what the program sits between. */
struct flow {
    int fd;
    size_t bytes;
};

/* The server sends whenever it can, and the consumer takes 4 KiB when it
 * cannot. So a program that reads whatever it can get gets all of it. */
static void overfeed(struct flow *server, struct flow *consumer)
{
    static char bytes[64 * 1024];
    size_t most = 0;
    while (server->bytes < MUCH) {
        struct pollfd server_can = {.fd = server->fd, .events = POLLOUT};
        struct pollfd consumer_can = {.fd = consumer->fd, .events = POLLIN};
        ssize_t n;
        if (poll(&server_can, 1, 20) == 1) {
            size_t part = MUCH - server->bytes;
            n = send(server->fd, bytes,
                     part < sizeof bytes ? part : sizeof bytes,
                     MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n == -1 && errno != EAGAIN)
                return; /* the report will tell */
            server->bytes += n > 0 ? (size_t)n : 0;
        } else {
            lab_check(poll(&consumer_can, 1, 10000) == 1,
                      "the connection was paused and is never resumed",
                      "on_drained, where the stream resumes, "
                      "connection_resume_bufferevent",
                      "the server has sent %zu bytes and can send no more, "
                      "the consumer has taken %zu and gets no more",
                      server->bytes, consumer->bytes);
            n = read(consumer->fd, bytes, sizeof bytes);
            if (n == 0)
                return;
            consumer->bytes += n > 0 ? (size_t)n : 0;
        }
        if (most < server->bytes - consumer->bytes)
            most = server->bytes - consumer->bytes;
        /* Once is enough to see that it is bounded. */
        if (consumer->bytes > 20 * 4096)
            break;
    }
    lab_check(most <= BOUNDS,
              "nothing stops the source: the server sends as fast as it can, "
              "and what the consumer does not take piles up in memory",
              "deliver_ordered: what it does when drain says 'wait'; "
              "connection_pause_bufferevent. (The write high-watermark of a "
              "bufferevent pauses nothing.)",
              "--high-water 16K: the server could send %zu bytes before the "
              "consumer had taken more than %zu",
              server->bytes, consumer->bytes);
}

static void slow_consumer_stops_the_source(void)
{
    static const struct hint hint = {
        "the connection was paused and is never resumed, or bytes are lost",
        "on_drained, where the stream resumes, "
        "connection_resume_bufferevent"};
    static char rest[MUCH + 1];
    int small = 64 * 1024;
    struct flow server = {0}, consumer = {0};
    char head[100];
    listener = listen_anywhere(&port);
    fetcher_start(true, "--high-water=16K", "-t60", url_of("much"), NULL);
    server.fd = fetcher_accept(listener, &hint);
    consumer.fd = fetcher.output;
    (void)setsockopt(server.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    (void)fetcher_asks(server.fd, &hint);
    (void)snprintf(head, sizeof head,
                   "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    say(server.fd, head);
    overfeed(&server, &consumer);
    (void)close(server.fd); /* what was sent by now is the whole body */
    lab_doing("taking the rest of a body", hint.means, hint.look);
    size_t n = fetcher_read(rest, sizeof rest, &hint);
    fetcher_wait(&hint);
    lab_check(consumer.bytes + n == server.bytes, hint.means, hint.look,
              "the server has sent %zu bytes, and %zu came out", server.bytes,
              consumer.bytes + n);
    fetcher_expect(0, "ok", &hint);
}

/* --- Time-outs and teardown --------------------------------------------- */

/* The limit holds for a connection that served another request before. */
static void times_out_on_a_kept_one(void)
{
    static const struct hint hint = {
        "a request over a kept connection has a time limit, too",
        "step_connect: where the timer is set"};
    listener = listen_anywhere(&port);
    fetcher_start(false, "-n", "-t0.3", "--retries=0", "-j1", url_of("first"),
                  url_of("second"), NULL);
    int fd = fetcher_accept(listener, &hint);
    (void)fetcher_asks(fd, &hint);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    (void)fetcher_asks(fd, &hint); /* and no answer */
    fetcher_wait(&hint);
    fetcher_expect(1, "timeout", &hint);
}

/* What an error says besides is not worth waiting for. */
static void a_nearer_limit(void)
{
    static const struct hint hint = {
        "what comes is of no use, and gets less time than a body",
        "on_readable: exchange_deadline may be nearer than the timer"};
    listener = listen_anywhere(&port);
    fetcher_start(false, "-n", "-t86400", "--retries=0", url_of("missing"),
                  NULL);
    int fd = fetcher_accept(listener, &hint);
    (void)fetcher_asks(fd, &hint);
    say(fd, "HTTP/1.1 404 Not found\r\nContent-Length: 100\r\n\r\nIt is");
    fetcher_wait(&hint);
    fetcher_expect(0, "http-error", &hint);
}

/* Paused for longer than the limit, and then the server says nothing more. */
static void times_out_after_a_pause(void)
{
    static const struct hint hint = {
        "while its consumer is slow a request's time stands still; after that "
        "it goes on, and a server that has fallen silent meanwhile must not "
        "be waited for without a limit",
        "on_timer, when it goes off in a pause; on_drained: which timer is "
        "set "
        "when it reads on"};
    static char bytes[60 * 1024 + 1];
    listener = listen_anywhere(&port);
    fetcher_start(true, "--high-water=4K", "-t0.3", "--retries=0",
                  url_of("silent"), NULL);
    int fd = fetcher_accept(listener, &hint);
    (void)fetcher_asks(fd, &hint);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    memset(bytes, 'x', sizeof bytes - 1);
    say(fd, bytes);
    (void)poll(NULL, 0, 1000); /* nobody reads its output */
    lab_doing("taking what a server sent before it fell silent", hint.means,
              hint.look);
    (void)fetcher_read(bytes, sizeof bytes, &hint);
    fetcher_wait(&hint);
    fetcher_expect(0, "timeout", &hint);
}

static void times_out(void)
{
    static const struct hint hint = {
        "the limit has passed, and the request must end with 'timeout'",
        "on_timer: what it asks, and which function of the exchange it "
        "calls"};
    listener = listen_anywhere(&port); /* it never answers */
    fetcher_start(false, "-n", "-t0.3", "-j2", url_of("silent"),
                  url_of("silent"), url_of("silent"), NULL);
    fetcher_wait(&hint);
    for (unsigned id = 0; id < 3; id++)
        fetcher_expect(id, "timeout", &hint);
    fetcher_expect_status(1, &hint);
    times_out_on_a_kept_one();
    times_out_after_a_pause();
    a_nearer_limit();
}

static void retries(void)
{
    static const struct hint hint = {
        "after a failure that a new try may mend the request waits, and goes "
        "on when the time has come",
        "on_timer and step_retry: WANT_WAIT"};
    listener = listen_anywhere(&port);
    fetcher_start(false, "-n", "-t20", "--retries=1", url_of("busy"), NULL);
    int fd = fetcher_accept(listener, &hint);
    (void)fetcher_asks(fd, &hint);
    say(fd, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n"
            "Connection: close\r\n\r\n");
    int second = fetcher_accept(listener, &hint);
    (void)fetcher_asks(second, &hint);
    say(second, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    fetcher_wait(&hint);
    fetcher_expect(0, "ok", &hint);
    lab_check(strcmp(fetcher_said(0, "attempts"), "2") == 0, hint.means,
              hint.look, "the second attempt was right: the report counts %s",
              fetcher_said(0, "attempts"));
}

static int descriptors(void)
{
    char path[60];
    int n = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)fetcher.pid);
    DIR *folder = opendir(path);
    if (folder == NULL)
        lab_broken("%s cannot be read: %s", path, strerror(errno));
    while (readdir(folder) != NULL)
        n++;
    (void)closedir(folder);
    return n;
}

#define ROUNDS 12

static void descriptors_come_back(void)
{
    static const struct hint hint = {
        "a connection whose request is done keeps its descriptor: a long list "
        "of URLs runs into the limit",
        "connection_close, connection_drop_bufferevent"};
    int first = 0, last = 0;
    char *url;
    listener = listen_anywhere(&port);
    url = url_of("x");
    fetcher_start(false, "-n", "-t20", "-j1", "--no-keep-alive", url, url, url,
                  url, url, url, url, url, url, url, url, url, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        int fd = fetcher_accept(listener, &hint);
        (void)fetcher_asks(fd, &hint);
        last = descriptors();
        first = i == 0 ? last : first;
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
    fetcher_wait(&hint);
    lab_check(last <= first + 2, hint.means, hint.look,
              "-j 1 --no-keep-alive: with the first request %d descriptors "
              "are open, with number %d %d",
              first, ROUNDS, last);
    fetcher_expect_status(0, &hint);
}

static void nothing_is_touched_after_the_end(void)
{
    static const struct hint hint = {
        "who calls the owner may find the connection closed on return: its "
        "memory must live until the next turn of the loop, and callbacks "
        "touch nothing after request_advance",
        "connection_close, free_soon, on_reap; the last line of each "
        "callback"};
    char *url = origin_url("bytes/1000");
    fetcher_start(false, "-n", "-t20", "-j3", "--no-keep-alive", url, url,
                  origin_url("bytes/300000"), url,
                  origin_url("bytes/5000?fin=100"), url, url, NULL);
    fetcher_wait(&hint);
    fetcher_expect_status(1, &hint); /* for the one that is cut */
    for (unsigned id = 0; id < 7; id++)
        fetcher_expect(id, id == 4 ? "truncated" : "ok", &hint);
}

/* One has sent a part, one has sent nothing, and one has not begun. */
static void interrupted(void)
{
    static const struct hint hint = {
        "when the run ends early everything in flight is cancelled and freed, "
        "in whatever state it is",
        "connection_close"};
    listener = listen_anywhere(&port);
    fetcher_start(false, "-n", "-t20", "-j2", url_of("a"), url_of("b"),
                  url_of("c"), NULL);
    int first = fetcher_accept(listener, &hint);
    int second = fetcher_accept(listener, &hint);
    (void)fetcher_asks(first, &hint);
    (void)fetcher_asks(second, &hint);
    say(first, "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\npart");
    wait_arrived(first);
    (void)kill(fetcher.pid, SIGINT);
    fetcher_wait(&hint);
    fetcher_expect_status(128 + SIGINT, &hint);
    for (unsigned id = 0; id < 3; id++)
        fetcher_expect(id, "cancelled", &hint);
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"one_request", one_request},
        {"many_at_once", many_at_once},
        {"in_pieces", in_pieces},
        {"tells_its_end", tells_its_end},
        {"keeps_connections", keeps_connections},
        {"reset_is_not_an_end", reset_is_not_an_end},
        {"bodies_in_order", bodies_in_order},
        {"slow_consumer_stops_the_source", slow_consumer_stops_the_source},
        {"output_breaks", output_breaks},
        {"times_out", times_out},
        {"retries", retries},
        {"descriptors_come_back", descriptors_come_back},
        {"nothing_is_touched_after_the_end", nothing_is_touched_after_the_end},
        {"interrupted", interrupted},
        {0}};
    return lab_main(tests);
}
