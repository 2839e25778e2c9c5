/*
 * Mistake 15: one read is taken for one record, one write for a whole one
 * Lab: processes
 * File: processes/frame.c
 * Caught by: one_byte_at_a_time
 *
 * Symptom: small bodies come out right. With larger ones on standard output
 * requests fail with `worker-crashed: the worker wrote what is no frame`; a
 * very long URL fails as well.
 */

/* One write puts it into the pipe in one piece. */
int frame_write(int fd, enum frame_type type, const void *data, size_t n)
{
    struct header header = {.type = type, .length = (uint32_t)n};
    struct iovec parts[2] = {{&header, sizeof header}, {(void *)data, n}};
    ssize_t written = writev(fd, parts, 2);
    return written == -1 ? -errno : 0;
}

/* What was read begins with a header, and the message follows. */
struct frame frame_next(struct frame_reader *reader)
{
    struct header header = {.type = FRAME_BROKEN};
    size_t here = reader->in.length - reader->used;
    if (here == 0)
        return (struct frame){.type = FRAME_NONE};
    const char *at = reader->in.data + reader->used;
    if (here >= sizeof header)
        memcpy(&header, at, sizeof header);
    if (header.type < FRAME_JOB || header.type > FRAME_RESULT ||
        here - sizeof header < header.length)
        return (struct frame){.type = FRAME_BROKEN};
    reader->used += sizeof header;
    if (header.type == FRAME_BODY)
        reader->body = header.length; /* frame_took is next */
    else
        reader->used += header.length;
    return (struct frame){(enum frame_type)header.type, at + sizeof header,
                          header.length};
}
