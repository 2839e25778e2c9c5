/* mailbox: a frame of which the jobs pipe takes a part, and then nothing is to
 * be had that would tell when it takes the rest. */
#include "mailbox.h"

#include "main.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define LONG 20000

static char text[LONG];

/* A jobs pipe in which little room is left, and that epoll cannot watch. */
struct post {
    int ends[2];
    struct pool_worker worker;
    struct mailbox mailbox;
    size_t before; /* bytes in the pipe */
};

static void open_post(struct post *post, size_t room, int epoll_fd)
{
    memset(post, 0, sizeof *post);
    ck_assert_int_eq(pipe2(post->ends, O_NONBLOCK), 0);
    post->before = (size_t)fcntl(post->ends[1], F_GETPIPE_SZ) - room;
    for (size_t n = 0; n < post->before; n += 4096)
        ck_assert_int_eq(write(post->ends[1], text, 4096), 4096);
    post->worker.jobs_fd = post->ends[1];
    post->mailbox.worker = &post->worker;
    post->mailbox.epoll_fd = epoll_fd;
    mailbox_open(&post->mailbox);
}

static int send_job(struct post *post, size_t n)
{
    struct iovec part = {text, n};
    return mailbox_send(&post->mailbox, FRAME_JOB, &part, 1);
}

/* Reads the pipe until there is nothing, or its end. */
static size_t read_out(struct post *post, bool *ended)
{
    char room[4096];
    size_t all = 0;
    ssize_t n;
    while ((n = read(post->ends[0], room, sizeof room)) > 0)
        all += (size_t)n;
    *ended = n == 0;
    return all - post->before;
}

static void close_post(struct post *post)
{
    mailbox_clear(&post->mailbox);
    if (post->worker.jobs_fd != -1)
        (void)close(post->worker.jobs_fd);
    (void)close(post->ends[0]);
}

START_TEST(half_a_frame)
{
    struct post post;
    bool ended;
    open_post(&post, 8192, -1);
    ck_assert_int_eq(send_job(&post, LONG), -EPIPE);
    /* No other frame may complete it. */
    ck_assert_int_eq(post.worker.jobs_fd, -1);
    ck_assert_uint_eq(read_out(&post, &ended), 8192);
    ck_assert(ended);
    close_post(&post);
}
END_TEST

START_TEST(nothing_of_a_frame)
{
    struct post post;
    bool ended;
    open_post(&post, 0, -1);
    ck_assert_int_eq(send_job(&post, 100), -EBADF);
    /* The worker has got nothing, and can be sent another. */
    ck_assert_int_ne(post.worker.jobs_fd, -1);
    mailbox_clear(&post.mailbox);
    ck_assert_uint_eq(read_out(&post, &ended), 0);
    ck_assert_int_eq(send_job(&post, 100), 0);
    post.before = 0;
    ck_assert_uint_eq(read_out(&post, &ended), 108);
    close_post(&post);
}
END_TEST

START_TEST(the_rest_follows)
{
    struct post post;
    bool ended;
    int epoll_fd = epoll_create1(0);
    open_post(&post, 8192, epoll_fd);
    ck_assert_int_eq(send_job(&post, LONG), 0);
    ck_assert(post.mailbox.outbox_watched);
    ck_assert_uint_eq(read_out(&post, &ended), 8192);
    mailbox_writable(&post.mailbox);
    ck_assert(!post.mailbox.outbox_watched);
    post.before = 0;
    ck_assert_uint_eq(read_out(&post, &ended), LONG + 8 - 8192);
    ck_assert(!ended);
    close_post(&post);
    (void)close(epoll_fd);
}
END_TEST

static void add_cases(TCase *tc)
{
    tcase_add_test(tc, half_a_frame);
    tcase_add_test(tc, nothing_of_a_frame);
    tcase_add_test(tc, the_rest_follows);
}

UNIT_MAIN("mailbox", add_cases)
