/*
 * Mistake 47: the time limit runs while the consumer makes us wait
 * Lab: evloop
 * File: evloop/request.c
 * Caught by: time_stands_still_while_paused
 *
 * Symptom: piped into a pager that is left alone for half a minute, downloads
 * end with `timeout`, although the server had long sent everything it could.
 */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct request *r = arg;
    (void)fd;
    (void)what;
    if (clock_us() < exchange_deadline(r->x)) {
        set_timer(r);
    } else if (exchange_want(r->x) == WANT_WAIT) {
        exchange_waited(r->x, clock_us());
        request_advance(r);
    } else if (!reads_first(r)) {
        step_expire(r);
    }
}
