/*
 * Mistake 19: the write high-watermark is trusted to pause the source
 * Lab: evloop
 * File: evloop/socket.c
 * Caught by: slow_consumer_stops_the_source
 *
 * Symptom: with a consumer that is slow or stands still (`| less`) the
 * program's memory grows by as much as the servers send, whatever
 * --high-water says; the report's peak_buffered shows nothing of it.
 */

void connection_pause_bufferevent(struct connection *c)
{
    /* libevent has marks of its own for this. */
    bufferevent_setwatermark(c->bev, EV_WRITE, 0, LOOP_CHUNK);
}

void connection_resume_bufferevent(struct connection *c)
{
    bufferevent_setwatermark(c->bev, EV_WRITE, 0, 0);
    connection_hand_on_input(c);
}
