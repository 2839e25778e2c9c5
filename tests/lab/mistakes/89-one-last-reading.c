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
    (void)mailbox_read(m); /* nobody writes there any more */
    m->ended = true;
    m->watched = false;
    struct frame_reader reader = m->reader; /* the frames are taken later */
    struct frame frame = frame_next(&reader);
    while (frame.type == FRAME_BODY) {
        frame_took(&reader, frame.length);
        frame = frame_next(&reader);
    }
    return frame.type == FRAME_RESULT;
}
