/* Tests of evloop's request, with a connection that is none: its kind opens
 * nothing, and the tests say what has come. */
#include "request.h"
#include "clock.h"
#include "connection_kind.h"
#include "main.h"
#include "model.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

const char model_name[] = "evloop";

/* --- A connection that is none ------------------------------------------ */

static struct connection *opened; /* last; NULL: none */
static int open_error;            /* what opening says */
static unsigned pauses;
static unsigned resumes;
static char sent[1000]; /* what was written to it */
static size_t sent_length;

static ssize_t none_send(void *context, const struct iovec *parts, int n)
{
    ssize_t all = 0;
    (void)context;
    for (int i = 0; i < n; i++) {
        memcpy(sent + sent_length, parts[i].iov_base, parts[i].iov_len);
        sent_length += parts[i].iov_len;
        all += (ssize_t)parts[i].iov_len;
    }
    return all;
}

static void none_watch(void *context, bool on)
{
    (void)context;
    (void)on;
}

static void none_shut(void *context)
{
    (void)context;
}

static const struct stream_transport none = {none_send, none_watch, none_shut};

static int none_open(struct connection *c, const struct addrinfo *address)
{
    ck_assert_ptr_null(address);
    if (open_error == 0)
        opened = c;
    return open_error;
}

static void none_pause(struct connection *c)
{
    (void)c;
    pauses++;
}

static void none_resume(struct connection *c)
{
    (void)c;
    resumes++;
}

static void none_read_arrived(struct connection *c)
{
    (void)c;
}

static void none_drop(struct connection *c)
{
    if (opened == c)
        opened = NULL;
}

static const struct connection_kind none_kind = {
    .open = none_open,
    .pause = none_pause,
    .resume = none_resume,
    .read_arrived = none_read_arrived,
    .drop = none_drop,
};

static const struct connection_kind *const kinds[] = {
    &none_kind, &none_kind, &none_kind, &none_kind, &none_kind};

/* --- An owner, and what it shares ---------------------------------------- */

static struct loop loop;
static struct run run;
static struct options options;
static bool turn;
static unsigned finished;
static unsigned gave_way;
static struct outcome outcome;

static bool has_turn(const struct request *r)
{
    (void)r;
    return turn;
}

static void watch_output(struct request *r, bool on)
{
    (void)r;
    (void)on;
}

static bool make_room(struct request *r)
{
    (void)r;
    return false;
}

static bool give_way(struct request *r)
{
    gave_way++;
    job_free(request_close(r));
    return true;
}

static void finish(struct request *r)
{
    finished++;
    outcome = *exchange_outcome(r->x);
    outcome.bytes = body_bytes(&r->body);
    job_free(request_close(r));
}

static const struct request_owner owner = {has_turn, watch_output, give_way,
                                           make_room, finish};

static struct request request;

/* Begins with a URL, up to where it waits for its connection. */
static void begin(const char *url, bool discard)
{
    static struct tls tls;
    static struct trace trace;
    loop = (struct loop){.base = event_base_new(),
                         .tls = &tls,
                         .trace = &trace,
                         .connect_timeout_us = 1000 * CLOCK_SECOND};
    ck_assert_int_eq(loop_open(&loop, 1), 0);
    loop.kinds = kinds;
    options = (struct options){.discard = discard,
                               .timeout_us = 1000 * CLOCK_SECOND,
                               .max_body = UINT64_MAX,
                               .max_redirects = 10,
                               .high_water = 8,
                               .low_water = 2};
    run = (struct run){.options = &options, .sink.directory = -1};
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    (void)close(ends[0]);
    run.stop_fd = ends[1];
    ck_assert_int_eq(pthread_mutex_init(&run.lock, NULL), 0);
    struct job *job = calloc(1, sizeof *job);
    job->url = strdup(url);
    job->url_length = strlen(url);
    request = (struct request){.owner = &owner, .run = &run, .loop = &loop};
    ck_assert_int_eq(request_open(&request, job), 0);
    request_advance(&request);
}

static void be_connected(void)
{
    ck_assert_ptr_nonnull(opened);
    opened->stream = stream_new_over(loop.base, &none, NULL);
    connection_is_open(opened);
}

