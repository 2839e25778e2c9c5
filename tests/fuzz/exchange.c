/*
 * Fuzzes exchange: a driver that does what is wanted, and a world - connects,
 * answers, ends, failures, time - that the input makes up.
 */
#include "exchange.h"

#include "clock.h"
#include "fuzz.h"

#include <string.h>

/* More steps than that are no new insight. */
#define STEPS 2000

struct world {
    const uint8_t *at;
    const uint8_t *end;
    int64_t now;
};

static unsigned next(struct world *world)
{
    return world->at < world->end ? *world->at++ : 0;
}

static bool is_over(const struct exchange *x)
{
    enum want want = exchange_want(x);
    return want == WANT_CONNECT || want == WANT_WAIT || want == WANT_DONE;
}

/* Bytes arrive: as many as the world says, in a block of their own. */
static void arrive(struct exchange *x, struct world *world)
{
    size_t n = next(world);
    if (n > (size_t)(world->end - world->at))
        n = (size_t)(world->end - world->at);
    char *bytes = malloc(n + 1);
    HOLDS(bytes != NULL);
    if (n > 0)
        memcpy(bytes, world->at, n);
    world->at += n;
    size_t used = 0;
    while (used < n && !is_over(x)) {
        struct span body;
        size_t took =
            exchange_input(x, bytes + used, n - used, &body, world->now);
        HOLDS(took <= n - used);
        HOLDS(body.length == 0 ||
              (body.at >= bytes + used &&
               body.at + body.length <= bytes + used + took));
        if (took == 0)
            break;
        used += took;
    }
    free(bytes);
}

static void send_some(struct exchange *x, struct world *world)
{
    const char *output;
    uint64_t offset;
    size_t n = exchange_output(x, &output);
    uint64_t left = exchange_upload(x, &offset);
    size_t part = next(world) % 64;
    if (n > 0)
        exchange_sent(x, part < n ? part + (part == 0) : n);
    else if (left > 0)
        exchange_sent(x, part < left ? part + (part == 0) : (size_t)left);
    else
        exchange_sent(x, 0); /* an empty datagram */
}

/* One thing happens. */
static void step(struct exchange *x, struct world *world)
{
    static const enum result failures[] = {
        RESULT_REFUSED, RESULT_RESET,     RESULT_CONNECT_TIMEOUT,
        RESULT_DNS,     RESULT_TRUNCATED, RESULT_NO_RESOURCES};
    unsigned what = next(world) % 8;
    world->now += 1000 * (1 + what);
    switch (exchange_want(x)) {
    case WANT_CONNECT:
        HOLDS(exchange_url(x)->text != NULL);
        if (what == 0)
            exchange_failed(x, failures[next(world) % 6], "x", world->now);
        else
            exchange_connected(x, what == 1 && exchange_may_reuse(x),
                               world->now);
        return;
    case WANT_WAIT:
        world->now = exchange_deadline(x);
        exchange_waited(x, world->now);
        return;
    case WANT_SHUT:
        exchange_shut(x);
        return;
    case WANT_SEND:
        if (what == 7)
            exchange_unsendable(x);
        else if (what > 2)
            send_some(x, world);
        break;
    default:
        break;
    }
    if (is_over(x))
        return;
    if (what == 0 || world->at == world->end)
        exchange_eof(x, world->now);
    else if (what == 1)
        exchange_failed(x, failures[next(world) % 6], "x", world->now);
    else if (what == 2) {
        world->now = exchange_deadline(x);
        exchange_expired(x, world->now);
    } else {
        arrive(x, world);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const urls[] = {"http://127.0.0.1/a",
                                       "tcp://127.0.0.1:1/text",
                                       "udp://127.0.0.1:1/x", "file:///x"};
    struct world world = {data, data + size, 0};
    unsigned shape = next(&world);
    struct options options = {.timeout_us = CLOCK_SECOND,
                              .retries = shape % 3,
                              .max_redirects = 5,
                              .max_body = shape & 4 ? 1000 : UINT64_MAX,
                              .keep_alive = (shape & 8) != 0,
                              .discard = (shape & 16) != 0,
                              .upload = shape & 32 ? "x" : NULL,
                              .upload_size = 300};
    const char *url = urls[shape >> 6];
    struct exchange *x = exchange_new(&options, url, strlen(url), world.now);
    if (x == NULL)
        return 0;
    for (int i = 0; i < STEPS && exchange_want(x) != WANT_DONE; i++)
        step(x, &world);
    if (exchange_want(x) != WANT_DONE)
        exchange_failed(x, RESULT_CANCELLED, "x", world.now);
    const struct outcome *outcome = exchange_outcome(x);
    HOLDS(exchange_want(x) == WANT_DONE);
    HOLDS(exchange_deadline(x) == CLOCK_NEVER);
    HOLDS(result_word(outcome->result) != NULL);
    HOLDS(outcome->attempts <= options.retries + 1);
    HOLDS(outcome->result != RESULT_OK || outcome->status < 400);
    HOLDS(outcome->result == RESULT_OK || outcome->cause[0] != '\0');
    exchange_free(x);
    return 0;
}
