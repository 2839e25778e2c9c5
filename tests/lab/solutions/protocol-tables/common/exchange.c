/* Style: decisions as early returns, one after the other. */
/* exchange: one request from first byte to outcome. See exchange.h. */
#include "exchange.h"

#include "clock.h"
#include "date.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The content of a redirect or an error is of use to nobody. It is read past,
 * so that the connection can be kept, if it is no longer than this and comes
 * in this time; otherwise a new connection is cheaper. */
#define UNWANTED_LIMIT 65536
#define UNWANTED_TIME  CLOCK_SECOND

#define BACKOFF_FIRST  (CLOCK_SECOND / 10)
#define BACKOFF_MOST   (10 * CLOCK_SECOND)

/* A server that asks for a longer wait than this is not asked again. */
#define RETRY_AFTER_MOST (60 * CLOCK_SECOND)

/* A datagram, or its answer, may be lost. */
#define DATAGRAM_INTERVAL CLOCK_SECOND

/* What becomes of the content of the response at hand. */
enum fate { FATE_KEPT, FATE_DISCARDED, FATE_REDIRECT };

struct exchange {
    const struct options *options;
    enum want want;
    struct outcome outcome;
    bool ordered; /* bodies go to standard output, where they are final */

    /* Of the request as a whole: */
    struct url given;
    int64_t deadline; /* of the attempt; in WANT_WAIT, the end of the wait */

    /* Of the attempt: */
    struct url led_to; /* where a redirect led; empty: nowhere */
    unsigned redirects;
    bool get_only;  /* 303 (RFC 9110, 15.4.4): look there, do not PUT */
    uint64_t kept;  /* body bytes handed out */
    unsigned tried; /* udp: addresses where nobody was */

    /* Of the hop - one connection, one request, one response: */
    struct bytes output;
    size_t output_sent;
    uint64_t upload_sent;
    int64_t resend; /* udp: when the datagram goes out again */
    bool reused;
    bool fresh_only; /* the kept connection was stale: not another one */
    bool unsent;     /* the peer took no more of the request */
    bool answered;   /* the first byte of the response is here */
    bool judged;     /* the response's head was looked at */
    bool complete;   /* the response is whole, but not our upload */
    bool reusable;
    enum fate fate;
    struct url next;        /* of FATE_REDIRECT */
    uint64_t unwanted;      /* bytes of content that were read past */
    int64_t unwanted_until; /* when that ends; CLOCK_NEVER: nothing is */
    struct http http;
};

static bool is_http(const struct url *url)
{
    return url->scheme == SCHEME_HTTP || url->scheme == SCHEME_HTTPS;
}

static bool is_spoken(const struct exchange *x, const struct url *url,
                      const char **cause)
{
    *cause = x->options->no_https;
    return url->scheme != SCHEME_HTTPS || x->options->no_https == NULL;
}

static bool is_datagram(const struct exchange *x)
{
    return exchange_url(x)->scheme == SCHEME_UDP;
}

static bool receives(const struct exchange *x)
{
    return x->want == WANT_RECEIVE || x->want == WANT_SEND ||
           x->want == WANT_SHUT;
}

static void finish(struct exchange *x, enum result result, const char *cause)
{
    x->outcome.result = result;
    snprintf(x->outcome.cause, sizeof x->outcome.cause, "%s", cause);
    x->want = WANT_DONE;
}

/* --- Attempts and hops -------------------------------------------------- */

static bool uploads(const struct exchange *x)
{
    return x->options->upload != NULL && !x->get_only;
}

/* What each want says about the rest, as exchange.h has it. In release builds
 * nothing is checked. */
static void check(const struct exchange *x)
{
    bool sent = x->output_sent == x->output.length;
    assert(x->output_sent <= x->output.length);
    assert(!x->judged || x->answered);
    assert(x->fate == FATE_KEPT || x->judged);
    assert(!x->complete || x->want == WANT_SEND || x->want == WANT_DONE);
    switch (x->want) {
    case WANT_CONNECT:
        assert(x->output_sent == 0 && x->upload_sent == 0);
        assert(!x->answered && !x->unsent);
        assert(x->outcome.attempts > 0);
        break;
    case WANT_SEND:
        assert(!sent || uploads(x) || is_datagram(x));
        assert(!x->unsent);
        break;
    case WANT_SHUT:
        assert(exchange_url(x)->scheme == SCHEME_TCP && sent);
        break;
    case WANT_RECEIVE:
        assert(!x->complete);
        break;
    case WANT_WAIT:
        assert(x->outcome.attempts > 0);
        assert(x->outcome.attempts <= x->options->retries);
        break;
    case WANT_DONE:
        break;
    }
    (void)sent;
    (void)x;
}

