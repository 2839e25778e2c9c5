/*
 * Mistake 66: a connection is kept although the server has not heard all of
 * the request
 * Lab: protocol
 * File: common/exchange.c
 * Caught by: refused_early
 *
 * Symptom: after an upload that was refused early, the next request on the
 * same connection fails, or gets the answer to something else.
 */

static void response_complete(struct exchange *x, bool clean, int64_t now)
{
    x->reusable = clean && x->http.keep_alive && x->options->keep_alive;
    if (x->fate == FATE_REDIRECT) {
        follow_redirect(x);
    } else if (x->fate == FATE_DISCARDED) {
        fail_with_status(x, now);
    } else if (x->want == WANT_SEND) {
        x->complete = true; /* it thanks us early; all_sent will finish */
    } else {
        finish(x, RESULT_OK, "");
    }
}
