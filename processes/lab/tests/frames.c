/*
 * The frames: whole, in pieces, one byte at a time, and what is none.
 *
 * What a header looks like is the student's to choose: frames are made with
 * frame_append or frame_write, and found with frame_next. write, writev and
 * realloc are wrapped, to take little at a time or to fail.
 */
#include "frame.h"
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEXT   "frame_next: what it does when a frame is not whole yet"
#define LENGTH "frame_next: what a header may say"
#define APPEND "frame_append: which bytes it puts behind each other"
#define WRITE  "frame_write: what it does with the number that write returned"

/* --- Calls that do what they may do, but seldom do ----------------------- */

static bool meddling;    /* write and writev take a few bytes, or EINTR */
static unsigned meddled; /* how often */
static unsigned empty_writes;
static long reallocs_left = -1; /* -1: without limit */

ssize_t __real_write(int fd, const void *data, size_t n);
ssize_t __wrap_write(int fd, const void *data, size_t n);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int n);
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);

ssize_t __wrap_write(int fd, const void *data, size_t n)
{
    lab_check(n > 0 || empty_writes++ < 100,
              "a write of nothing takes nothing: who goes on until it has "
              "taken something never ends",
              "frame_write: until when it goes on",
              "write was called %u times with nothing to write", empty_writes);
    if (!meddling || n == 0)
        return __real_write(fd, data, n);
    unsigned turn = meddled++;
    if (turn % 5 == 2) {
        errno = EINTR;
        return -1;
    }
    size_t most = turn % 7 + 1;
    return __real_write(fd, data, n < most ? n : most);
}

/* Gathered here, so that every call has its share of the meddling. */
ssize_t __wrap_writev(int fd, const struct iovec *parts, int n)
{
    size_t length = 0;
    for (int i = 0; i < n; i++)
        length += parts[i].iov_len;
    char *all = malloc(length + 1);
    if (all == NULL)
        lab_broken("no memory");
    length = 0;
    for (int i = 0; i < n; i++) {
        if (parts[i].iov_len > 0)
            memcpy(all + length, parts[i].iov_base, parts[i].iov_len);
        length += parts[i].iov_len;
    }
    ssize_t done = __wrap_write(fd, all, length);
    int error = errno;
    free(all);
    errno = error;
    return done;
}

void *__wrap_realloc(void *memory, size_t size)
{
    if (reallocs_left == 0) {
        errno = ENOMEM;
        return NULL;
    }
    if (reallocs_left > 0)
        reallocs_left--;
    return __real_realloc(memory, size);
}

/* --- What the tests are made of ------------------------------------------ */

static void append(struct bytes *out, enum frame_type type, const char *text)
{
    struct iovec part = {(void *)text, strlen(text)};
    int error = frame_append(out, type, &part, 1);
    lab_check(error == 0, "the stub, or an error that is none", APPEND,
              "frame_append returned %d for a frame of %zu bytes", error,
              strlen(text));
}

/* A job, a body, an empty body, a result: "J<abcdefg>0123456789R<end>". */
static void append_four(struct bytes *out)
{
    struct iovec job[] = {{(void *)"abc", 3}, {NULL, 0}, {(void *)"defg", 4}};
    int error = frame_append(out, FRAME_JOB, job, 3);
    lab_check(error == 0, "the stub, or an error that is none", APPEND,
              "frame_append returned %d for a job of three parts", error);
    append(out, FRAME_BODY, "0123456789");
    append(out, FRAME_BODY, "");
    append(out, FRAME_RESULT, "end");
}

static const char four[] = "J<abcdefg>0123456789R<end>";

/* Puts bytes behind those that the reader has not used, as frame_read does. All
 * lie in a block of their own, so that the address sanitizer sees who reads
 * past their end. */
static void give(struct frame_reader *reader, const char *p, size_t n)
{
    size_t rest = reader->in.length - reader->used;
    char *block = malloc(rest + n > 0 ? rest + n : 1);
    if (block == NULL)
        lab_broken("no memory");
    if (rest > 0)
        memcpy(block, reader->in.data + reader->used, rest);
    if (n > 0)
        memcpy(block + rest, p, n);
    free(reader->in.data);
    reader->in = (struct bytes){
        .data = block, .length = rest + n, .capacity = rest + n, .lent = true};
    reader->used = 0;
}

