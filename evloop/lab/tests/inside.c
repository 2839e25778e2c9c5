/*
 * inside: the whole model, run within the test, with a clock that the test
 * sets: so a time limit can pass at a moment of the test's choice.
 */
#include "clock.h"
#include "lab.h"
#include "loop.h"
#include "model.h"
#include "options.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY  ((size_t)32 * 1024 * 1024)
#define LIMIT "0.05"

/* A test ends with its process: what it leaves is not looked at. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}

/* --- A clock that stands ------------------------------------------------ */

static atomic_llong now_us;

int64_t __wrap_clock_us(void);
int64_t __wrap_clock_us(void)
{
    return atomic_load(&now_us);
}

/* --- The server and the consumer, in threads ---------------------------- */

static int listener;
static unsigned port;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool has_fired;
static atomic_size_t consumed;
static int ends[2]; /* of the pipe that is standard output */

/* The consumer may read. */
static void fired(void)
{
    pthread_mutex_lock(&lock);
    has_fired = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void *serve(void *arg)
{
    static char body[64 * 1024];
    char head[200];
    int fd = accept(listener, NULL, NULL);
    (void)arg;
    if (fd == -1 || recv(fd, body, sizeof body, 0) <= 0)
        lab_broken("the program did not ask: %s", strerror(errno));
    memset(body, 'x', sizeof body);
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", BODY);
    send_all(fd, head, (size_t)n);
    for (size_t sent = 0; sent < BODY;) {
        ssize_t part = send(fd, body, sizeof body, MSG_NOSIGNAL);
        if (part == -1)
            break; /* the program has given up: the report will tell */
        sent += (size_t)part;
    }
    fired(); /* in any case: if it has not paused by now, it never will */
    return NULL;
}

/* Takes nothing until the limit has passed, and then all. */
static void *consume(void *arg)
{
    static char bytes[64 * 1024];
    ssize_t n;
    (void)arg;
    pthread_mutex_lock(&lock);
    while (!has_fired)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    while ((n = read(ends[0], bytes, sizeof bytes)) > 0)
        atomic_fetch_add(&consumed, (size_t)n);
    return NULL;
}

/* --- What the loop does, seen when it is about to sleep ----------------- */

static bool jumped; /* the loop's thread alone looks at it */

/* True if the program's end of the connection to our server has something to
 * read, and the loop does not wait for that. */
static bool is_paused(void)
{
    for (int fd = 3; fd < 100; fd++) {
        struct sockaddr_in to;
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        socklen_t size = sizeof to;
        if (getpeername(fd, (struct sockaddr *)&to, &size) == 0 &&
            to.sin_family == AF_INET && ntohs(to.sin_port) == port)
            return poll(&ready, 1, 0) == 1 &&
                   (loop_watches(fd) & EPOLLIN) == 0;
    }
    return false;
}

/* When the loop is paused and goes to sleep, time makes a jump far beyond the
 * limit. Later, when the consumer has taken all there was, it may be paused no
 * more. */
static void before_sleep(int timeout_ms)
{
    int in_pipe = 1;
    bool paused = is_paused();
    if (ioctl(ends[0], FIONREAD, &in_pipe) == -1)
        lab_broken("FIONREAD: %s", strerror(errno));
    if (!jumped && paused) {
        jumped = true;
        atomic_store(&now_us, 1000 * CLOCK_SECOND);
    }
    lab_check(!paused || in_pipe > 0 || timeout_ms != -1 ||
                  (loop_watches(-1) & EPOLLOUT) != 0,
              "the consumer reads again, and nobody takes notice: the "
              "transfer stands still for ever",
              "where the stream resumes, on_drained, "
              "connection_resume_bufferevent, and what is watched",
              "the consumer has taken %zu of %zu bytes and standard output "
              "is empty, bytes wait in the connection's socket, and the loop "
              "waits for neither",
              atomic_load(&consumed), BODY);
    if (jumped && timeout_ms == -1)
        fired(); /* no timer is left that could expire */
}

static bool slept_over;

static void after_sleep(void)
{
    if (slept_over)
        fired(); /* the timer's callback has come and gone */
    slept_over = jumped;
}

static void time_stands_still_while_paused(void)
{
    static struct run run;
    char url[100], message[300] = "no memory";
    char *argv[] = {(char *)"fetch-evloop",
                    (char *)"-q",
                    (char *)"-t" LIMIT,
                    (char *)"--high-water=4K",
                    (char *)"--report=r",
                    url,
                    NULL};
    struct options options;
    pthread_t server, consumer;
    listener = listen_anywhere(&port);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
    if (pipe2(ends, O_CLOEXEC) == -1 || dup2(ends[1], STDOUT_FILENO) == -1 ||
        pthread_create(&server, NULL, serve, NULL) != 0 ||
        pthread_create(&consumer, NULL, consume, NULL) != 0)
        lab_broken("no pipe or thread: %s", strerror(errno));
    (void)close(ends[1]);
    if (options_parse(&options, model_name, 6, argv, message,
                      sizeof message) != 0 ||
        run_open(&run, &options, message, sizeof message) != 0)
        lab_broken("%s", message);
    loop_before_sleep = before_sleep;
    loop_after_sleep = after_sleep;
    lab_doing("having the model fetch 32 MB into a pipe that nobody reads",
              "it does not pause, or does not go on",
              "deliver_ordered, on_drained, on_timer");
    model_run(&run);
    int status = run_close(&run);
    lab_check(jumped,
              "with nobody reading standard output the connection is to be "
              "paused",
              "deliver_ordered, connection_pause_bufferevent",
              "the request ended (exit status %d) before it ever paused",
              status);
    fired();
    (void)close(STDOUT_FILENO);
    (void)pthread_join(consumer, NULL);
    size_t got = atomic_load(&consumed);
    lab_check(
        status == 0 && got == BODY,
        "the limit is on the server's time. While we do not read because "
        "our own consumer is slow, it must not run: else a pager left "
        "alone makes a download fail",
        "on_timer (paused_us), and what on_drained tells the exchange",
        "-t " LIMIT ", paused by the consumer for 1000 s: the exit "
        "status is %d, not 0, and the consumer got %zu of %zu bytes",
        status, got, BODY);
}

/* --- Servers that the loop's own thread plays, when it is about to sleep -- */

/* A connection that has asked for a path, or -1. */
struct asked {
    int fd;
    char path; /* its first letter */
};

static struct asked take_request(void)
{
    static int open_fd = -1;
    struct pollfd new_one = {.fd = listener, .events = POLLIN};
    struct asked asked = {.fd = -1};
    char request[4096];
    if (open_fd == -1 && poll(&new_one, 1, 0) == 1)
        open_fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (open_fd == -1)
        return asked;
    ssize_t n = recv(open_fd, request, sizeof request - 1, MSG_DONTWAIT);
    if (n == -1 && errno == EAGAIN)
        return asked;
    if (n < 6 || memcmp(request, "GET /", 5) != 0)
        lab_broken("a connection without a request");
    asked = (struct asked){open_fd, request[5]};
    open_fd = -1;
    return asked;
}

static void say(int fd, size_t length, size_t body)
{
    static char bytes[256 * 1024];
    char head[100];
    int n = length == 0 ? 0
                        : snprintf(head, sizeof head,
                                   "HTTP/1.1 200 OK\r\nContent-Length: "
                                   "%zu\r\n\r\n",
                                   length);
    send_all(fd, head, (size_t)n);
    memset(bytes, 'x', sizeof bytes);
    send_all(fd, bytes, body);
    wait_arrived(fd);
}

static void no_matter(void)
{
}

/* Runs the model with these arguments; its exit status. */
static int run_model(void (*hook)(int timeout_ms), int argc, char **argv)
{
    static struct run run;
    static struct options options;
    char message[300] = "no memory";
    loop_before_sleep = hook;
    loop_after_sleep = no_matter;
    if (options_parse(&options, model_name, argc, argv, message,
                      sizeof message) != 0 ||
        run_open(&run, &options, message, sizeof message) != 0)
        lab_broken("%s", message);
    model_run(&run);
    return run_close(&run);
}

/* --- The limit is over, and the answer is here --------------------------- */

/* The process is stopped, as by Ctrl-Z. Meanwhile the answer comes and time
 * goes by; when it goes on, its sleep ends as if by a signal, and the timer is
 * over before the loop has looked at the socket. */
static void stopped_for_long(int timeout_ms)
{
    struct asked asked = take_request();
    if (asked.fd == -1)
        return;
    say(asked.fd, 1000, 1000);
    atomic_store(&now_us, 1000 * CLOCK_SECOND);
    (void)poll(NULL, 0, timeout_ms + 5);
    loop_interrupts = true;
}

static void what_has_come_is_read(void)
{
    char url[100];
    char *argv[] = {(char *)"fetch-evloop", (char *)"-q",
                    (char *)"-n",           (char *)"-t" LIMIT,
                    (char *)"--retries=0",  url};
    listener = listen_anywhere(&port);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
    lab_doing("letting the limit pass while the answer is in the socket",
              "the request ends by the answer, and is looked at once more",
              "on_timer, after reads_first");
    int status = run_model(stopped_for_long, 6, argv);
    lab_check(status == 0,
              "a program that was stopped for a while must not take its own "
              "absence for the server's silence: what has come is read first",
              "on_timer: reads_first",
              "the limit has passed, and the whole answer was in the socket "
              "by then: the exit status is %d, not 0",
              status);
}

/* --- Memory runs out ----------------------------------------------------- */

#define LARGE ((size_t)20000)
#define WHOLE ((size_t)200000)

static bool is_short; /* no large piece of memory is there any more */
static int asking = -1;
static unsigned steps;

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);

