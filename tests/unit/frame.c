/* frame: messages over a pipe, one byte at a time, short writes, garbage. */
#include "frame.h"

#include "guard.h"
#include "main.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>

/* A job, a body, an empty body, a result. */
static void make_frames(struct bytes *out)
{
    struct iovec job[] = {
        {(void *)"abc", 3}, {NULL, 0}, {(void *)"defg", 4}};
    struct iovec body = {(void *)"0123456789", 10};
    struct iovec empty = {NULL, 0};
    struct iovec result = {(void *)"end", 3};
    ck_assert_int_eq(frame_append(out, FRAME_JOB, job, 3), 0);
    ck_assert_int_eq(frame_append(out, FRAME_BODY, &body, 1), 0);
    ck_assert_int_eq(frame_append(out, FRAME_BODY, &empty, 1), 0);
    ck_assert_int_eq(frame_append(out, FRAME_RESULT, &result, 1), 0);
}

/* Feeds bytes and writes down what came of them: "J:abcdefg B:0123456789" */
static void note(struct frame_reader *reader, const char *bytes, size_t n,
                 struct bytes *notes)
{
    struct guard guard;
    char *p = guard_copy(&guard, bytes, n);
    size_t used = 0;
    while (used < n) {
        struct frame frame;
        size_t took = frame_feed(reader, p + used, n - used, &frame);
        ck_assert_uint_gt(took, 0);
        ck_assert_uint_le(took, n - used);
        used += took;
        const char *name = frame.type == FRAME_JOB      ? "J"
                           : frame.type == FRAME_RESULT ? "R"
                           : frame.type == FRAME_BODY   ? ""
                           : frame.type == FRAME_BROKEN ? "X"
                                                        : NULL;
        if (name != NULL)
            ck_assert_int_eq(bytes_print(notes, "%s%.*s", name,
                                         (int)frame.length,
                                         frame.length > 0 ? frame.at : ""),
                             0);
    }
    guard_free(&guard);
}

START_TEST(split_at_every_byte)
{
    struct bytes frames = {0};
    make_frames(&frames);
    for (size_t split = 0; split <= frames.length; split++) {
        struct frame_reader reader = {0};
        struct bytes notes = {0};
        note(&reader, frames.data, split, &notes);
        note(&reader, frames.data + split, frames.length - split, &notes);
        ck_assert_uint_eq(notes.length, strlen("Jabcdefg0123456789Rend"));
        ck_assert_mem_eq(notes.data, "Jabcdefg0123456789Rend", notes.length);
        bytes_free(&notes);
        frame_free(&reader);
    }
    bytes_free(&frames);
}
END_TEST

START_TEST(one_byte_at_a_time)
{
    struct bytes frames = {0};
    struct frame_reader reader = {0};
    struct bytes notes = {0};
    for (int i = 0; i < 3; i++)
        make_frames(&frames);
    for (size_t i = 0; i < frames.length; i++)
        note(&reader, frames.data + i, 1, &notes);
    ck_assert_uint_eq(notes.length, 3 * strlen("Jabcdefg0123456789Rend"));
    bytes_free(&notes);
    bytes_free(&frames);
    frame_free(&reader);
}
END_TEST

START_TEST(garbage_is_no_frame)
{
    static const unsigned char cases[][8] = {
        {0, 0, 0, 0, 1, 0, 0, 0},
        {9, 0, 0, 0, 1, 0, 0, 0},
        {1, 0, 0, 0, 0, 0, 0, 0xff},
        {3, 0, 0, 0, 1, 0, 4, 0},
        {'G', 'E', 'T', ' ', '/', ' ', 'H', 'T'},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct frame_reader reader = {0};
        struct bytes notes = {0};
        note(&reader, (const char *)cases[i], 8, &notes);
        ck_assert_uint_eq(notes.length, 1);
        ck_assert_mem_eq(notes.data, "X", 1);
        bytes_free(&notes);
        frame_free(&reader);
    }
}
END_TEST

static char big[300000];

/* The child writes, through a pipe much smaller than the frame; the parent
 * reads one byte at a time. Nothing is lost, nothing is torn. */
START_TEST(through_a_small_pipe)
{
    int ends[2];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7 + i / 251);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_ne(fcntl(ends[1], F_SETPIPE_SZ, 4096), -1);
    pid_t pid = fork();
    ck_assert_int_ne(pid, -1);
    if (pid == 0) {
        (void)close(ends[0]);
        int error = frame_write(ends[1], FRAME_BODY, big, sizeof big);
        if (error == 0)
            error = frame_write(ends[1], FRAME_RESULT, "end", 3);
        _exit(error == 0 ? 0 : 1);
    }
    (void)close(ends[1]);
    struct frame_reader reader = {0};
    struct bytes body = {0};
    bool ended = false;
    char byte;
    while (read(ends[0], &byte, 1) == 1) {
        struct frame frame;
        ck_assert_uint_eq(frame_feed(&reader, &byte, 1, &frame), 1);
        ck_assert_int_ne(frame.type, FRAME_BROKEN);
        if (frame.type == FRAME_BODY)
            ck_assert_int_eq(bytes_append(&body, frame.at, frame.length), 0);
        if (frame.type == FRAME_RESULT)
            ended = frame.length == 3;
    }
    ck_assert(ended);
    ck_assert_uint_eq(body.length, sizeof big);
    ck_assert_mem_eq(body.data, big, sizeof big);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    bytes_free(&body);
    frame_free(&reader);
    (void)close(ends[0]);
}
END_TEST

START_TEST(nobody_reads)
{
    int ends[2];
    (void)signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe(ends), 0);
    (void)close(ends[0]);
    ck_assert_int_eq(frame_write(ends[1], FRAME_RESULT, "x", 1), -EPIPE);
    (void)close(ends[1]);
}
END_TEST

static void add_cases(TCase *tc)
{
    tcase_add_test(tc, split_at_every_byte);
    tcase_add_test(tc, one_byte_at_a_time);
    tcase_add_test(tc, garbage_is_no_frame);
    tcase_add_test(tc, through_a_small_pipe);
    tcase_add_test(tc, nobody_reads);
}

UNIT_MAIN("frame", add_cases)