static void end_reader(struct frame_reader *reader)
{
    free(reader->in.data);
    *reader = (struct frame_reader){0};
}

/* frame_next, and what holds for every call of it. */
static struct frame next(struct frame_reader *reader)
{
    size_t before = reader->used;
    struct frame frame = frame_next(reader);
    const char *from = reader->in.data, *end = from + reader->in.length;
    lab_check(reader->used >= before && reader->used <= reader->in.length,
              "it says that it has used what is not there",
              "frame_next: reader->used",
              "of %zu bytes %zu were used, and then %zu", reader->in.length,
              before, reader->used);
    if (frame.type == FRAME_NONE || frame.type == FRAME_BROKEN)
        return frame;
    lab_check(frame.length == 0 ||
                  (frame.at >= from && frame.at + frame.length <= end),
              "a frame stands in what was read: nothing is copied",
              "frame_next: frame.at and frame.length",
              "a frame of type %d and %zu bytes does not stand in the %zu "
              "bytes that were read",
              (int)frame.type, frame.length, reader->in.length);
    if (frame.type == FRAME_BODY)
        lab_check(frame.length > 0 && frame.length <= reader->body &&
                      frame.at == from + reader->used,
                  "frame_took takes from reader->body, and moves "
                  "reader->used on: a body is found where that is",
                  "frame_next, FRAME_BODY",
                  "a body of %zu bytes was found, %zu are still to be taken, "
                  "and it does not begin at reader->used",
                  frame.length, reader->body);
    else
        lab_check(reader->used > before,
                  "a message is found once: then it is used",
                  "frame_next: reader->used",
                  "a message of %zu bytes was found, and reader->used is %zu, "
                  "as before",
                  frame.length, before);
    return frame;
}

/* Finds all that is there, and writes down what came of it. */
static void note(struct frame_reader *reader, const char *bytes, size_t n,
                 struct bytes *notes)
{
    struct frame frame;
    give(reader, bytes, n);
    do {
        int error = 0;
        frame = next(reader);
        lab_check(frame.type != FRAME_BROKEN,
                  "one read is not one record: a piece may end anywhere, in a "
                  "header as well",
                  NEXT,
                  "frames that are right were read, and a piece of %zu bytes "
                  "gave FRAME_BROKEN, after \"%.*s\"",
                  n, (int)notes->length, notes->length > 0 ? notes->data : "");
        if (frame.type == FRAME_BODY) {
            error = bytes_append(notes, frame.at, frame.length);
            frame_took(reader, frame.length);
        } else if (frame.type != FRAME_NONE) {
            error = bytes_print(
                notes, "%s<%.*s>", frame.type == FRAME_JOB ? "J" : "R",
                (int)frame.length, frame.length > 0 ? frame.at : "");
        }
        if (error != 0)
            lab_broken("no memory");
    } while (frame.type != FRAME_NONE);
}

static void check_notes(const struct bytes *notes, const char *wanted,
                        const char *how)
{
    lab_check(notes->length == strlen(wanted) &&
                  memcmp(notes->data, wanted, notes->length) == 0,
              "frames are not put together again as they were", NEXT,
              "reading %s, it gave %.*s instead of %s", how,
              (int)notes->length, notes->length > 0 ? notes->data : "",
              wanted);
}

/* --- The tests ----------------------------------------------------------- */

