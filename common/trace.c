/* trace: a timeline of the run. See trace.h. */
#include "trace.h"

#include "bytes.h"
#include "clock.h"
#include "url.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An event is no longer than this; a URL is cut so that it fits. */
#define EVENT_MOST 1024
#define URL_MOST   300

/* The reader of a trace that is a pipe is waited for so long; then there is no
 * trace any more. A run that is interrupted must end within a second. */
#define STALLED_MS 300

static const char *const step_words[] = {
    [STEP_START] = "start",     [STEP_TAKE] = "take",
    [STEP_CONNECT] = "connect", [STEP_SEND] = "send",
    [STEP_RECEIVE] = "receive", [STEP_DELIVER] = "deliver",
    [STEP_FINISH] = "finish",   [STEP_EXPIRE] = "expire",
    [STEP_RETRY] = "retry",     [STEP_STOP] = "stop",
};

static const char *const parcel_words[] = {
    [PARCEL_JOB] = "job",
    [PARCEL_BODY] = "body",
    [PARCEL_RESULT] = "result",
};

static bool is_on(const struct lane *lane)
{
    return lane->trace != NULL && lane->trace->on;
}

/* --- Writing ------------------------------------------------------------ */

/* Writes one event. The descriptor does not block: a reader that is slow is
 * waited for, but one that has stalled is not. */
static ssize_t write_event(struct trace *trace, const char *event,
                           size_t length)
{
    struct pollfd room = {.fd = trace->fd, .events = POLLOUT};
    ssize_t written;
    int ready = 1;
    do {
        written = write(trace->fd, event, length);
        if (written == -1 && errno == EAGAIN) {
            ready = poll(&room, 1, STALLED_MS);
            errno = EAGAIN;
        }
    } while (written == -1 &&
             (errno == EINTR || (errno == EAGAIN && ready == 1)));
    return written;
}

/* Appends one event, at once or not at all. */
static void emit(struct trace *trace, const char *event, size_t length)
{
    int none = 0;
    if (atomic_load(&trace->error) != 0)
        return;
    ssize_t written = write_event(trace, event, length);
    if (written == (ssize_t)length)
        return;
    int error = written == -1 ? -errno : -ENOSPC;
    (void)atomic_compare_exchange_strong(&trace->error, &none, error);
}

/* Appends the event `ph` of a lane; what else it has is in `format`. */
static void print(struct trace *trace, char ph, int lane, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));

static void print(struct trace *trace, char ph, int lane, const char *format,
                  ...)
{
    char event[EVENT_MOST];
    va_list arguments;
    int n =
        snprintf(event, sizeof event, "{\"ph\":\"%c\",\"pid\":%ld,\"tid\":%d,",
                 ph, (long)trace->pid, lane);
    va_start(arguments, format);
    n += vsnprintf(event + n, sizeof event - (size_t)n, format, arguments);
    va_end(arguments);
    if (n + 3 > (int)sizeof event)
        return; /* callers see to it that it fits */
    memcpy(event + n, "},\n", 3);
    emit(trace, event, (size_t)n + 3);
}

/* A JSON string's inside; a URL may hold any byte. Returns its length. */
static size_t escape(const char *text, size_t n, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < n && used + 7 < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            used += (size_t)snprintf(out + used, size - used, "\\%c", c);
        else if (c >= 0x20 && c < 0x7f)
            out[used++] = (char)c;
        else
            used += (size_t)snprintf(out + used, size - used, "\\u%04x", c);
    }
    out[used] = '\0';
    return used;
}

/* A URL that way, without its password. */
static void escape_url(const char *url, size_t n, char *out, size_t size)
{
    size_t length;
    size_t at = url_password(url, n, &length);
    size_t used = escape(url, at, out, size);
    if (at == n)
        return;
    used += escape("***", 3, out + used, size - used);
    (void)escape(url + at + length, n - at - length, out + used, size - used);
}

/* --- Opening and closing ------------------------------------------------ */

