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
    unsigned char header[8];
    struct iovec parts[2] = {{header, sizeof header}, {(void *)data, n}};
    make_header(header, type, n);
    ssize_t written = writev(fd, parts, 2);
    return written == -1 ? -errno : 0;
}

/* What was read begins with a header, and the message follows. */
size_t frame_feed(struct frame_reader *reader, const char *p, size_t n,
                  struct frame *frame)
{
    size_t length = 0;
    enum frame_type type = FRAME_BROKEN;
    if (n >= sizeof reader->header) {
        memcpy(reader->header, p, sizeof reader->header);
        type = read_header(reader->header, &length);
    }
    if (type == FRAME_BROKEN || n - sizeof reader->header < length) {
        *frame = (struct frame){.type = FRAME_BROKEN};
        return n;
    }
    *frame = (struct frame){type, p + sizeof reader->header, length};
    return sizeof reader->header + length;
}
