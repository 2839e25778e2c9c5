/* frame: messages over a pipe. See frame.h. */
#include "frame.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A part of a message may be so long and yet be moved before each reading. */
#define FEW 256

/* Type and length. */
struct header {
    uint32_t type;
    uint32_t length;
};

int frame_append(struct bytes *out, enum frame_type type,
                 const struct iovec *parts, int n)
{
    struct header header = {.type = type};
    size_t before = out->length;
    for (int i = 0; i < n; i++)
        header.length += (uint32_t)parts[i].iov_len;
    int error = bytes_append(out, &header, sizeof header);
    for (int i = 0; i < n && error == 0; i++)
        error = bytes_append(out, parts[i].iov_base, parts[i].iov_len);
    if (error != 0)
        out->length = before;
    return error;
}

int frame_write(int fd, enum frame_type type, const void *data, size_t n)
{
    struct header header = {.type = type, .length = (uint32_t)n};
    struct iovec parts[2] = {{&header, sizeof header}, {(void *)data, n}};
    struct iovec *at = parts;
    while (at < parts + 2) {
        ssize_t written = writev(fd, at, (int)(parts + 2 - at));
        if (written == -1 && errno == EINTR)
            continue;
        if (written <= 0)
            return written == 0 ? -EIO : -errno;
        /* A short write: go on where it stopped. */
        size_t done = (size_t)written;
        while (at < parts + 2 && done >= at->iov_len) {
            done -= at->iov_len;
            at++;
        }
        if (at < parts + 2) {
            at->iov_base = (char *)at->iov_base + done;
            at->iov_len -= done;
        }
    }
    return 0;
}

ssize_t frame_read(struct frame_reader *reader, int fd)
{
    struct bytes *in = &reader->in;
    size_t rest = in->length - reader->used;
    size_t room = FRAME_CHUNK;
    ssize_t n;
    /* What is used makes room. But to move a longer rest takes its time. */
    if (rest < FEW || rest <= reader->used) {
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

/* Behind the header, which stands where the reader is. */
static struct frame find_message(struct frame_reader *reader,
                                 const struct header *header)
{
    size_t here = reader->in.length - reader->used - sizeof *header;
    const char *at = reader->in.data + reader->used + sizeof *header;
    if ((header->type != FRAME_JOB && header->type != FRAME_RESULT) ||
        header->length > FRAME_MOST)
        return (struct frame){.type = FRAME_BROKEN};
    if (here < header->length)
        return (struct frame){.type = FRAME_NONE};
    reader->used += sizeof *header + header->length;
    return (struct frame){(enum frame_type)header->type, at, header->length};
}

struct frame frame_next(struct frame_reader *reader)
{
    struct header header;
    for (;;) {
        size_t here = reader->in.length - reader->used;
        if (here < (reader->body > 0 ? 1 : sizeof header))
            return (struct frame){.type = FRAME_NONE};
        const char *at = reader->in.data + reader->used;
        if (reader->body > 0)
            return (struct frame){FRAME_BODY, at,
                                  here < reader->body ? here : reader->body};
        memcpy(&header, at, sizeof header);
        if (header.type != FRAME_BODY)
            break;
        reader->used += sizeof header;
        reader->body = header.length;
    }
    return find_message(reader, &header);
}

void frame_took(struct frame_reader *reader, size_t n)
{
    reader->used += n;
    reader->body -= n;
}