static int write_request(struct exchange *x)
{
    const struct url *url = exchange_url(x);
    x->output.length = 0;
    if (url->scheme == SCHEME_FILE)
        return 0;
    if (!is_http(url))
        return bytes_append(&x->output, url->target, url->target_length);
    struct http_request request = {
        .method = uploads(x) ? "PUT" : "GET",
        .url = url,
        .headers = x->options->headers,
        .header_count = x->options->header_count,
        .same_origin = url_same_origin(url, &x->given),
        .without_content = x->options->upload != NULL && x->get_only,
        .keep_alive = x->options->keep_alive,
        .length = uploads(x) ? x->options->upload_size : UINT64_MAX,
    };
    return http_write_request(&x->output, &request);
}

/* Back to the start of a hop: nothing is sent, nothing was received. */
static void begin_hop(struct exchange *x, bool fresh_only)
{
    http_free(&x->http);
    http_start(&x->http);
    url_free(&x->next);
    x->output_sent = 0;
    x->upload_sent = 0;
    x->unwanted = 0;
    x->unwanted_until = CLOCK_NEVER;
    x->fresh_only = fresh_only;
    x->answered = x->judged = x->complete = x->unsent = false;
    x->fate = FATE_KEPT;
    x->want = WANT_CONNECT;
    if (write_request(x) != 0)
        finish(x, RESULT_NO_RESOURCES, "out of memory");
}

/* Each attempt starts from the URL as given, with the whole time limit. */
static void begin_attempt(struct exchange *x, int64_t now)
{
    url_free(&x->led_to);
    x->redirects = 0;
    x->get_only = false;
    x->kept = 0;
    x->tried = 0;
    x->outcome.attempts++;
    x->outcome.connected_us = x->outcome.first_byte_us = -1;
    x->outcome.reused = false;
    x->deadline = now + x->options->timeout_us;
    begin_hop(x, false);
}

struct exchange *exchange_new(const struct options *options, const char *url,
                              size_t n, int64_t now)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    x->options = options;
    x->ordered = options_ordered(options);
    x->outcome = OUTCOME_NONE;
    const char *cause;
    enum result result = url_parse(&x->given, url, n, &cause);
    if (result == RESULT_OK && !is_spoken(x, &x->given, &cause))
        result = RESULT_UNSUPPORTED;
    if (result == RESULT_OK && options->upload != NULL &&
        !is_http(&x->given)) {
        result = RESULT_UNSUPPORTED;
        cause = "nothing can be uploaded there";
    }
    if (result == RESULT_OK)
        begin_attempt(x, now);
    else
        finish(x, result, cause);
    check(x);
    return x;
}

void exchange_free(struct exchange *x)
{
    if (x == NULL)
        return;
    url_free(&x->given);
    url_free(&x->led_to);
    url_free(&x->next);
    bytes_free(&x->output);
    http_free(&x->http);
    free(x);
}

enum want exchange_want(const struct exchange *x)
{
    return x->want;
}

const struct url *exchange_url(const struct exchange *x)
{
    return x->led_to.text != NULL ? &x->led_to : &x->given;
}

unsigned exchange_tried(const struct exchange *x)
{
    return x->tried;
}

bool exchange_may_reuse(const struct exchange *x)
{
    return x->options->keep_alive && !x->fresh_only &&
           is_http(exchange_url(x));
}

bool exchange_reusable(const struct exchange *x)
{
    return x->reusable;
}

struct outcome *exchange_outcome(struct exchange *x)
{
    return &x->outcome;
}

/* --- Sending ------------------------------------------------------------ */

/* The whole request is on the wire. */
static void all_sent(struct exchange *x)
{
    if (x->complete)
        finish(x, RESULT_OK, "");
    else
        x->want =
            exchange_url(x)->scheme == SCHEME_TCP ? WANT_SHUT : WANT_RECEIVE;
}

void exchange_connected(struct exchange *x, bool reused, int64_t now)
{
    assert(x->want == WANT_CONNECT);
    x->reused = x->outcome.reused = reused;
    x->outcome.connected_us = now;
    x->outcome.first_byte_us = -1;
    x->reusable = false;
    x->want = WANT_SEND;
    x->resend = now + DATAGRAM_INTERVAL;
    /* A file, and tcp://host:port/, have nothing to say. */
    if (x->output.length == 0 && !is_datagram(x))
        all_sent(x);
    check(x);
}

size_t exchange_output(const struct exchange *x, const char **bytes)
{
    *bytes = x->output.data + x->output_sent;
    return x->output.length - x->output_sent;
}