void *__wrap_malloc(size_t n)
{
    return is_short && n >= LARGE ? NULL : __real_malloc(n);
}

/* False if the program has given the connection up. */
static bool is_open(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == -1 &&
           errno == EAGAIN;
}

/* Half of a body fills the pipe, and some of it waits. Then there is no memory
 * for more of it. */
static void half_without_memory(int timeout_ms)
{
    struct asked asked = take_request();
    (void)timeout_ms;
    if (asked.fd != -1)
        asking = asked.fd;
    if (asking == -1)
        return;
    (void)atomic_fetch_add(&now_us, CLOCK_SECOND);
    steps++;
    if (steps == 1) {
        say(asking, WHOLE, WHOLE / 2);
    } else if (steps == 2) {
        is_short = true;
        say(asking, 0, WHOLE / 4);
    } else if (steps == 3) {
        if (is_open(asking))
            say(asking, 0, WHOLE / 4);
        fired();
    }
}

static void a_shortage_is_told(void)
{
    char url[100];
    char *argv[] = {(char *)"fetch-evloop",    (char *)"-q",
                    (char *)"-t1000",          (char *)"--high-water=1M",
                    (char *)"--retries=0",     url};
    pthread_t consumer;
    listener = listen_anywhere(&port);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
    if (pipe2(ends, O_CLOEXEC) == -1 || dup2(ends[1], STDOUT_FILENO) == -1 ||
        pthread_create(&consumer, NULL, consume, NULL) != 0)
        lab_broken("no pipe or thread: %s", strerror(errno));
    (void)close(ends[1]);
    lab_doing("fetching a body, half of which has come when memory runs out",
              "it does not end", "deliver_ordered: have_room");
    int status = run_model(half_without_memory, 6, argv);
    fired();
    (void)close(STDOUT_FILENO);
    (void)pthread_join(consumer, NULL);
    size_t got = atomic_load(&consumed);
    lab_check(got >= WHOLE / 4,
              "what has come before memory runs out goes into the pipe",
              "deliver_ordered: stream_write",
              "half of a body of %zu bytes had come when memory ran out, and "
              "%zu bytes came out",
              WHOLE, got);
    lab_check(status != 0 || got == WHOLE,
              "bytes for which there is no memory are lost: then the request "
              "has failed",
              "deliver_ordered: what becomes of an error",
              "the second half of a body found no memory: %zu of %zu bytes "
              "came out, and the exit status is 0",
              got, WHOLE);
}