static void a_frame_comes_out_whole(void)
{
    struct bytes frames = {0};
    struct frame_reader reader = {0};
    struct frame frame;
    struct iovec parts[] = {{(void *)"ab", 2}, {(void *)"c", 1}};
    lab_doing("appending one frame, and reading it whole",
              "what is appended is not what is found", APPEND);
    int error = frame_append(&frames, FRAME_RESULT, parts, 2);
    lab_check(error == 0, "the stub, or an error that is none", APPEND,
              "frame_append returned %d", error);
    lab_check(frames.length > 3, "a header must say how long the message is",
              APPEND, "a message of 3 bytes became %zu bytes", frames.length);
    give(&reader, frames.data, frames.length);
    frame = next(&reader);
    lab_check(frame.type == FRAME_RESULT && reader.used == reader.in.length,
              "the header does not say what was appended", NEXT,
              "of a whole frame of %zu bytes it used %zu and found type %d",
              frames.length, reader.used, (int)frame.type);
    lab_check(frame.length == 3 && memcmp(frame.at, "abc", 3) == 0,
              "the message is the parts, one behind the other", NEXT,
              "\"ab\" and \"c\" came out as %zu bytes: \"%.*s\"", frame.length,
              (int)frame.length, frame.at);
    bytes_free(&frames);
    end_reader(&reader);
}

/* It is whole with its header: what comes next may come much later. */
static void an_empty_message(void)
{
    struct bytes frames = {0};
    struct frame_reader reader = {0};
    struct frame frame = {.type = FRAME_NONE};
    append(&frames, FRAME_RESULT, "");
    lab_doing("reading an empty result", NULL, NEXT);
    for (size_t i = 0; i < frames.length; i++) {
        give(&reader, frames.data + i, 1);
        frame = next(&reader);
    }
    lab_check(frame.type == FRAME_RESULT && frame.length == 0,
              "whoever waits for a byte of it waits for one of the next frame",
              "frame_next: a message of no bytes, when its header is whole",
              "the frame of an empty result has come, all of it, and its type "
              "is %d",
              (int)frame.type);
    bytes_free(&frames);
    end_reader(&reader);
}

/* A body is handed on as it comes, be it a byte. */
static void a_byte_is_a_piece(void)
{
    struct bytes frames = {0};
    struct frame_reader reader = {0};
    append(&frames, FRAME_BODY, "ab");
    lab_doing("reading a body of two bytes, of which one has come",
              "one read is not one record", NEXT);
    give(&reader, frames.data, frames.length - 1);
    struct frame frame = next(&reader);
    lab_check(frame.type == FRAME_BODY && frame.length == 1 &&
                  frame.at[0] == 'a',
              "who waits for the rest of a body has what has come of it", NEXT,
              "of a body of two bytes one has come: type %d, %zu bytes",
              (int)frame.type, frame.length);
    bytes_free(&frames);
    end_reader(&reader);
}

static void one_byte_at_a_time(void)
{
    struct bytes frames = {0};
    struct bytes notes = {0};
    struct frame_reader reader = {0};
    lab_doing("reading four frames, one byte at a time",
              "one read is not one record", NEXT);
    append_four(&frames);
    for (size_t i = 0; i < frames.length; i++)
        note(&reader, frames.data + i, 1, &notes);
    check_notes(&notes, four, "one byte at a time");
    bytes_free(&notes);
    bytes_free(&frames);
    end_reader(&reader);
    an_empty_message();
    a_byte_is_a_piece();
}

static void split_at_every_byte(void)
{
    struct bytes frames = {0};
    lab_doing("reading four frames in two pieces",
              "a piece may end anywhere: in a header, between two frames",
              NEXT);
    append_four(&frames);
    for (size_t split = 0; split <= frames.length; split++) {
        struct frame_reader reader = {0};
        struct bytes notes = {0};
        char how[60];
        (void)snprintf(how, sizeof how, "%zu and then %zu bytes", split,
                       frames.length - split);
        note(&reader, frames.data, split, &notes);
        note(&reader, frames.data + split, frames.length - split, &notes);
        check_notes(&notes, four, how);
        bytes_free(&notes);
        end_reader(&reader);
    }
    bytes_free(&frames);
}