uint64_t exchange_upload(const struct exchange *x, uint64_t *offset)
{
    *offset = x->upload_sent;
    return uploads(x) ? x->options->upload_size - x->upload_sent : 0;
}

void exchange_sent(struct exchange *x, size_t n)
{
    uint64_t offset;
    assert(x->want == WANT_SEND);
    if (x->output_sent < x->output.length)
        x->output_sent += n;
    else
        x->upload_sent += n;
    if (x->output_sent == x->output.length && exchange_upload(x, &offset) == 0)
        all_sent(x);
    check(x);
}

void exchange_unsendable(struct exchange *x)
{
    assert(x->want == WANT_SEND || x->want == WANT_SHUT);
    x->unsent = true;
    if (x->complete)
        finish(x, RESULT_OK, "");
    else
        x->want = WANT_RECEIVE;
}

void exchange_shut(struct exchange *x)
{
    assert(x->want == WANT_SHUT);
    x->want = WANT_RECEIVE;
}

/* --- Receiving ---------------------------------------------------------- */

static void fail_with_status(struct exchange *x, int64_t now)
{
    char cause[40];
    snprintf(cause, sizeof cause, "the server answered %d", x->http.status);
    exchange_failed(x, RESULT_HTTP_ERROR, cause, now);
}

static bool is_redirect(const struct exchange *x)
{
    switch (x->http.status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        return x->http.location != NULL && x->options->max_redirects > 0;
    default:
        return false;
    }
}

/* From http to http or https, from https to https. */
static bool may_lead_to(const struct url *from, const char *text)
{
    enum scheme scheme;
    return url_scheme(text, strlen(text), &scheme) &&
           (scheme == SCHEME_HTTPS ||
            (scheme == SCHEME_HTTP && from->scheme == SCHEME_HTTP));
}

/* Looks where a redirect leads, into x->next. */
static void judge_redirect(struct exchange *x)
{
    const struct url *from = exchange_url(x);
    if (x->redirects == x->options->max_redirects) {
        finish(x, RESULT_REDIRECT_LIMIT, "there are too many redirects");
        return;
    }
    char *text =
        url_resolve(from->text, x->http.location, strlen(x->http.location));
    if (text == NULL) {
        finish(x, RESULT_NO_RESOURCES, "out of memory");
        return;
    }
    const char *cause = "to another scheme";
    enum result result = RESULT_UNSUPPORTED;
    /* First, for what else such a URL may lack says nothing to anybody. */
    if (may_lead_to(from, text))
        result = url_parse(&x->next, text, strlen(text), &cause);
    free(text);
    if (result == RESULT_OK && !is_spoken(x, &x->next, &cause))
        result = RESULT_UNSUPPORTED;
    if (result != RESULT_OK) {
        char words[sizeof x->outcome.cause];
        snprintf(words, sizeof words, "in a redirect: %s", cause);
        finish(x, result, words);
    }
}

static void follow_redirect(struct exchange *x)
{
    if (x->http.status == 303)
        x->get_only = true;
    url_free(&x->led_to);
    x->led_to = x->next;
    x->next = (struct url){0};
    x->redirects++;
    begin_hop(x, false);
}

/* No more of the content is read. That is no failure of the request, and its
 * connection is not kept. */
static void leave_unwanted(struct exchange *x, int64_t now)
{
    if (x->fate == FATE_REDIRECT)
        follow_redirect(x);
    else
        fail_with_status(x, now);
}

/* Content that is not kept begins: is it worth reading past? */
static void begin_unwanted(struct exchange *x, int64_t now)
{
    const struct http *http = &x->http;
    x->unwanted_until = now + UNWANTED_TIME;
    if (http->state == HTTP_UNTIL_CLOSE ||
        (http->has_length && http->left > UNWANTED_LIMIT))
        leave_unwanted(x, now);
}

/* The head is here: decides what is to become of the content. */
static void judge_head(struct exchange *x, int64_t now)
{
    const struct http *http = &x->http;
    x->judged = true;
    x->outcome.status = http->status;
    if (http->status >= 300 && x->want == WANT_SEND)
        x->want = WANT_RECEIVE; /* the server has heard enough */
    /* RFC 9110, 15.5.9: the server had waited long enough for a request, and
     * its words about that have crossed ours. */
    if (http->status == 408 && x->reused) {
        begin_hop(x, true);
        return;
    }
    if (is_redirect(x)) {
        x->fate = FATE_REDIRECT;
        judge_redirect(x);
    } else {
        x->fate = http->status < 400 ? FATE_KEPT : FATE_DISCARDED;
    }
    if (x->want == WANT_DONE)
        return;
    if (x->fate != FATE_KEPT)
        begin_unwanted(x, now);
    else if (http->has_length && http->left > x->options->max_body)
        exchange_failed(x, RESULT_TOO_LARGE, "longer than --max-body", now);
}