/* A body that the pipe takes at once, and no memory for it. */
static void whole_without_memory(int timeout_ms)
{
    struct asked asked = take_request();
    (void)timeout_ms;
    if (asked.fd != -1) {
        is_short = true;
        say(asked.fd, 2 * LARGE, 2 * LARGE);
    }
}

static void what_goes_at_once_needs_no_memory(void)
{
    char url[100];
    char *argv[] = {(char *)"fetch-evloop", (char *)"-q", (char *)"-t1000",
                    (char *)"--retries=0", url};
    int in_pipe = 0;
    listener = listen_anywhere(&port);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
    if (pipe2(ends, O_CLOEXEC) == -1 || dup2(ends[1], STDOUT_FILENO) == -1)
        lab_broken("no pipe: %s", strerror(errno));
    lab_doing("fetching a body that fits into the pipe, without memory",
              "it does not end", "deliver_ordered: have_room");
    int status = run_model(whole_without_memory, 5, argv);
    (void)ioctl(ends[0], FIONREAD, &in_pipe);
    lab_check(status == 0 && in_pipe == 2 * (int)LARGE,
              "what standard output takes at once need not be kept: memory is "
              "asked for when a part of the body is out already",
              "deliver_ordered: b->written, have_room",
              "the first bytes of a body found no memory, and room in the "
              "pipe: the exit status is %d, and %d of %zu bytes came out",
              status, in_pipe, 2 * LARGE);
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"time_stands_still_while_paused", time_stands_still_while_paused},
        {"what_has_come_is_read", what_has_come_is_read},
        {"a_shortage_is_told", a_shortage_is_told},
        {"what_goes_at_once_needs_no_memory",
         what_goes_at_once_needs_no_memory},
        {0}};
    return lab_main(tests);
}
