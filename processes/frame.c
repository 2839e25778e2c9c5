/* frame: messages over a pipe. See frame.h. */
#include "frame.h"

#include <errno.h>
#include <string.h>

/* The header: type and length, four bytes each. */
static void make_header(unsigned char header[8], enum frame_type type,
                        size_t length)
{
    uint32_t words[2] = {(uint32_t)type, (uint32_t)length};
    memcpy(header, words, sizeof words);
}

static enum frame_type read_header(const unsigned char header[8],
                                   size_t *length)
{
    uint32_t words[2];
    memcpy(words, header, sizeof words);
    *length = words[1];
    if (words[0] < FRAME_JOB || words[0] > FRAME_RESULT)
        return FRAME_BROKEN;
    if (words[0] != FRAME_BODY && words[1] > FRAME_MOST)
        return FRAME_BROKEN;
    return (enum frame_type)words[0];
}

int frame_append(struct bytes *out, enum frame_type type,
                 const struct iovec *parts, int n)
{
    unsigned char header[8];
    size_t before = out->length;
    size_t length = 0;
    for (int i = 0; i < n; i++)
        length += parts[i].iov_len;
    make_header(header, type, length);
    int error = bytes_append(out, header, sizeof header);
    for (int i = 0; i < n && error == 0; i++)
        error = bytes_append(out, parts[i].iov_base, parts[i].iov_len);
    if (error != 0)
        out->length = before;
    return error;
}

int frame_write(int fd, enum frame_type type, const void *data, size_t n)
{
    unsigned char header[8];
    struct iovec parts[2] = {{header, sizeof header}, {(void *)data, n}};
    struct iovec *at = parts;
    make_header(header, type, n);
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

/* Takes what is still missing of the header. */
static size_t feed_header(struct frame_reader *reader, const char *p, size_t n)
{
    size_t take = sizeof reader->header - reader->header_length;
    if (take > n)
        take = n;
    memcpy(reader->header + reader->header_length, p, take);
    reader->header_length += take;
    if (reader->header_length == sizeof reader->header) {
        (void)read_header(reader->header, &reader->left);
        reader->message.length = 0;
    }
    return take;
}

size_t frame_feed(struct frame_reader *reader, const char *p, size_t n,
                  struct frame *frame)
{
    size_t used = 0;
    size_t length;
    *frame = (struct frame){.type = FRAME_NONE};
    if (reader->header_length < sizeof reader->header)
        used = feed_header(reader, p, n);
    if (reader->header_length < sizeof reader->header)
        return used;
    enum frame_type type = read_header(reader->header, &length);
    size_t take = n - used < reader->left ? n - used : reader->left;
    if (type == FRAME_BODY)
        *frame = (struct frame){FRAME_BODY, p + used, take};
    else if (type == FRAME_BROKEN ||
             bytes_append(&reader->message, p + used, take) != 0)
        *frame = (struct frame){.type = FRAME_BROKEN};
    reader->left -= take;
    if (frame->type == FRAME_BROKEN)
        return n;
    if (reader->left == 0) {
        reader->header_length = 0;
        if (type != FRAME_BODY)
            *frame = (struct frame){type, reader->message.data,
                                    reader->message.length};
    } else if (take == 0) {
        frame->type = FRAME_NONE; /* a body, but no byte of it is here */
    }
    return used + take;
}

void frame_free(struct frame_reader *reader)
{
    bytes_free(&reader->message);
    *reader = (struct frame_reader){0};
}
