/*
 * Mistake 17: the tail of a short write is dropped
 * Lab: evloop
 * File: evloop/stream.c
 * Caught by: short_writes
 *
 * Symptom: into a file everything is right; into a slow pipe the bodies are
 * too short, though every request is `ok`, with the right number of bytes
 * nowhere but in the server's log. Which bytes are missing differs from run to
 * run.
 */

int stream_writev(struct stream *s, const struct iovec *parts, int n)
{
    size_t length = 0;
    ssize_t sent = 0;
    for (int i = 0; i < n; i++)
        length += parts[i].iov_len;
    if (s->eof)
        return -EPIPE;
    if (length == 0 || s->lost || s->closing)
        return 0;
    /* Try the kernel first: mostly it has room. */
    if (stream_buffered(s) == 0 && !s->lazy)
        sent = send_now(s, parts, n);
    if (sent > 0)
        return 0; /* it has gone out */
    if (sent < 0 && !is_later(sent)) {
        lose(s, (int)sent);
        return 0;
    }
    /* No room: keep it for later. */
    if (stash(s, parts, n, 0) != 0) {
        lose(s, -ENOMEM);
        return -ENOMEM;
    }
    maybe_pause(s);
    return 0;
}
