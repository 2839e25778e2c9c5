/* mailbox: a frame of which the jobs pipe takes a part, epoll that has no
 * memory, and a result when memory is short. */
#include "mailbox.h"

#include "main.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define LONG 20000

static char text[LONG];

/* Both pipes of a worker; little room is left in that for jobs. */
struct post {
    int jobs[2];
    int results[2];
    int epoll_fd;
    struct pool_worker worker;
    struct mailbox mailbox;
    size_t before; /* bytes in the jobs pipe */
};

static void open_post(struct post *post, size_t room)
{
    memset(post, 0, sizeof *post);
    ck_assert_int_eq(pipe2(post->jobs, O_NONBLOCK), 0);
    ck_assert_int_eq(pipe2(post->results, O_NONBLOCK), 0);
    post->before = (size_t)fcntl(post->jobs[1], F_GETPIPE_SZ) - room;
    for (size_t n = 0; n < post->before; n += 4096)
        ck_assert_int_eq(write(post->jobs[1], text, 4096), 4096);
    post->worker.jobs_fd = post->jobs[1];
    post->worker.results_fd = post->results[0];
    post->worker.slot = 7;
    post->epoll_fd = epoll_create1(0);
    ck_assert_int_eq(
        mailbox_open(&post->mailbox, &post->worker, post->epoll_fd), 0);
}

static int send_job(struct post *post, size_t n)
{
    struct iovec part = {text, n};
    return mailbox_send(&post->mailbox, FRAME_JOB, &part, 1);
}

/* Reads the jobs pipe until there is nothing, or its end. */
static size_t read_out(struct post *post, bool *ended)
{
    char room[4096];
    size_t all = 0;
    ssize_t n;
    while ((n = read(post->jobs[0], room, sizeof room)) > 0)
        all += (size_t)n;
    *ended = n == 0;
    return all - post->before;
}

/* What epoll tells now; -1: nothing. */
static int hear(struct post *post)
{
    struct epoll_event event;
    int n = epoll_wait(post->epoll_fd, &event, 1, 0);
    return n == 1 ? (int)event.data.u64 : -1;
}

static void close_post(struct post *post)
{
    mailbox_clear(&post->mailbox);
    if (post->worker.jobs_fd != -1)
        (void)close(post->worker.jobs_fd);
    (void)close(post->jobs[0]);
    (void)close(post->results[0]);
    (void)close(post->results[1]);
    (void)close(post->epoll_fd);
}

START_TEST(the_rest_follows)
{
    struct post post;
    bool ended;
    open_post(&post, 8192);
    ck_assert_int_eq(send_job(&post, LONG), 0);
    ck_assert_int_eq(hear(&post), -1);
    ck_assert_uint_eq(read_out(&post, &ended), 8192);
    ck_assert_int_eq(hear(&post), 15);
    mailbox_writable(&post.mailbox);
    ck_assert_int_eq(hear(&post), -1);
    post.before = 0;
    ck_assert_uint_eq(read_out(&post, &ended), LONG + 8 - 8192);
    ck_assert(!ended);
    close_post(&post);
}
END_TEST

/* The rest cannot be written. No other frame may complete it. */
START_TEST(half_a_frame)
{
    struct post post;
    bool ended;
    int reader = -1;
    open_post(&post, 8192);
    ck_assert_int_eq(send_job(&post, LONG), 0);
    /* The worker holds the other end; a write to this one fails. */
    reader = open("/dev/null", O_RDONLY);
    int own = dup(post.jobs[1]);
    ck_assert_int_ne(dup2(reader, post.jobs[1]), -1);
    mailbox_writable(&post.mailbox);
    (void)close(own);
    (void)close(reader);
    ck_assert_int_eq(post.worker.jobs_fd, -1);
    ck_assert_uint_eq(read_out(&post, &ended), 8192);
    ck_assert(ended);
    close_post(&post);
}
END_TEST

/* It can be opened later, and nothing was sent. */
START_TEST(no_epoll)
{
    struct post post;
    struct mailbox mailbox = {0};
    open_post(&post, 0);
    ck_assert_int_eq(mailbox_open(&mailbox, &post.worker, post.jobs[0]),
                     -EINVAL);
    ck_assert(!mailbox.open);
    int epoll_fd = epoll_create1(0);
    ck_assert_int_eq(mailbox_open(&mailbox, &post.worker, epoll_fd), 0);
    ck_assert(mailbox.open);
    mailbox_clear(&mailbox);
    (void)close(epoll_fd);
    close_post(&post);
}
END_TEST

/* Epoll tells once of the results pipe, and only when it was asked. */
START_TEST(told_once)
{
    struct post post;
    struct frame frame;
    open_post(&post, 0);
    ck_assert_int_eq(frame_write(post.results[1], FRAME_RESULT, "end", 3), 0);
    ck_assert_int_eq(hear(&post), -1);
    mailbox_watch(&post.mailbox);
    ck_assert_int_eq(hear(&post), 14);
    ck_assert_int_eq(hear(&post), -1);
    ck_assert(mailbox_receive(&post.mailbox, &frame));
    ck_assert_int_eq(frame.type, FRAME_RESULT);
    ck_assert(!mailbox_receive(&post.mailbox, &frame));
    ck_assert(!post.mailbox.ended);
    close_post(&post);
}
END_TEST

/* A body, and a result behind it, that a dead worker left: the result is found
 * and both are still to be taken. */
START_TEST(drained)
{
    struct post post;
    struct frame frame;
    open_post(&post, 0);
    ck_assert_int_eq(frame_write(post.results[1], FRAME_BODY, text, 5000), 0);
    ck_assert_int_eq(frame_write(post.results[1], FRAME_RESULT, "end", 3), 0);
    ck_assert(mailbox_drain(&post.mailbox));
    ck_assert(mailbox_receive(&post.mailbox, &frame));
    ck_assert_int_eq(frame.type, FRAME_BODY);
    ck_assert_uint_eq(frame.length, 5000);
    frame_took(&post.mailbox.reader, frame.length);
    ck_assert(mailbox_receive(&post.mailbox, &frame));
    ck_assert_int_eq(frame.type, FRAME_RESULT);
    close_post(&post);
}
END_TEST

static void add_cases(TCase *tc)
{
    tcase_add_test(tc, the_rest_follows);
    tcase_add_test(tc, half_a_frame);
    tcase_add_test(tc, no_epoll);
    tcase_add_test(tc, told_once);
    tcase_add_test(tc, drained);
}

UNIT_MAIN("mailbox", add_cases)
