/*
 * The mailbox: the parent never waits for one worker.
 *
 * The pipes are as small as pipes get, and the worker is a child that answers
 * each job with a body as long as the job, or one that does nothing.
 */
#include "mailbox.h"
#include "lab.h"
#include "look.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SEND "mailbox_send and flush_outbox: what they do with EAGAIN"
#define SLOT 20
#define JOBS 30
#define SIZE 2000

/* --- Calls that fail on demand ------------------------------------------- */

static int interrupts; /* so many calls of write end with EINTR */

ssize_t __real_write(int fd, const void *data, size_t n);
ssize_t __wrap_write(int fd, const void *data, size_t n);

ssize_t __wrap_write(int fd, const void *data, size_t n)
{
    if (interrupts == 0)
        return __real_write(fd, data, n);
    interrupts--;
    errno = EINTR;
    return -1;
}

struct post {
    struct mailbox mailbox;
    struct pool_worker worker;
    int their_jobs; /* the worker's ends */
    int their_results;
};

static void open_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) == -1 ||
        fcntl(ends[1], F_SETPIPE_SZ, 4096) == -1)
        lab_broken("pipe: %s", strerror(errno));
}

static void set_nonblocking(int fd)
{
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == -1)
        lab_broken("fcntl: %s", strerror(errno));
}

static void open_post(struct post *post)
{
    int jobs[2], results[2];
    *post = (struct post){0};
    (void)signal(SIGPIPE, SIG_IGN);
    open_pipe(jobs);
    open_pipe(results);
    set_nonblocking(jobs[1]);
    set_nonblocking(results[0]);
    post->their_jobs = jobs[0];
    post->their_results = results[1];
    post->worker = (struct pool_worker){.pid = getpid(),
                                        .slot = SLOT,
                                        .jobs_fd = jobs[1],
                                        .results_fd = results[0]};
    if (mailbox_open(&post->mailbox, &post->worker,
                     epoll_create1(EPOLL_CLOEXEC)) != 0)
        lab_broken("epoll: %s", strerror(errno));
}

/* Byte `at` of job number `i`. */
static char byte_of(int i, size_t at)
{
    return (char)(i * 31 + (int)(at % 251));
}

static int send_job(struct post *post, int i, char *text, size_t n)
{
    for (size_t at = 0; at < n; at++)
        text[at] = byte_of(i, at);
    struct iovec parts[] = {{text, n / 2}, {text + n / 2, n - n / 2}};
    return mailbox_send(&post->mailbox, FRAME_JOB, parts, 2);
}

/* Waits, and sends what the jobs pipe had no room for. Returns true if the
 * results pipe has something. */
static bool wait_for_mail(struct post *post)
{
    struct epoll_event events[4];
    bool mail = false;
    int n = epoll_wait(post->mailbox.epoll_fd, events, 4, -1);
    for (int i = 0; i < n; i++) {
        if (events[i].data.u64 == 2 * SLOT + 1)
            mailbox_writable(&post->mailbox);
        else
            mail = true;
    }
    return mail;
}

/* --- All jobs before any result ------------------------------------------ */

/* The worker's side: each job comes back as a body. */
static void answer_all(struct post *post)
{
    struct frame_reader reader = {0};
    (void)close(post->worker.jobs_fd);
    (void)close(post->worker.results_fd);
    while (frame_read(&reader, post->their_jobs) > 0) {
        struct frame frame = frame_next(&reader);
        for (; frame.type == FRAME_JOB; frame = frame_next(&reader)) {
            if (frame_write(post->their_results, FRAME_BODY, frame.at,
                            frame.length) != 0)
                _exit(1);
        }
        if (frame.type == FRAME_BROKEN)
            _exit(2);
    }
    _exit(0);
}

static void take_answers(struct post *post)
{
    size_t got = 0;
    struct frame frame;
    while (got < (size_t)JOBS * SIZE) {
        bool taken = mailbox_receive(&post->mailbox, &frame);
        if (!taken && !post->mailbox.ended) {
            post->mailbox.watched = false;
            mailbox_watch(&post->mailbox);
            (void)wait_for_mail(post);
            continue;
        }
        lab_check(taken && frame.type == FRAME_BODY,
                  "the jobs do not arrive as they were sent",
                  "flush_outbox: what it takes out of the outbox",
                  "after %zu of %d bytes mailbox_receive returned %d, with a "
                  "frame of type %d",
                  got, JOBS * SIZE, taken, (int)frame.type);
        for (size_t i = 0; i < frame.length; i++) {
            int job = (int)((got + i) / SIZE);
            lab_check(frame.at[i] == byte_of(job, (got + i) % SIZE),
                      "bytes are lost, or come twice, where the pipe was full",
                      "flush_outbox: what it takes out of the outbox",
                      "byte %zu of the answer to job %d is wrong",
                      (got + i) % SIZE, job);
        }
        got += frame.length;
        frame_took(&post->mailbox.reader, frame.length);
    }
}