static void judge_content(struct exchange *x, struct span span,
                          struct span *body, int64_t now)
{
    if (x->fate != FATE_KEPT) {
        x->unwanted += span.length;
        if (x->unwanted > UNWANTED_LIMIT)
            leave_unwanted(x, now);
        return;
    }
    if (span.length > x->options->max_body - x->kept) {
        exchange_failed(x, RESULT_TOO_LARGE, "longer than --max-body", now);
        return;
    }
    x->kept += span.length;
    *body = span;
}

/* The response is whole; `clean`: no byte followed it. */
static void response_complete(struct exchange *x, bool clean, int64_t now)
{
    const char *rest;
    uint64_t offset;
    bool said_all =
        exchange_output(x, &rest) == 0 && exchange_upload(x, &offset) == 0;
    x->reusable = x->options->keep_alive && x->http.keep_alive;
    if (!clean || !said_all)
        x->reusable = false;
    switch (x->fate) {
    case FATE_REDIRECT:
        follow_redirect(x);
        return;
    case FATE_DISCARDED:
        fail_with_status(x, now);
        return;
    case FATE_KEPT:
        break;
    }
    x->complete = x->want == WANT_SEND;
    if (!x->complete)
        finish(x, RESULT_OK, "");
}

/* One step of http input. */
static size_t http_input(struct exchange *x, const char *p, size_t n,
                         struct span *body, int64_t now)
{
    struct span span;
    size_t used = http_feed(&x->http, p, n, &span);
    if (x->http.state == HTTP_BAD) {
        exchange_failed(x, x->http.result, x->http.cause, now);
        return used;
    }
    if (x->http.head_complete && !x->judged)
        judge_head(x, now);
    if (span.length > 0)
        judge_content(x, span, body, now);
    if (receives(x) && x->judged && x->http.state == HTTP_DONE)
        response_complete(x, used == n, now);
    return used;
}

size_t exchange_input(struct exchange *x, const char *p, size_t n,
                      struct span *body, int64_t now)
{
    *body = (struct span){p, 0};
    if (n == 0 || !receives(x))
        return 0;
    if (x->complete) {
        x->reusable = false; /* bytes that nobody asked for */
        return n;
    }
    if (!x->answered) {
        x->answered = true;
        x->outcome.first_byte_us = now;
    }
    if (!is_http(exchange_url(x))) {
        judge_content(x, (struct span){p, n}, body, now);
        if (is_datagram(x) && receives(x))
            finish(x, RESULT_OK, "");
        return n;
    }
    size_t used = 0;
    while (used < n && body->length == 0 && receives(x) && !x->complete)
        used += http_input(x, p + used, n - used, body, now);
    check(x);
    return used;
}

void exchange_feed(struct exchange *x, const char *p, size_t n,
                   int (*deliver)(void *context, const char *p, size_t n),
                   void *context, int64_t now)
{
    while (n > 0) {
        struct span body;
        size_t used = exchange_input(x, p, n, &body, now);
        if (used == 0)
            return; /* the rest is not for this request */
        p += used;
        n -= used;
        int error = 0;
        if (body.length > 0)
            error = deliver(context, body.at, body.length);
        if (error != 0)
            exchange_failed(x, result_of_writing(error),
                            error == -ECANCELED ? "the run ended first"
                                                : strerror(-error),
                            now);
    }
}

void exchange_eof(struct exchange *x, int64_t now)
{
    if (!receives(x))
        return;
    /* After a reset that sending has met, reading meets a plain end: not to be
     * taken for an empty reply. */
    if (x->unsent && !x->answered && !is_http(exchange_url(x))) {
        exchange_failed(x, RESULT_RESET, "the server did not hear all", now);
        return;
    }
    if (x->complete || !is_http(exchange_url(x))) {
        x->reusable = false;
        finish(x, RESULT_OK, "");
        return;
    }
    http_eof(&x->http);
    if (x->http.state == HTTP_BAD)
        exchange_failed(x, x->http.result, x->http.cause, now);
    else
        response_complete(x, false, now);
    if (x->complete) /* of an upload it wants no more; the end comes once */
        finish(x, RESULT_OK, "");
}

void exchange_cut(struct exchange *x, int64_t now)
{
    if (receives(x) && !x->complete && x->http.state == HTTP_UNTIL_CLOSE)
        exchange_failed(x, RESULT_TRUNCATED,
                        "the server closed without close_notify", now);
    else
        exchange_eof(x, now);
}