/* Longer than any number of 24 bits. */
static void a_body_of_many_megabytes(void)
{
    static char piece[600000];
    struct iovec parts[30];
    struct bytes frames = {0};
    struct frame_reader reader = {0};
    struct frame frame = {.type = FRAME_NONE};
    size_t given = 0, got = 0, all = 30 * sizeof piece;
    for (int i = 0; i < 30; i++)
        parts[i] = (struct iovec){piece, sizeof piece};
    lab_doing("reading a body of 18,000,000 bytes", NULL, NEXT);
    int error = frame_append(&frames, FRAME_BODY, parts, 30);
    lab_check(error == 0, "bodies come in any length", APPEND,
              "frame_append returned %d for a body of %zu bytes", error, all);
    append(&frames, FRAME_RESULT, "end");
    while (given < frames.length && frame.type != FRAME_RESULT &&
           frame.type != FRAME_BROKEN) {
        size_t n =
            frames.length - given < 65536 ? frames.length - given : 65536;
        give(&reader, frames.data + given, n);
        given += n;
        for (frame = next(&reader); frame.type == FRAME_BODY;
             frame = next(&reader)) {
            got += frame.length;
            frame_took(&reader, frame.length);
        }
    }
    lab_check(got == all && frame.type == FRAME_RESULT,
              "the length is kept in too few bits",
              "the header: how many bits of a length it has room for",
              "%zu of %zu bytes came out, and then type %d", got, all,
              (int)frame.type);
    bytes_free(&frames);
    end_reader(&reader);
}

/* Binary, longer than any buffer, and with two more frames behind it. */
static void a_body_of_any_length(void)
{
    static char body[600000];
    struct bytes frames = {0};
    struct frame_reader reader = {0};
    struct frame frame;
    size_t given = 0, got = 0, held = 0;
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)(i * 7 + i / 251);
    struct iovec part = {body, sizeof body};
    lab_doing("reading a body of 600,000 bytes in pieces of 4,096",
              "pieces of a body are lost, or gathered", NEXT);
    int error = frame_append(&frames, FRAME_BODY, &part, 1);
    lab_check(error == 0, "bodies come in any length", APPEND,
              "frame_append returned %d for a body of 600,000 bytes", error);
    append(&frames, FRAME_RESULT, "end");
    do {
        size_t n = frames.length - given < 4096 ? frames.length - given : 4096;
        give(&reader, frames.data + given, n);
        given += n;
        for (frame = next(&reader); frame.type == FRAME_BODY;
             frame = next(&reader)) {
            lab_check(got + frame.length <= sizeof body &&
                          memcmp(frame.at, body + got, frame.length) == 0,
                      "a piece is lost, or comes twice", NEXT,
                      "the piece of %zu bytes behind byte %zu is not what "
                      "was sent",
                      frame.length, got);
            got += frame.length;
            frame_took(&reader, frame.length);
        }
        if (held < reader.in.length - reader.used)
            held = reader.in.length - reader.used;
    } while (frame.type != FRAME_RESULT && frame.type != FRAME_BROKEN &&
             given < frames.length);
    lab_check(got == sizeof body && frame.type == FRAME_RESULT,
              "the end of the body is not where its header says", NEXT,
              "%zu of 600,000 bytes came out, and then type %d", got,
              (int)frame.type);
    lab_check(held < 65536, "a body is not gathered: it may be of any length",
              "frame_next, FRAME_BODY",
              "the reader holds %zu bytes of a body that could be taken",
              held);
    bytes_free(&frames);
    end_reader(&reader);
    a_body_of_many_megabytes();
}

/* Whatever the header: all ones is no type, and no length. */
/* Where in the header the length stands, the student has chosen; so it is
 * looked for: in the headers of messages that are 1, 256 and 65536 bytes long
 * a byte each is 1, all else being as in that of an empty one. Returns false
 * if it is not so. */
static bool find_length(char *header, int *places)
{
    static char message[65536];
    struct bytes empty = {0};
    struct iovec part = {message, 0};
    bool found =
        frame_append(&empty, FRAME_JOB, &part, 1) == 0 && empty.length == 8;
    if (found)
        memcpy(header, empty.data, empty.length);
    for (int i = 0; i < 3 && found; i++) {
        struct bytes frames = {0};
        part.iov_len = (size_t)1 << 8 * i;
        places[i] = -1;
        found = frame_append(&frames, FRAME_JOB, &part, 1) == 0;
        for (size_t at = 0; at < empty.length && found; at++) {
            if (frames.data[at] == header[at])
                continue;
            found = places[i] == -1 && header[at] == 0 && frames.data[at] == 1;
            places[i] = (int)at;
        }
        found = found && places[i] != -1;
        bytes_free(&frames);
    }
    places[3] = 2 * places[2] - places[1];
    found = found && places[3] >= 0 && places[3] < (int)empty.length &&
            places[2] - places[1] == places[1] - places[0] &&
            header[places[3]] == 0;
    bytes_free(&empty);
    return found;
}