int trace_open(struct trace *trace, const char *file, const char *program,
               size_t jobs)
{
    static const char head[] = "{\"traceEvents\":[\n";
    *trace = (struct trace){.fd = -1, .limit = jobs, .pid = getpid()};
    if (file == NULL)
        return 0;
    int error = -pthread_mutex_init(&trace->lock, NULL);
    if (error != 0)
        return error;
    trace->used = calloc(2 * (jobs + 1), 1);
    error = trace->used == NULL ? -ENOMEM : 0;
    if (error == 0) {
        trace->named = trace->used + jobs + 1;
        trace->fd = open(
            file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
        error = trace->fd == -1 ? -errno : 0;
    }
    /* Only now: a named pipe is to wait for its reader to open it. */
    if (error == 0)
        (void)fcntl(trace->fd, F_SETFL, O_APPEND | O_NONBLOCK);
    if (error == 0) {
        emit(trace, head, sizeof head - 1);
        print(trace, 'M', 0,
              "\"name\":\"process_name\",\"args\":{\"name\":\"%s\"}", program);
        error = atomic_load(&trace->error);
    }
    if (error != 0)
        (void)trace_close(trace);
    trace->on = error == 0;
    return error;
}

int trace_close(struct trace *trace)
{
    /* What ends a list has no comma behind it. */
    static const char tail[] =
        "{\"ph\":\"M\",\"pid\":0,\"tid\":0,\"name\":"
        "\"process_labels\",\"args\":{\"labels\":"
        "\"--trace\"}}\n],\"displayTimeUnit\":\"ms\"}\n";
    if (trace->used == NULL)
        return 0;
    if (trace->fd != -1) {
        emit(trace, tail, sizeof tail - 1);
        (void)close(trace->fd);
    }
    free(trace->used);
    trace->used = NULL;
    trace->fd = -1;
    trace->on = false;
    (void)pthread_mutex_destroy(&trace->lock);
    return atomic_load(&trace->error);
}

/* --- Lanes -------------------------------------------------------------- */

void trace_name(struct trace *trace, struct lane *lane, int number,
                const char *format, ...)
{
    char name[40];
    va_list arguments;
    *lane =
        (struct lane){.trace = trace, .number = number, .id = LANE_OF_NONE};
    if (!trace->on)
        return;
    va_start(arguments, format);
    (void)vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    print(trace, 'M', number,
          "\"name\":\"thread_name\",\"args\":{\"name\":\"%s\"}", name);
    print(trace, 'M', number,
          "\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":%d}",
          number);
}

void trace_add(struct trace *trace, struct lane *lane, const char *name)
{
    *lane = (struct lane){.trace = trace};
    if (!trace->on)
        return;
    pthread_mutex_lock(&trace->lock);
    int added = ++trace->added;
    pthread_mutex_unlock(&trace->lock);
    trace_name(trace, lane, (int)trace->limit + added, "%s", name);
}

void trace_lend(struct trace *trace, struct lane *lane, const char *name,
                uint64_t id)
{
    size_t number = 1;
    *lane = (struct lane){.trace = trace};
    if (!trace->on)
        return;
    pthread_mutex_lock(&trace->lock);
    while (number < trace->limit && trace->used[number])
        number++;
    bool is_new = !trace->named[number];
    trace->used[number] = trace->named[number] = true;
    pthread_mutex_unlock(&trace->lock);
    lane->number = (int)number;
    if (is_new)
        trace_name(trace, lane, (int)number, "%s %zu", name, number - 1);
    trace_begin(lane, STEP_TAKE, id);
}

void trace_return(struct lane *lane)
{
    struct trace *trace = lane->trace;
    if (!is_on(lane))
        return;
    trace_step(lane, STEP_NONE);
    pthread_mutex_lock(&trace->lock);
    trace->used[lane->number] = false;
    pthread_mutex_unlock(&trace->lock);
    lane->trace = NULL;
}

/* --- Steps -------------------------------------------------------------- */

/* A step from then to `until`; `more` goes among its arguments. */
static void print_step(const struct lane *lane, enum step step, int64_t from,
                       int64_t until, const char *more)
{
    char id[40] = "";
    if (lane->id != LANE_OF_NONE)
        snprintf(id, sizeof id, "\"id\":%" PRIu64, lane->id);
    print(lane->trace, 'X', lane->number,
          "\"name\":\"%s\",\"cat\":\"step\",\"ts\":%" PRId64
          ",\"dur\":%" PRId64 ",\"args\":{%s%s}",
          step_words[step], from, until - from, id, more);
}

void trace_want(struct lane *lane, enum want want)
{
    static const enum step steps[] = {
        [WANT_CONNECT] = STEP_CONNECT, [WANT_SEND] = STEP_SEND,
        [WANT_SHUT] = STEP_SEND,       [WANT_RECEIVE] = STEP_RECEIVE,
        [WANT_WAIT] = STEP_RETRY,      [WANT_DONE] = STEP_DELIVER};
    trace_step(lane, steps[want]);
}

