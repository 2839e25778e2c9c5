/*
 * Mistake 45: an error of the connection is taken for its end
 * Lab: evloop
 * File: evloop/request.c
 * Caught by: reset_is_not_an_end
 *
 * Symptom: some downloads are `ok` and too short. All of them come from
 * servers that send no length, and the server's log says that the connection
 * was reset.
 */

static void on_ended(void *arg, int error)
{
    struct request *r = arg;
    /* The connection is gone, for whatever reason: nothing more will come. */
    if (error == -TLS_CUT)
        exchange_cut(r->x, clock_us());
    else
        exchange_eof(r->x, clock_us());
    request_advance(r);
}