static void send_all_first(void)
{
    static struct post post;
    char text[SIZE];
    open_post(&post);
    pid_t pid = fork();
    if (pid == -1)
        lab_broken("fork: %s", strerror(errno));
    if (pid == 0)
        answer_all(&post);
    (void)close(post.their_jobs);
    (void)close(post.their_results);
    look_doing("sending 30 jobs before any result is read",
               "both pipes are full, and both sides stand in write: what a "
               "pipe has no room for must be kept, and not be waited for",
               SEND);
    for (int i = 0; i < JOBS; i++) {
        int error = send_job(&post, i, text, sizeof text);
        lab_check(error == 0, "a full pipe is no error", SEND,
                  "mailbox_send returned %d for job %d", error, i);
    }
    look_doing("reading the results, and sending what was kept",
               "what was kept is never sent: nobody asked epoll to tell when "
               "there is room, or with another tag than `about` + 1",
               "mailbox_send: where it watches the jobs pipe");
    take_answers(&post);
}

static void all_jobs_before_any_result(void)
{
    look_run(send_all_first);
}

/* --- The outbox ---------------------------------------------------------- */

/* Reads what the jobs pipe holds; appends it. */
static void read_jobs(struct post *post, struct bytes *seen)
{
    char text[8192];
    ssize_t n;
    set_nonblocking(post->their_jobs);
    while ((n = read(post->their_jobs, text, sizeof text)) > 0) {
        if (bytes_append(seen, text, (size_t)n) != 0)
            lab_broken("no memory");
    }
}

static void keep_and_send(void)
{
    static struct post post;
    static char text[100000];
    struct bytes wanted = {0}, seen = {0};
    struct epoll_event event;
    open_post(&post);
    look_doing("sending a job of 100,000 bytes to a worker that does not read",
               "the parent must never wait for one worker", SEND);
    int error = send_job(&post, 7, text, sizeof text);
    struct iovec part = {text, sizeof text};
    lab_check(error == 0, "a full pipe is no error", SEND,
              "mailbox_send returned %d", error);
    error = frame_append(&wanted, FRAME_JOB, &part, 1);
    lab_check(error == 0, "the frames come first", "frame_append",
              "frame_append returned %d", error);
    look_doing("sending what was kept, as the worker reads",
               "epoll never tells that the pipe has room",
               "mailbox_send: where it watches the jobs pipe");
    while (seen.length < wanted.length) {
        read_jobs(&post, &seen);
        if (seen.length < wanted.length)
            (void)wait_for_mail(&post);
    }
    lab_check(seen.length == wanted.length &&
                  memcmp(seen.data, wanted.data, seen.length) == 0,
              "bytes are lost, or come twice, where the pipe was full",
              "flush_outbox: what it takes out of the outbox",
              "%zu bytes were sent, and %zu came, not all of them the same",
              wanted.length, seen.length);
    look_doing("waiting with nothing to send",
               "a pipe with room is always ready", SEND);
    int n = epoll_wait(post.mailbox.epoll_fd, &event, 1, 0);
    lab_check(n == 0,
              "a pipe with room is always ready: left in epoll, it makes the "
              "parent spin",
              "flush_outbox: when the outbox is empty",
              "all is sent, and epoll still tells that the jobs pipe has "
              "room");
    lab_check(post.mailbox.outbox.length == 0,
              "what was sent must not be sent again", SEND,
              "all is sent, and the outbox holds %zu bytes",
              post.mailbox.outbox.length);
}

/* The pipe has room again, and nobody has said so yet: what waits goes first.
 */
static void keep_the_order(void)
{
    static struct post post;
    static char text[10000];
    struct bytes wanted = {0}, seen = {0};
    open_post(&post);
    look_doing("sending two jobs, the second when the pipe has room again",
               "the parent must never wait for one worker", SEND);
    for (int i = 0; i < 2; i++) {
        int error = send_job(&post, i, text, sizeof text);
        struct iovec part = {text, sizeof text};
        if (error == 0)
            error = frame_append(&wanted, FRAME_JOB, &part, 1);
        lab_check(error == 0, "a full pipe is no error", SEND,
                  "mailbox_send returned %s for job %d", lab_value(error), i);
        read_jobs(&post, &seen);
    }
    while (seen.length < wanted.length && post.mailbox.outbox.length > 0) {
        (void)wait_for_mail(&post);
        read_jobs(&post, &seen);
    }
    lab_check(seen.length == wanted.length &&
                  memcmp(seen.data, wanted.data, seen.length) == 0,
              "a job overtakes what waits in the outbox: it comes out in the "
              "middle of the job before",
              "mailbox_send: when something is in the outbox already",
              "of two jobs of %zu bytes the second was sent when a part of "
              "the first was still kept: %zu bytes came, not in order",
              sizeof text, seen.length);
    bytes_free(&wanted);
    bytes_free(&seen);
}

