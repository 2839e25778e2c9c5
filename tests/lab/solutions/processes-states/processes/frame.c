/* Style: one state machine; the header is text: a letter, digits, a colon. */
#include "frame.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char letters[] = " jbr"; /* by type */

/* What a reader remembers: its state in header_length, the type in header[0].
 */
enum state { AT_TYPE, AT_LENGTH, AT_MESSAGE, AT_RUINS };

static int write_head(char *head, size_t size, enum frame_type type, size_t n)
{
    return snprintf(head, size, "%c%zu:", letters[type], n);
}

int frame_append(struct bytes *out, enum frame_type type,
                 const struct iovec *parts, int n)
{
    size_t before = out->length, sum = 0;
    char head[32];
    for (const struct iovec *part = parts; part < parts + n; part++)
        sum += part->iov_len;
    int length = write_head(head, sizeof head, type, sum);
    if (bytes_reserve(out, (size_t)length + sum) != 0)
        return -ENOMEM;
    (void)bytes_append(out, head, (size_t)length);
    while (out->length < before + (size_t)length + sum) {
        (void)bytes_append(out, parts->iov_base, parts->iov_len);
        parts++;
    }
    return 0;
}

/* Writes it all, by writing a part and then the rest. */
static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done == -1 && errno != EINTR)
            return -errno;
        p += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return 0;
}

int frame_write(int fd, enum frame_type type, const void *data, size_t n)
{
    char head[32];
    int length = write_head(head, sizeof head, type, n);
    int error = write_all(fd, head, (size_t)length);
    return error == 0 ? write_all(fd, data, n) : error;
}

/* One character of the header. */
static void step_head(struct frame_reader *reader, char c)
{
    const char *letter = c == ' ' || c == '\0' ? NULL : strchr(letters, c);
    switch ((enum state)reader->header_length) {
    case AT_TYPE:
        reader->message.length = 0;
        reader->left = 0;
        reader->header[0] = letter == NULL ? (unsigned char)FRAME_BROKEN
                                           : (unsigned char)(letter - letters);
        reader->header_length = letter == NULL ? AT_RUINS : AT_LENGTH;
        break;
    case AT_LENGTH:
        if (c == ':')
            reader->header_length = AT_MESSAGE;
        else if (c < '0' || c > '9' || reader->left > ((size_t)1 << 40))
            reader->header_length = AT_RUINS;
        else
            reader->left = 10 * reader->left + (size_t)(c - '0');
        if (reader->header[0] != FRAME_BODY && reader->left > FRAME_MOST)
            reader->header_length = AT_RUINS;
        break;
    default:
        break;
    }
}

/* A part of the message: all there is of it here. */
static size_t step_message(struct frame_reader *reader, const char *p,
                           size_t n, struct frame *frame)
{
    size_t take = n < reader->left ? n : reader->left;
    reader->left -= take;
    if (reader->left == 0)
        reader->header_length = AT_TYPE;
    if (reader->header[0] == FRAME_BODY) {
        if (take > 0 || reader->left == 0)
            *frame = (struct frame){FRAME_BODY, p, take};
    } else if (bytes_append(&reader->message, p, take) != 0) {
        frame->type = FRAME_BROKEN;
    } else if (reader->left == 0) {
        *frame = (struct frame){(enum frame_type)reader->header[0],
                                reader->message.data, reader->message.length};
    }
    return take;
}

size_t frame_feed(struct frame_reader *reader, const char *p, size_t n,
                  struct frame *frame)
{
    size_t used = 0;
    *frame = (struct frame){.type = FRAME_NONE};
    while (used < n && reader->header_length < AT_MESSAGE)
        step_head(reader, p[used++]);
    if (reader->header_length == AT_RUINS) {
        frame->type = FRAME_BROKEN;
        return n;
    }
    if (reader->header_length == AT_MESSAGE)
        used += step_message(reader, p + used, n - used, frame);
    return used;
}

void frame_free(struct frame_reader *reader)
{
    bytes_free(&reader->message);
    *reader = (struct frame_reader){0};
}