/* --- Failing ------------------------------------------------------------ */

/* 0.1 s, 0.2 s, 0.4 s ... at most 10 s. */
static int64_t backoff(unsigned attempts)
{
    int64_t wait = BACKOFF_FIRST;
    for (unsigned i = 1; i < attempts && wait < BACKOFF_MOST; i++)
        wait *= 2;
    return wait < BACKOFF_MOST ? wait : BACKOFF_MOST;
}

/* How long the answer asks us to wait: until its Retry-After (RFC 9110,
 * 10.2.3). A date is one of the server's clock, which its Date shows; without
 * a Date, ours must do. */
static int64_t asked_wait(const struct exchange *x, int64_t now)
{
    const struct http *http = &x->http;
    int64_t seconds = http->retry_after;
    if (date_given(&http->retry_at)) {
        int64_t today = (x->options->epoch_us + now) / CLOCK_SECOND;
        if (date_given(&http->date))
            today = date_seconds(&http->date, today);
        int64_t left = date_seconds(&http->retry_at, today) - today;
        seconds = left > seconds ? left : seconds;
    }
    return seconds > RETRY_AFTER_MOST / CLOCK_SECOND ? CLOCK_NEVER
                                                     : seconds * CLOCK_SECOND;
}

void exchange_failed(struct exchange *x, enum result result, const char *cause,
                     int64_t now)
{
    if (x->want == WANT_DONE) {
        /* The last bytes of a body come with the end of the exchange; that
         * they could not be delivered is known only then. */
        if (x->outcome.result == RESULT_OK)
            finish(x, result, cause);
        return;
    }
    if (result == RESULT_CONNECT_TIMEOUT && now >= x->deadline) {
        exchange_expired(x, now); /* both limits are over: this one counts */
        return;
    }
    /* An http-error is a whole response: its connection may be fine. */
    if (result != RESULT_HTTP_ERROR)
        x->reusable = false;
    if (x->complete && result == RESULT_RESET) {
        finish(x, RESULT_OK, "");
        return;
    }
    /* RFC 9112, 9.3.1: the server closed a kept connection, as a rule just as
     * we used it again. Whether it has acted on the request nobody can know;
     * but GET and PUT are idempotent (RFC 9110, 9.2.2): twice is as once. */
    if (result == RESULT_RESET && receives(x) && x->reused && !x->answered) {
        begin_hop(x, true);
        return;
    }
    if ((result == RESULT_REFUSED || result == RESULT_UNREACHABLE) &&
        receives(x) && is_datagram(x)) {
        x->tried++;
        begin_hop(x, true);
        return;
    }
    bool final = x->ordered && x->kept > 0;
    int64_t wait = backoff(x->outcome.attempts);
    /* What an answer asks for, it asks for even if its content is cut. */
    int64_t asked = x->judged ? asked_wait(x, now) : 0;
    if (result_mendable(result, x->outcome.status) && !final &&
        asked <= RETRY_AFTER_MOST &&
        x->outcome.attempts <= x->options->retries) {
        x->deadline = now + (asked > wait ? asked : wait);
        x->want = WANT_WAIT;
        return;
    }
    finish(x, result, cause);
}

int64_t exchange_deadline(const struct exchange *x)
{
    if (x->want == WANT_DONE)
        return CLOCK_NEVER;
    if (receives(x) && is_datagram(x) && x->resend < x->deadline)
        return x->resend;
    if (receives(x) && x->unwanted_until < x->deadline)
        return x->unwanted_until;
    return x->deadline;
}

void exchange_waited(struct exchange *x, int64_t now)
{
    assert(x->want == WANT_WAIT);
    begin_attempt(x, now);
    check(x);
}

void exchange_expired(struct exchange *x, int64_t now)
{
    if (receives(x) && is_datagram(x) && now < x->deadline) {
        x->output_sent = 0;
        x->resend = now + DATAGRAM_INTERVAL;
        x->want = WANT_SEND;
        return;
    }
    /* The limit is on the body that is kept: an error is known by now. */
    if (receives(x) && x->unwanted_until != CLOCK_NEVER &&
        (now < x->deadline || x->fate == FATE_DISCARDED)) {
        leave_unwanted(x, now);
        return;
    }
    char cause[60];
    snprintf(cause, sizeof cause, "not complete after %g seconds",
             (double)x->options->timeout_us / (double)CLOCK_SECOND);
    exchange_failed(x, RESULT_TIMEOUT, cause, now);
}

void exchange_paused(struct exchange *x, int64_t us)
{
    x->deadline += us;
}
