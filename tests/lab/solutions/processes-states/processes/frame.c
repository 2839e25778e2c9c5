/* Style: one state machine; the header is text: a letter, digits, a colon. */
#include "frame.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char letters[] = " jbr"; /* by type */

/* What a header has been found to be. */
enum state { AT_TYPE, AT_LENGTH, IS_WHOLE, IS_RUINED };

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

struct head {
    enum state state;
    enum frame_type type;
    size_t length; /* of the message */
};

/* One character of the header. */
static void step_head(struct head *head, char c)
{
    const char *letter = c == ' ' || c == '\0' ? NULL : strchr(letters, c);
    switch (head->state) {
    case AT_TYPE:
        head->state = letter == NULL ? IS_RUINED : AT_LENGTH;
        head->type = letter == NULL ? FRAME_BROKEN
                                    : (enum frame_type)(letter - letters);
        break;
    case AT_LENGTH:
        if (c == ':')
            head->state = IS_WHOLE;
        else if (c < '0' || c > '9' || head->length > ((size_t)1 << 40))
            head->state = IS_RUINED;
        else
            head->length = 10 * head->length + (size_t)(c - '0');
        if (head->type != FRAME_BODY && head->length > FRAME_MOST)
            head->state = IS_RUINED;
        break;
    default:
        break;
    }
}

/* In the midst of a body: what is here of it. */
static struct frame find_piece(const struct frame_reader *reader)
{
    size_t here = reader->in.length - reader->used;
    if (here == 0)
        return (struct frame){.type = FRAME_NONE};
    return (struct frame){FRAME_BODY, reader->in.data + reader->used,
                          here < reader->body ? here : reader->body};
}

struct frame frame_next(struct frame_reader *reader)
{
    struct head head = {.state = AT_TYPE};
    size_t at = reader->used;
    if (reader->body > 0)
        return find_piece(reader);
    while (at < reader->in.length && head.state < IS_WHOLE)
        step_head(&head, reader->in.data[at++]);
    if (head.state == IS_RUINED)
        return (struct frame){.type = FRAME_BROKEN};
    if (head.state != IS_WHOLE)
        return (struct frame){.type = FRAME_NONE};
    if (head.type == FRAME_BODY) {
        reader->used = at;
        reader->body = head.length;
        return frame_next(reader); /* the piece, or what is behind no body */
    }
    if (reader->in.length - at < head.length)
        return (struct frame){.type = FRAME_NONE};
    reader->used = at + head.length;
    return (struct frame){head.type, reader->in.data + at, head.length};
}

ssize_t frame_read(struct frame_reader *reader, int fd)
{
    struct bytes *in = &reader->in;
    size_t room = FRAME_CHUNK;
    ssize_t n;
    if (in->length - reader->used < 256) {
        bytes_drop(in, reader->used);
        reader->used = 0;
    }
    if (bytes_reserve(in, room) != 0)
        room = in->capacity - in->length;
    if (room == 0)
        return -ENOMEM;
    do
        n = read(fd, in->data + in->length, room);
    while (n == -1 && errno == EINTR);
    if (n == -1)
        return -errno;
    in->length += (size_t)n;
    return n;
}

void frame_took(struct frame_reader *reader, size_t n)
{
    reader->used += n;
    reader->body -= n;
}
