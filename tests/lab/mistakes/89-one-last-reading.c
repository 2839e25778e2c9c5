/*
 * Mistake 89: what a dead worker has left is read once
 * Lab: processes
 * File: processes/mailbox.c
 * Caught by: the_whole_rest_is_looked_at
 *
 * Symptom: a request whose worker was killed just when it had finished is made
 * again, but only when its body was a long one.
 */

bool mailbox_drain(struct mailbox *m)
{
    (void)fill(m); /* nobody writes there any more */
    mailbox_unwatch(m);
    m->ended = true;

    char room[MAILBOX_LEAST];
    struct frame_reader reader = m->reader;
    struct frame frame = {.type = FRAME_NONE};
    size_t used = m->used;
    bytes_lend(&reader.message, room, sizeof room); /* not m's own */
    while (used < m->inbox.length && frame.type != FRAME_RESULT &&
           frame.type != FRAME_BROKEN)
        used += frame_feed(&reader, m->inbox.data + used,
                           m->inbox.length - used, &frame);
    frame_free(&reader);
    return frame.type == FRAME_RESULT;
}