static void what_has_no_room_is_kept(void)
{
    look_run(keep_and_send);
    look_run(keep_the_order);
}

/* --- Calls that fail ----------------------------------------------------- */

/* A signal comes in the midst of a write: nothing was written, and nothing has
 * gone wrong. */
static void send_interrupted(void)
{
    static struct post post;
    static char text[100];
    struct bytes seen = {0};
    open_post(&post);
    look_doing("sending a job while signals interrupt the write",
               "EINTR is no error: nothing was written, and it is tried again",
               SEND);
    interrupts = 2;
    int error = send_job(&post, 1, text, sizeof text);
    lab_check(error == 0,
              "EINTR is no error: nothing was written, and it is tried again",
              SEND,
              "two calls of write were interrupted, and mailbox_send "
              "returned %s",
              lab_value(error));
    while (post.mailbox.outbox.length > 0)
        (void)wait_for_mail(&post);
    interrupts = 0;
    read_jobs(&post, &seen);
    lab_check(seen.length > sizeof text,
              "EINTR is no error: nothing was written, and it is tried again",
              SEND,
              "a write was interrupted: %zu bytes of a job of %zu have come",
              seen.length, sizeof text);
    bytes_free(&seen);
}

static void calls_that_fail(void)
{
    look_run(send_interrupted);
}

static void a_dead_worker_takes_no_job(void)
{
    static struct post post;
    char text[SIZE];
    open_post(&post);
    (void)close(post.their_jobs);
    lab_doing("sending a job to a worker that is dead",
              "the error of write is not passed on", SEND);
    int error = send_job(&post, 1, text, sizeof text);
    lab_check(error == -EPIPE,
              "the caller must hear of it: the job is still the caller's",
              SEND, "mailbox_send returned %d, not -EPIPE (%d)", error,
              -EPIPE);
    lab_check(post.mailbox.outbox.length == 0,
              "the next worker in this slot would be sent the rest",
              "flush_outbox: what stays in the outbox after an error",
              "mailbox_send failed, and %zu bytes of the job are kept",
              post.mailbox.outbox.length);
}

/* A dead worker's pipe may hold more than one reading takes, and more than one
 * piece of a body. The result is what it wrote last. */
static void the_whole_rest_is_looked_at(void)
{
    static char body[1 << 20];
    struct post post;
    struct bytes frames = {0};
    open_post(&post);
    (void)fcntl(post.their_results, F_SETPIPE_SZ, 4 * FRAME_CHUNK);
    int room = fcntl(post.their_results, F_GETPIPE_SZ);
    struct iovec parts[] = {{body, ((size_t)room - 4096) / 2}, {"end", 3}};
    int error = frame_append(&frames, FRAME_BODY, &parts[0], 1);
    if (error == 0)
        error = frame_append(&frames, FRAME_BODY, &parts[0], 1);
    if (error == 0)
        error = frame_append(&frames, FRAME_RESULT, &parts[1], 1);
    lab_check(error == 0 && frames.length > 0, "no frames are made",
              "frame_append", "frame_append gives %s, and %zu bytes",
              lab_value(error), frames.length);
    if (write(post.their_results, frames.data, frames.length) !=
        (ssize_t)frames.length)
        lab_broken("a pipe of %d bytes does not take %zu", room,
                   frames.length);
    (void)close(post.their_results);
    lab_doing("draining the mailbox of a dead worker", NULL, "mailbox_drain");
    bool found = mailbox_drain(&post.mailbox);
    lab_check(found,
              "one reading is taken for all that the dead have left: what a "
              "worker had finished is done again",
              "mailbox_drain: until when it reads",
              "a dead worker has left %zu bytes, and a result behind them; "
              "mailbox_drain says that there is none",
              frames.length);
    bytes_free(&frames);
    mailbox_clear(&post.mailbox);
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"all_jobs_before_any_result", all_jobs_before_any_result},
        {"what_has_no_room_is_kept", what_has_no_room_is_kept},
        {"a_dead_worker_takes_no_job", a_dead_worker_takes_no_job},
        {"calls_that_fail", calls_that_fail},
        {"the_whole_rest_is_looked_at", the_whole_rest_is_looked_at},
        {0}};
    return lab_main(tests);
}