/* A length that is FRAME_MOST or less once 32 bits have overflowed. */
static void lengths_near_4_gib(void)
{
    char header[8], bytes[64] = {0};
    int places[4];
    if (!find_length(header, places))
        return; /* then this is not how it is done here */
    memcpy(bytes, header, sizeof header);
    for (int i = 1; i < 4; i++)
        bytes[places[i]] = (char)0xff;
    for (int last = 0; last < 256; last += 5) {
        struct frame_reader reader = {0};
        struct frame frame = {.type = FRAME_NONE};
        bytes[places[0]] = (char)last;
        lab_doing("reading the header of a job of nearly 4 GiB",
                  "what came over the pipe was believed", LENGTH);
        for (size_t i = 0; i < sizeof bytes && frame.type == FRAME_NONE; i++) {
            give(&reader, bytes + i, 1);
            frame = next(&reader);
        }
        lab_check(frame.type == FRAME_BROKEN,
                  "something is added to the length, in as many bits as the "
                  "header has, before it is compared: then the longest are "
                  "short",
                  LENGTH,
                  "the header of a job of 0xffffff%02x bytes, and some zeroes "
                  "behind it, gave type %d, not FRAME_BROKEN",
                  (unsigned)last, (int)frame.type);
        end_reader(&reader);
    }
}

static void what_is_no_frame(void)
{
    static char longest[FRAME_MOST + 1];
    struct bytes frames = {0};
    struct frame_reader reader = {0};
    struct frame frame = {.type = FRAME_NONE};
    char ones[64];
    memset(ones, 0xff, sizeof ones);
    lab_doing("reading 64 bytes of 0xff",
              "what came over the pipe was believed", LENGTH);
    give(&reader, ones, sizeof ones);
    frame = next(&reader);
    lab_check(frame.type == FRAME_BROKEN,
              "whoever reads on waits for 4 GiB that never come", LENGTH,
              "64 bytes of 0xff gave type %d, not FRAME_BROKEN",
              (int)frame.type);
    end_reader(&reader);

    struct iovec part = {longest, sizeof longest};
    lab_doing("reading a job that is longer than FRAME_MOST",
              "FRAME_MOST is not looked at", NEXT);
    int error = frame_append(&frames, FRAME_JOB, &part, 1);
    if (error == 0) {
        give(&reader, frames.data, frames.length);
        frame = next(&reader);
        lab_check(frame.type == FRAME_BROKEN, "FRAME_MOST is not looked at",
                  LENGTH, "a job of %zu bytes gave type %d, not FRAME_BROKEN",
                  sizeof longest, (int)frame.type);
    }
    bytes_free(&frames);
    end_reader(&reader);

    part.iov_len = FRAME_MOST;
    lab_doing("reading a job of FRAME_MOST bytes",
              "FRAME_MOST itself is allowed", NEXT);
    error = frame_append(&frames, FRAME_JOB, &part, 1);
    lab_check(error == 0, "FRAME_MOST itself is allowed", APPEND,
              "frame_append returned %d for a job of FRAME_MOST bytes", error);
    give(&reader, frames.data, frames.length);
    frame = next(&reader);
    lab_check(frame.type == FRAME_JOB && frame.length == FRAME_MOST,
              "FRAME_MOST itself is allowed", NEXT,
              "a job of FRAME_MOST bytes gave type %d and %zu bytes",
              (int)frame.type, frame.length);
    bytes_free(&frames);
    end_reader(&reader);
    lengths_near_4_gib();
}