void trace_step(struct lane *lane, enum step step)
{
    if (!is_on(lane) || lane->at == step)
        return;
    int64_t now = clock_us();
    if (lane->at == STEP_START || lane->at == STEP_STOP)
        lane->id = LANE_OF_NONE; /* they are about no request */
    if (lane->at != STEP_NONE)
        print_step(lane, lane->at, lane->since_us, now, "");
    if (step == STEP_TAKE)
        lane->id = LANE_OF_NONE; /* which one is not known yet */
    lane->at = step;
    lane->since_us = now;
}

void trace_begin(struct lane *lane, enum step step, uint64_t id)
{
    trace_step(lane, step);
    lane->id = id;
}

void trace_get(struct lane *lane, enum step step, enum parcel parcel,
               uint64_t id)
{
    trace_begin(lane, step, id);
    trace_take_over(lane, parcel, id);
}

void trace_put(struct lane *lane, enum step step, enum parcel parcel,
               uint64_t id)
{
    trace_begin(lane, step, id);
    trace_hand_over(lane, parcel, id);
}

void trace_moment(struct lane *lane, enum step step, uint64_t id)
{
    lane->id = id;
    trace_within(lane, step, trace_now(lane));
}

void trace_finish(struct lane *lane, const struct job *job)
{
    char url[URL_MOST];
    char more[URL_MOST + 120];
    if (!is_on(lane))
        return;
    if (lane->id == job->id && lane->at != STEP_NONE)
        trace_step(lane, STEP_FINISH);
    lane->id = job->id;
    bool is_at = lane->at == STEP_FINISH;
    escape_url(job->url, job->url_length, url, sizeof url);
    snprintf(
        more, sizeof more,
        ",\"url\":\"%s\",\"result\":\"%s\",\"status\":%d,\"bytes\":%" PRIu64,
        url, result_word(job->outcome.result), job->outcome.status,
        job->outcome.bytes);
    int64_t now = clock_us();
    print_step(lane, STEP_FINISH, is_at ? lane->since_us : now, now, more);
    if (is_at)
        lane->at = STEP_NONE;
}

int64_t trace_now(const struct lane *lane)
{
    return is_on(lane) ? clock_us() : 0;
}

void trace_within(const struct lane *lane, enum step step, int64_t from_us)
{
    if (is_on(lane))
        print_step(lane, step, from_us, clock_us(), "");
}

void trace_about(struct lane *lane, uint64_t id)
{
    lane->id = id;
}

/* --- Arrows and counters ------------------------------------------------ */

static void print_arrow(const struct lane *lane, const char *ph,
                        enum parcel parcel, uint64_t id)
{
    if (is_on(lane))
        print(lane->trace, ph[0], lane->number,
              "\"name\":\"%s\",\"cat\":\"%s\",\"id\":%" PRIu64
              ",\"ts\":%" PRId64 "%s",
              parcel_words[parcel], parcel_words[parcel], id, clock_us(),
              ph + 1);
}

void trace_hand_over(const struct lane *lane, enum parcel parcel, uint64_t id)
{
    print_arrow(lane, "s", parcel, id);
}

void trace_take_over(const struct lane *lane, enum parcel parcel, uint64_t id)
{
    /* Bound to the step that it lies in, not to the next one. */
    print_arrow(lane, "f,\"bp\":\"e\"", parcel, id);
}

static void print_count(struct trace *trace, int lane, const char *name,
                        const char *unit, uint64_t value)
{
    print(trace, 'C', lane,
          "\"name\":\"%s\",\"id\":%d,\"ts\":%" PRId64
          ",\"args\":{\"%s\":%" PRIu64 "}",
          name, lane, clock_us(), unit, value);
}

void trace_buffered(const struct lane *lane, size_t bytes)
{
    if (is_on(lane))
        print_count(lane->trace, lane->number, "buffered", "bytes", bytes);
}

void trace_in_pipe(const struct lane *lane, size_t bytes)
{
    if (is_on(lane))
        print_count(lane->trace, lane->number, "in the pipe", "bytes", bytes);
}

void trace_in_flight(struct trace *trace, const atomic_uint_fast64_t *requests)
{
    if (!trace->on)
        return;
    pthread_mutex_lock(&trace->lock);
    print_count(trace, 0, "in flight", "requests", atomic_load(requests));
    pthread_mutex_unlock(&trace->lock);
}
