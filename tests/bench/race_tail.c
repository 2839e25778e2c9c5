/* race_tail: what requests are doing, from a trace. See race_tail.h. */
#include "race_tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MOST ((size_t)64 * 1024)

/* Lanes beside those of the requests: 0, and other threads'. */
#define OTHER_LANES 16

int tail_open(struct tail *tail, const char *path, unsigned requests,
              unsigned jobs)
{
    *tail = (struct tail){
        .requests = requests, .fd = -1, .lane_count = jobs + OTHER_LANES};
    if (strlen(path) >= sizeof tail->path)
        return -ENAMETOOLONG;
    memcpy(tail->path, path, strlen(path) + 1);
    tail->doing = calloc(requests, sizeof *tail->doing);
    tail->lane_of = calloc(requests, sizeof *tail->lane_of);
    tail->lanes = calloc(tail->lane_count, sizeof *tail->lanes);
    tail->text = malloc(TEXT_MOST);
    tail->counts[TO_COME] = requests;
    if (tail->doing != NULL && tail->lane_of != NULL && tail->lanes != NULL &&
        tail->text != NULL)
        return 0;
    tail_close(tail);
    return -ENOMEM;
}

void tail_close(struct tail *tail)
{
    if (tail->fd != -1)
        (void)close(tail->fd);
    free(tail->doing);
    free(tail->lane_of);
    free(tail->lanes);
    free(tail->text);
    *tail = (struct tail){.fd = -1};
}

/* --- What requests do --------------------------------------------------- */

static void set_doing(struct tail *tail, unsigned request, enum doing doing)
{
    enum doing was = tail->doing[request];
    if (was == DONE || was == FAILED)
        return;
    tail->counts[was]--;
    tail->counts[doing]++;
    tail->doing[request] = (unsigned char)doing;
}

static void set_count(struct tail *tail, uint64_t *count, uint64_t value)
{
    tail->buffered += value - *count;
    *count = value;
}

/* Whether its bytes are held, of a request that is getting them. */
static void see_body(struct tail *tail, const struct tail_lane *lane)
{
    enum doing was = tail->doing[lane->request];
    if (was >= WAITING && was <= DELIVERING)
        set_doing(tail, lane->request,
                  lane->buffered > 0 ? DELIVERING : RECEIVING);
}

/* It is over: what its worker's pipe was seen to hold has been read. */
static void finish(struct tail *tail, unsigned request, bool ok,
                   uint64_t bytes)
{
    struct tail_lane *lane = &tail->lanes[tail->lane_of[request]];
    set_doing(tail, request, ok ? DONE : FAILED);
    if (ok)
        tail->bytes += bytes;
    if (lane->request == request)
        set_count(tail, &lane->in_pipe, 0);
}

/* --- Events ------------------------------------------------------------- */

/* Each event is a line, as common/trace.c writes it; quotes that stand in a
 * URL have a backslash before them. The number behind `name`; -1: it is not
 * there. */
static long long number_of(const char *line, const char *name)
{
    const char *at = strstr(line, name);
    return at != NULL ? strtoll(at + strlen(name), NULL, 10) : -1;
}

static bool is_named(const char *line, const char *name)
{
    static const char key[] = "\"name\":\"";
    const char *at = strstr(line, key);
    size_t n = strlen(name);
    return at != NULL && strncmp(at + sizeof key - 1, name, n) == 0 &&
           at[sizeof key - 1 + n] == '"';
}

/* A step of a request has ended. */
static void take_step(struct tail *tail, const char *line, unsigned number)
{
    struct tail_lane *lane = &tail->lanes[number];
    long long id = number_of(line, "\"args\":{\"id\":");
    const char *result = strstr(line, ",\"result\":\"");
    if (id < 0 || id >= tail->requests)
        return;
    unsigned request = (unsigned)id;
    if (is_named(line, "finish") && result != NULL) {
        finish(tail, request, strncmp(result + 11, "ok\"", 3) == 0,
               (uint64_t)number_of(result, "\"bytes\":"));
    } else if (number == 0) { /* the parent's, or the main thread's */
        if (is_named(line, "retry"))
            set_doing(tail, request, WAITING);
    } else {
        lane->request = request;
        tail->lane_of[request] = number;
        if (is_named(line, "take") || is_named(line, "retry"))
            set_doing(tail, request, CONNECTING);
        else if (is_named(line, "connect"))
            set_doing(tail, request, SENDING);
        else if (is_named(line, "send"))
            set_doing(tail, request, WAITING);
        else if (is_named(line, "receive") || is_named(line, "finish"))
            set_doing(tail, request, DELIVERING);
        else if (is_named(line, "deliver"))
            see_body(tail, lane);
    }
}

static void take_count(struct tail *tail, const char *line, unsigned number)
{
    struct tail_lane *lane = &tail->lanes[number];
    long long bytes = number_of(line, "\"args\":{\"bytes\":");
    if (bytes < 0)
        return;
    if (is_named(line, "in the pipe")) {
        set_count(tail, &lane->in_pipe, (uint64_t)bytes);
    } else {
        set_count(tail, &lane->buffered, (uint64_t)bytes);
        see_body(tail, lane);
    }
}

static void take_event(struct tail *tail, const char *line)
{
    long long number = number_of(line, "\"tid\":");
    if (number < 0 || number >= tail->lane_count)
        return;
    if (strncmp(line, "{\"ph\":\"X\"", 9) == 0)
        take_step(tail, line, (unsigned)number);
    else if (strncmp(line, "{\"ph\":\"C\"", 9) == 0)
        take_count(tail, line, (unsigned)number);
}

/* --- The file ----------------------------------------------------------- */

static void take_lines(struct tail *tail, size_t length)
{
    char *at = tail->text;
    char *end = tail->text + length;
    char *newline;
    while ((newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        *newline = '\0';
        take_event(tail, at);
        at = newline + 1;
    }
    tail->held = (size_t)(end - at);
    if (tail->held == TEXT_MOST)
        tail->held = 0; /* no event is as long as that */
    memmove(tail->text, at, tail->held);
}

void tail_read(struct tail *tail)
{
    ssize_t n = 1;
    if (tail->fd == -1)
        tail->fd = open(tail->path, O_RDONLY | O_CLOEXEC);
    while (tail->fd != -1 && n > 0) {
        n = read(tail->fd, tail->text + tail->held, TEXT_MOST - tail->held);
        if (n > 0)
            take_lines(tail, tail->held + (size_t)n);
    }
}

void tail_end(struct tail *tail)
{
    tail_read(tail);
    for (unsigned i = 0; i < tail->requests; i++) {
        if (tail->doing[i] != DONE)
            set_doing(tail, i, FAILED);
    }
    tail->buffered = 0;
}