static void open_pipe(int ends[2], int capacity)
{
    if (pipe2(ends, O_CLOEXEC) == -1 ||
        (capacity > 0 && fcntl(ends[1], F_SETPIPE_SZ, capacity) == -1))
        lab_broken("pipe: %s", strerror(errno));
    (void)signal(SIGPIPE, SIG_IGN);
}

/* When memory is short a reader has what it was lent, for each of its messages
 * and not for the first alone. */
static void what_was_lent_serves_again(void)
{
    static char room[256], message[200];
    struct frame_reader reader = {0};
    struct iovec part = {message, sizeof message};
    int ends[2];
    open_pipe(ends, 0);
    bytes_lend(&reader.in, room, sizeof room);
    lab_doing("reading three results without memory", NULL, NEXT);
    for (int i = 0; i < 3; i++) {
        struct bytes frames = {0};
        struct frame frame = {.type = FRAME_NONE};
        if (frame_append(&frames, FRAME_RESULT, &part, 1) != 0 ||
            write(ends[1], frames.data, frames.length) == -1)
            lab_broken("no frame can be made");
        bytes_free(&frames);
        reallocs_left = 0;
        if (frame_read(&reader, ends[0]) > 0)
            frame = next(&reader);
        reallocs_left = -1;
        lab_check(frame.type == FRAME_RESULT && frame.length == sizeof message,
                  "the room that the reader was lent is given up after a "
                  "message: the next result is lost when memory is short",
                  "frame_next: what it does with reader->in",
                  "256 bytes were lent, and there is no more memory: result "
                  "%d of %zu bytes comes out as type %d",
                  i + 1, sizeof message, (int)frame.type);
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void memory_runs_out(void)
{
    static char message[5000];
    struct iovec parts[] = {{message, sizeof message}, {message, 100}};
    for (long allowed = 0;; allowed++) {
        struct bytes frames = {0};
        append(&frames, FRAME_RESULT, "before");
        size_t before = frames.length;
        lab_doing("appending a frame while memory runs out",
                  "an error of bytes_append is not looked at", APPEND);
        reallocs_left = allowed;
        int error = frame_append(&frames, FRAME_RESULT, parts, 2);
        reallocs_left = -1;
        lab_check(error == 0 || (error == -ENOMEM && frames.length == before),
                  "half a frame in the outbox spoils all that follow",
                  "frame_append, where bytes_append fails",
                  "without memory frame_append returned %d, and left %zu "
                  "bytes where %zu were",
                  error, frames.length, before);
        bytes_free(&frames);
        if (error == 0)
            break;
    }
    what_was_lent_serves_again();
}

/* --- Through a pipe ------------------------------------------------------ */

static char big[150000];

/* Writes a body and a result in a child; returns the end to read. */
static int start_writer(size_t n, int capacity, bool meddle, pid_t *pid)
{
    int ends[2];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7 + i / 251);
    open_pipe(ends, capacity);
    *pid = fork();
    if (*pid == -1)
        lab_broken("fork: %s", strerror(errno));
    if (*pid > 0) {
        (void)close(ends[1]);
        return ends[0];
    }
    (void)close(ends[0]);
    meddling = meddle;
    int error = frame_write(ends[1], FRAME_BODY, big, n);
    if (error == 0)
        error = frame_write(ends[1], FRAME_RESULT, "end", 3);
    meddling = false;
    lab_check(error == 0, "the stub, or an error that is none", WRITE,
              "frame_write returned %d for a body of %zu bytes", error, n);
    lab_check(!meddle || meddled > 10,
              "it writes by another call than write "
              "or writev, or nothing",
              WRITE, "write was called %u times", meddled);
    _exit(0);
}

/* Reads what the child writes, at most `step` bytes at once. */
static void read_back(int fd, size_t n, size_t step)
{
    static char text[65536];
    struct frame_reader reader = {0};
    size_t got = 0;
    bool ended = false;
    ssize_t length;
    while (!ended && (length = read(fd, text, step)) > 0) {
        give(&reader, text, (size_t)length);
        struct frame frame = next(&reader);
        for (; frame.type == FRAME_BODY; frame = next(&reader)) {
            lab_check(got + frame.length <= n &&
                          memcmp(frame.at, big + got, frame.length) == 0,
                      "after a short write it went on at the wrong place",
                      WRITE, "the body is not what was sent, from byte %zu on",
                      got);
            got += frame.length;
            frame_took(&reader, frame.length);
        }
        lab_check(frame.type != FRAME_BROKEN,
                  "a write that took a part only was taken for a whole one, "
                  "and the next frame begins in the middle of this",
                  WRITE, "what came is no frame, after %zu of %zu bytes", got,
                  n);
        ended = frame.type == FRAME_RESULT;
    }
    lab_check(ended && got == n,
              "a write that took a part only was taken for a whole one", WRITE,
              "the pipe ended after %zu of %zu bytes of the body", got, n);
    end_reader(&reader);
}

static void check_writer(pid_t pid)
{
    int status;
    lab_check(waitpid(pid, &status, 0) == pid && status == 0,
              "frame_write failed there, or crashed", WRITE,
              "the writer ended with status 0x%x", (unsigned)status);
}

/* Its header is all there is of it. */
static void a_frame_of_no_bytes(void)
{
    struct frame_reader reader = {0};
    char text[64];
    int ends[2];
    open_pipe(ends, 0);
    lab_doing("frame_write of a message of no bytes", NULL, WRITE);
    int error = frame_write(ends[1], FRAME_RESULT, "", 0);
    lab_check(error == 0, "a message may have no bytes", WRITE,
              "frame_write of no bytes returned %d", error);
    ssize_t n = read(ends[0], text, sizeof text);
    give(&reader, text, n > 0 ? (size_t)n : 0);
    struct frame frame = next(&reader);
    lab_check(frame.type == FRAME_RESULT && frame.length == 0,
              "a message may have no bytes", WRITE,
              "a result of no bytes was written: %zd bytes came, and they are "
              "of type %d",
              n, (int)frame.type);
    end_reader(&reader);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void short_writes(void)
{
    pid_t pid;
    lab_doing("frame_write, with a write that takes 1 to 7 bytes and is "
              "interrupted now and then",
              "write may take less than it was given, or be interrupted",
              WRITE);
    int fd = start_writer(3000, 0, true, &pid);
    read_back(fd, 3000, 65536);
    check_writer(pid);
    a_frame_of_no_bytes();
}

static void through_a_small_pipe(void)
{
    pid_t pid;
    lab_doing("frame_write of 150,000 bytes, through a pipe that holds 4,096",
              "it must sleep in write until there is room", WRITE);
    int fd = start_writer(sizeof big, 4096, false, &pid);
    read_back(fd, sizeof big, 1000);
    check_writer(pid);
}

static void nobody_reads(void)
{
    int ends[2];
    open_pipe(ends, 0);
    (void)close(ends[0]);
    lab_doing("frame_write to a pipe whose reader is gone",
              "an error of write is taken for an interruption", WRITE);
    int error = frame_write(ends[1], FRAME_RESULT, "end", 3);
    lab_check(error == -EPIPE, "the error of write is not passed on", WRITE,
              "frame_write returned %d, not -EPIPE (%d)", error, -EPIPE);
}

static void nothing_leaks(void)
{
    lab_doing("writing and reading frames, and giving all back",
              "memory that was allocated is not given back",
              "what a frame's bytes are gathered in");
    a_frame_comes_out_whole();
    a_body_of_any_length();
    one_byte_at_a_time();
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"a_frame_comes_out_whole", a_frame_comes_out_whole},
        {"one_byte_at_a_time", one_byte_at_a_time},
        {"split_at_every_byte", split_at_every_byte},
        {"a_body_of_any_length", a_body_of_any_length},
        {"what_is_no_frame", what_is_no_frame},
        {"memory_runs_out", memory_runs_out},
        {"short_writes", short_writes},
        {"through_a_small_pipe", through_a_small_pipe},
        {"nobody_reads", nobody_reads},
        {"nothing_leaks", nothing_leaks},
        {0}};
    return lab_main(tests);
}