static void give(const char *text)
{
    opened->owner->readable(opened->arg, text, strlen(text));
}

static void end(void)
{
    loop_close(&loop);
    event_base_free(loop.base);
    (void)pthread_mutex_destroy(&run.lock);
}

/* --- The tests ---------------------------------------------------------- */

static void check_outcome(enum result result, uint64_t bytes)
{
    ck_assert_uint_eq(finished, 1);
    ck_assert_uint_eq(gave_way, 0);
    ck_assert_str_eq(result_word(outcome.result), result_word(result));
    ck_assert_uint_eq(outcome.bytes, bytes);
    ck_assert_ptr_null(opened);
    end();
}

START_TEST(goes_through_its_wants)
{
    begin("http://h/path", true);
    be_connected();
    ck_assert_int_eq(strncmp(sent, "GET /path HTTP/1.1\r\n", 20), 0);
    give("HTTP/1.1 200 OK\r\nContent-Le");
    give("ngth: 5\r\n\r\nab");
    ck_assert_uint_eq(finished, 0);
    give("cde");
    check_outcome(RESULT_OK, 5);
}
END_TEST

START_TEST(an_end_that_comes_too_soon)
{
    begin("http://h/", true);
    be_connected();
    give("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
    opened->owner->ended(opened->arg, 0);
    check_outcome(RESULT_TRUNCATED, 2);
}
END_TEST

START_TEST(no_address_will_do)
{
    begin("http://h/", true);
    opened->owner->failed(opened->arg, RESULT_REFUSED, "refused");
    check_outcome(RESULT_REFUSED, 0);
}
END_TEST

START_TEST(follows_a_redirect)
{
    begin("http://h/a", true);
    be_connected();
    struct connection *first = opened;
    give("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n");
    ck_assert_ptr_nonnull(opened);
    ck_assert_ptr_ne(opened, first);
    be_connected();
    give("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
    check_outcome(RESULT_OK, 1);
}
END_TEST

START_TEST(a_shortage_is_the_owners_to_deal_with)
{
    open_error = -ENOMEM;
    begin("http://h/", true);
    ck_assert_uint_eq(gave_way, 1);
    ck_assert_uint_eq(finished, 0);
    end();
}
END_TEST

START_TEST(pauses_until_its_body_is_taken)
{
    int ends[2];
    char got[20];
    begin("http://h/", false);
    ck_assert_int_eq(pipe(ends), 0);
    output_open(&run.output, ends[1]);
    be_connected();
    give("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n01234567");
    ck_assert_uint_eq(pauses, 0); /* as much as the high mark */
    give("8");
    ck_assert_uint_eq(pauses, 1);
    turn = true;
    request_may_write(&request);
    ck_assert_uint_eq(resumes, 0); /* never from inside */
    event_base_loop(loop.base, EVLOOP_ONCE);
    ck_assert_uint_eq(resumes, 1);
    give("9ab");
    for (int i = 0; i < 3 && finished == 0; i++)
        event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    ck_assert_int_eq(read(ends[0], got, sizeof got), 12);
    ck_assert_int_eq(memcmp(got, "0123456789ab", 12), 0);
    check_outcome(RESULT_OK, 12);
}
END_TEST

START_TEST(cancelled_at_any_moment)
{
    begin("http://h/", true);
    if (_i > 0)
        be_connected();
    if (_i > 1)
        give("HTTP/1.1 200 OK\r\n\r\nbody");
    request_cancel(&request);
    check_outcome(RESULT_CANCELLED, _i > 1 ? 4 : 0);
}
END_TEST

static void add_cases(TCase *tc)
{
    tcase_add_test(tc, goes_through_its_wants);
    tcase_add_test(tc, an_end_that_comes_too_soon);
    tcase_add_test(tc, no_address_will_do);
    tcase_add_test(tc, follows_a_redirect);
    tcase_add_test(tc, a_shortage_is_the_owners_to_deal_with);
    tcase_add_test(tc, pauses_until_its_body_is_taken);
    tcase_add_loop_test(tc, cancelled_at_any_moment, 0, 3);
}

UNIT_MAIN("request", add_cases)
