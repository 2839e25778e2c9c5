/*
 * Mistake 50: a connection is kept although bytes are left over on it
 * Lab: protocol
 * File: common/exchange.c
 * Caught by: leftover_costs_the_connection
 *
 * Symptom: one server now and then sends more than its Content-Length says, and
 * not all of it at once. The request for which it does is fine; but the next
 * one to the same server, for quite another URL, ends as `protocol`.
 */

static void response_complete(struct exchange *x, bool clean, int64_t now)
{
    uint64_t offset;
    bool sent =
        x->output_sent == x->output.length && exchange_upload(x, &offset) == 0;
    (void)clean; /* what is left over belongs to nobody */
    x->reusable = sent && x->http.keep_alive && x->options->keep_alive;
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
