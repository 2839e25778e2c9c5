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
    struct iovec job[] = {{(void *)"abc", 3}, {NULL, 0}, {(void *)"defg", 4}};
    struct iovec body = {(void *)"0123456789", 10};
    struct iovec empty = {NULL, 0};
    struct iovec result = {(void *)"end", 3};
    ck_assert_int_eq(frame_append(out, FRAME_JOB, job, 3), 0);
    ck_assert_int_eq(frame_append(out, FRAME_BODY, &body, 1), 0);
    ck_assert_int_eq(frame_append(out, FRAME_BODY, &empty, 1), 0);
    ck_assert_int_eq(frame_append(out, FRAME_RESULT, &result, 1), 0);
}

/* A reader, and what it has read: against a guard page. */
struct feed {
    struct frame_reader reader;
    struct guard guard;
};

/* Gives it bytes, behind those that it has not used. */
static void give(struct feed *feed, const char *p, size_t n)
{
    struct frame_reader *reader = &feed->reader;
    struct guard before = feed->guard;
    struct bytes all = {0};
    if (reader->in.length > reader->used)
        ck_assert_int_eq(bytes_append(&all, reader->in.data + reader->used,
                                      reader->in.length - reader->used),
                         0);
    ck_assert_int_eq(bytes_append(&all, p, n), 0);
    reader->in =
        (struct bytes){.data = guard_copy(&feed->guard, all.data, all.length),
                       .length = all.length,
                       .capacity = all.length,
                       .lent = true};
    reader->used = 0;
    bytes_free(&all);
    if (before.map != NULL)
        guard_free(&before);
}

/* Gives bytes and writes down what came of them: "Jabcdefg0123456789Rend" */
static void note(struct feed *feed, const char *p, size_t n,
                 struct bytes *notes)
{
    struct frame frame;
    give(feed, p, n);
    do {
        frame = frame_next(&feed->reader);
        const char *name = frame.type == FRAME_JOB      ? "J"
                           : frame.type == FRAME_RESULT ? "R"
                           : frame.type == FRAME_BROKEN ? "X"
                                                        : "";
        ck_assert_int_eq(bytes_print(notes, "%s%.*s", name, (int)frame.length,
                                     frame.length > 0 ? frame.at : ""),
                         0);
        if (frame.type == FRAME_BODY) {
            ck_assert_uint_gt(frame.length, 0);
            frame_took(&feed->reader, frame.length);
        }
    } while (frame.type != FRAME_NONE && frame.type != FRAME_BROKEN);
}

static void end_feed(struct feed *feed)
{
    if (feed->guard.map != NULL)
        guard_free(&feed->guard);
}

START_TEST(split_at_every_byte)
{
    struct bytes frames = {0};
    make_frames(&frames);
    for (size_t split = 0; split <= frames.length; split++) {
        struct feed feed = {0};
        struct bytes notes = {0};
        note(&feed, frames.data, split, &notes);
        note(&feed, frames.data + split, frames.length - split, &notes);
        ck_assert_uint_eq(notes.length, strlen("Jabcdefg0123456789Rend"));
        ck_assert_mem_eq(notes.data, "Jabcdefg0123456789Rend", notes.length);
        bytes_free(&notes);
        end_feed(&feed);
    }
    bytes_free(&frames);
}
END_TEST

START_TEST(one_byte_at_a_time)
{
    struct bytes frames = {0};
    struct feed feed = {0};
    struct bytes notes = {0};
    for (int i = 0; i < 3; i++)
        make_frames(&frames);
    for (size_t i = 0; i < frames.length; i++)
        note(&feed, frames.data + i, 1, &notes);
    ck_assert_uint_eq(notes.length, 3 * strlen("Jabcdefg0123456789Rend"));
    bytes_free(&notes);
    bytes_free(&frames);
    end_feed(&feed);
}
END_TEST

/* Of a body that is here, a part is taken at a time. */
START_TEST(taken_in_parts)
{
    struct bytes frames = {0};
    struct iovec body = {(void *)"0123456789", 10};
    struct feed feed = {0};
    ck_assert_int_eq(frame_append(&frames, FRAME_BODY, &body, 1), 0);
    give(&feed, frames.data, frames.length - 2);
    for (int i = 0; i < 8; i++) {
        struct frame frame = frame_next(&feed.reader);
        ck_assert_int_eq(frame.type, FRAME_BODY);
        ck_assert_uint_eq(frame.length, (size_t)(8 - i));
        ck_assert_int_eq(*frame.at, '0' + i);
        frame_took(&feed.reader, 1);
    }
    ck_assert_int_eq(frame_next(&feed.reader).type, FRAME_NONE);
    give(&feed, frames.data + frames.length - 2, 2);
    ck_assert_uint_eq(frame_next(&feed.reader).length, 2);
    frame_took(&feed.reader, 2);
    ck_assert_int_eq(frame_next(&feed.reader).type, FRAME_NONE);
    bytes_free(&frames);
    end_feed(&feed);
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
        struct feed feed = {0};
        struct bytes notes = {0};
        note(&feed, (const char *)cases[i], 8, &notes);
        ck_assert_uint_eq(notes.length, 1);
        ck_assert_mem_eq(notes.data, "X", 1);
        bytes_free(&notes);
        end_feed(&feed);
    }
}
END_TEST

static char big[300000];

/* The child writes, through a pipe much smaller than the frame; the parent
 * reads. Nothing is lost, nothing is torn, and no body is gathered. */
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
    while (frame_read(&reader, ends[0]) > 0) {
        struct frame frame = frame_next(&reader);
        while (frame.type == FRAME_BODY) {
            ck_assert_int_eq(bytes_append(&body, frame.at, frame.length), 0);
            frame_took(&reader, frame.length);
            frame = frame_next(&reader);
        }
        ck_assert_int_ne(frame.type, FRAME_BROKEN);
        if (frame.type == FRAME_RESULT)
            ended = frame.length == 3;
    }
    ck_assert_uint_le(reader.in.capacity, 2 * FRAME_CHUNK);
    ck_assert(ended);
    ck_assert_uint_eq(body.length, sizeof big);
    ck_assert_mem_eq(body.data, big, sizeof big);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    bytes_free(&body);
    bytes_free(&reader.in);
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
    tcase_add_test(tc, taken_in_parts);
    tcase_add_test(tc, garbage_is_no_frame);
    tcase_add_test(tc, through_a_small_pipe);
    tcase_add_test(tc, nobody_reads);
}

UNIT_MAIN("frame", add_cases)
