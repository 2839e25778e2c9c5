/*
 * The whole program, looked at from outside: its output, its report, its
 * children; and what becomes of requests whose workers are killed.
 */
#include "fetching.h"
#include "lab.h"
#include "look.h"
#include "result.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define RETRY "request_bereft, and retry_crashed"

static const struct hint plain = {
    "the program does not do its ordinary work: are the earlier parts done?",
    "its messages, and the tests of the frames and of the pool"};

/* Checks a field of the report. */
static void check_said(int row, const char *column, const char *wanted,
                       const struct hint *hint)
{
    const char *said = program_said(row, column);
    lab_check(strcmp(said, wanted) == 0, hint->means, hint->look,
              "request %d has %s \"%s\" in the report, not \"%s\"; the "
              "program said: %.300s",
              row, column, said, wanted, program_errors());
}

static void check_output(const char *wanted, const struct hint *hint)
{
    const char *output = program_output();
    size_t at = 0;
    while (output[at] != '\0' && output[at] == wanted[at])
        at++;
    lab_check(strcmp(output, wanted) == 0, hint->means, hint->look,
              "the output has %zu bytes, not %zu; from byte %zu on it "
              "is \"%.40s\" and not \"%.40s\"",
              strlen(output), strlen(wanted), at, output + at, wanted + at);
}

static void check_status(int wanted, const struct hint *hint)
{
    int status = program_finish(hint);
    lab_check(status == wanted, hint->means, hint->look,
              "the program ended with status %d, not %d; it said: %.300s",
              status, wanted, program_errors());
}

/* --- Ordinary work ------------------------------------------------------- */

/* Starts triptych-origin; returns the address of its TCP echo. */
static const char *start_origin(void)
{
    static char text[600];
    char path[1000];
    const char *bin = getenv("LAB_BIN");
    int ends[2];
    size_t length = 0;
    ssize_t n;
    snprintf(path, sizeof path, "%s/triptych-origin", bin != NULL ? bin : ".");
    if (pipe2(ends, O_CLOEXEC) == -1)
        lab_broken("pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)execl(path, path, "-p", "0", (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    while (length < sizeof text - 1 && strstr(text, "udp://") == NULL &&
           (n = read(ends[0], text + length, sizeof text - 1 - length)) > 0)
        text[length += (size_t)n] = '\0';
    char *at = strstr(text, "tcp://");
    if (at == NULL)
        lab_broken("%s does not start", path);
    at[strcspn(at, "\n")] = '\0';
    return at;
}

/* Forty words, each echoed by the server. */
static void bodies_come_in_order(void)
{
    static const struct hint hint = {
        "what is shared between the workers gets mixed up, or a worker ends "
        "early",
        "make_worker, read_job, frame_next"};
    static char urls[40][200];
    static char wanted[4000];
    const char *words[50] = {"-j6", "--spawn", "pool"};
    const char *echo = start_origin();
    size_t length = 0;
    for (int i = 0; i < 40; i++) {
        snprintf(urls[i], sizeof urls[i], "%sbody-%d;", echo, i);
        words[3 + i] = urls[i];
        length += (size_t)snprintf(wanted + length, sizeof wanted - length,
                                   "body-%d;", i);
    }
    lab_doing("fetching 40 words from an echo server, 6 at a time", hint.means,
              hint.look);
    program_start(words, NULL);
    check_status(0, &hint);
    check_output(wanted, &hint);
}

static bool no_zombies(void *context)
{
    (void)context;
    return look_zombies(program_pid()) == 0;
}

/* A worker for each request: nine are over when the tenth is asked for. */
static void no_zombies_are_left(void)
{
    static const struct hint hint = {
        "a child that has ended stays in the table of processes until its "
        "parent calls waitpid",
        "pool_reap"};
    static const struct hint ends = {
        "the worker of the request before has not ended, or its death was "
        "not noticed",
        "pool_retire, pool_reap; who holds the writing end of its jobs pipe"};
    const char *words[] = {"-n", "-j1", "--spawn", "each", "/0",
                           "/1", "/2",  "/3",      "/4",   "/5",
                           "/6", "/7",  "/8",      "/9",   NULL};
    lab_doing("ten requests with --spawn each", ends.means, ends.look);
    program_start(words, NULL);
    for (int i = 0; i < 9; i++)
        server_answer(server_next(i == 0 ? &plain : &ends), "body");
    struct connection *last = server_next(&ends);
    program_until(no_zombies, NULL,
                  "nine of ten requests are done, waiting for the nine dead "
                  "workers to be reaped",
                  &hint);
    server_answer(last, "body");
    check_status(0, &hint);
}

/* --- Workers that are killed --------------------------------------------- */

static void one_new_try(void)
{
    static const struct hint hint = {
        "nobody will answer for a dead worker: its request must be made again",
        RETRY};
    const char *words[] = {"-n", "-j2", "/a", "/b", NULL};
    lab_doing("killing a worker in the middle of its request", hint.means,
              hint.look);
    program_start(words, NULL);
    struct connection *a = server_expect("/a", &plain);
    struct connection *b = server_expect("/b", &plain);
    server_kill(a);
    server_answer(server_expect("/a", &hint), "body");
    server_answer(b, "body");
    check_status(0, &hint);
    check_said(0, "attempts", "2", &hint);
    check_said(1, "attempts", "1", &hint);
}

static void no_third_try(void)
{
    static const struct hint hint = {
        "a request that kills its workers would be made for ever",
        "retry_crashed: job->crashes"};
    const char *words[] = {"-n", "-j1", "/a", NULL};
    lab_doing("killing two workers in the middle of one request", hint.means,
              hint.look);
    program_start(words, NULL);
    server_kill(server_expect("/a", &plain));
    server_kill(server_expect("/a", &hint));
    server_oblige();
    int status = program_finish(&hint);
    lab_check(server_requests() == 2, hint.means, hint.look,
              "two workers died with the request, and it was made %d times",
              server_requests());
    check_said(0, "result", "worker-crashed", &hint);
    check_said(0, "attempts", "2", &hint);
    lab_check(status == 1, hint.means, hint.look,
              "the program ended with status %d, not 1", status);
    /* In whatever words. */
    lab_check(strcasestr(program_errors(), "signal") != NULL ||
                  strcasestr(program_errors(), "kill") != NULL,
              "the message is to say how the worker died",
              "retry_crashed: WIFSIGNALED",
              "the worker was killed by signal 9; the program said: %.300s",
              program_errors());
}

static bool has_result(void *context)
{
    (void)context;
    return look_in_pipes(program_pid(), NULL) >=
           (int)(sizeof(struct outcome) + strlen("second"));
}

static bool is_gone(void *context)
{
    return look_state(*(pid_t *)context) == 0;
}

/* The second body waits in its pipe for its turn, all of it. */
static void a_result_counts_when_its_worker_is_dead(void)
{
    static const struct hint hint = {
        "what a worker has written before its death is in the pipe, whole, "
        "and can be read",
        "request_bereft, and mailbox_drain"};
    const char *words[] = {"-j2", "/first", "/second", NULL};
    lab_doing("killing a worker whose result waits in the pipe", hint.means,
              hint.look);
    program_start(words, NULL);
    struct connection *first = server_expect("/first", &plain);
    struct connection *second = server_expect("/second", &plain);
    pid_t worker = server_worker(second);
    server_answer(second, "second");
    program_until(has_result, NULL, "waiting for the second result", &plain);
    if (kill(worker, SIGKILL) == -1)
        lab_broken("worker %d cannot be killed", (int)worker);
    server_oblige();
    program_until(is_gone, &worker, "waiting for the dead worker to be reaped",
                  &hint);
    server_answer(first, "first");
    check_status(0, &hint);
    lab_check(server_requests() == 2, hint.means, hint.look,
              "the request was done before its worker died, and is made again "
              "(%d requests, not 2)",
              server_requests());
    check_said(1, "attempts", "1", &hint);
    check_output("firstsecond", &hint);
}

static bool has_output(void *context)
{
    return strcmp(program_output(), context) == 0;
}

static void no_byte_comes_twice(void)
{
    static const struct hint hint = {
        "what went to standard output cannot be taken back: then there is no "
        "new try",
        "retry_crashed: r->written"};
    static const char head[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc";
    const char *words[] = {"-j2", "/first", "/second", NULL};
    lab_doing("killing a worker after three of nine bytes of its body are out",
              hint.means, hint.look);
    program_start(words, NULL);
    struct connection *first = server_expect("/first", &plain);
    struct connection *second = server_expect("/second", &plain);
    server_send(first, head, sizeof head - 1);
    program_until(has_output, "abc", "waiting for the first bytes", &plain);
    server_kill(first);
    server_oblige();
    server_answer(second, "second");
    int status = program_finish(&hint);
    check_output("abcsecond", &hint);
    check_said(0, "result", "worker-crashed", &hint);
    check_said(0, "bytes", "3", &hint);
    check_said(1, "result", "ok", &hint);
    lab_check(status == 1, hint.means, hint.look,
              "the program ended with status %d, not 1", status);
}

static char big[300001];

static void send_big(struct connection *c)
{
    char head[100];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                     sizeof big - 1);
    server_send(c, head, (size_t)n);
    server_send(c, big, sizeof big - 1);
}

static bool is_full(void *context)
{
    bool full = false;
    (void)context;
    return look_in_pipes(program_pid(), &full) > 0 && full;
}

/* The second body waits for its turn in a pipe that does not hold it: what the
 * parent finds there after the worker's death ends within a frame. */
static void half_a_frame_is_forgotten(void)
{
    static char wanted[sizeof big + 10] = "first";
    static const struct hint hint = {
        "the new worker's bytes are read as the rest of what the dead one had "
        "begun",
        "retry_crashed, and what becomes of the mailbox"};
    const char *words[] = {"--high-water", "4096",    "-j2",
                           "/first",       "/second", NULL};
    for (size_t i = 0; i < sizeof big - 1; i++)
        big[i] = (char)('a' + (i * 7 + i / 251) % 26);
    memcpy(wanted + 5, big, sizeof big);
    lab_doing("killing a worker that sleeps in write, in the middle of a "
              "frame",
              hint.means, hint.look);
    program_start(words, NULL);
    struct connection *first = server_expect("/first", &plain);
    struct connection *second = server_expect("/second", &plain);
    send_big(second);
    program_until(is_full, NULL, "waiting for a full pipe", &plain);
    server_kill(second);
    send_big(server_expect("/second", &hint));
    server_answer(first, "first");
    int status = program_finish(&hint);
    check_output(wanted, &hint);
    check_said(1, "attempts", "2", &hint);
    lab_check(status == 0, hint.means, hint.look,
              "the program ended with status %d, not 0; it said: %.300s",
              status, program_errors());
}

static bool is_stopped(void *context)
{
    return look_state(*(pid_t *)context) == 'T';
}

static bool five_died(void *context)
{
    return look_zombies(*(pid_t *)context) == 5;
}

/* SIGCHLDs that come while the parent is stopped become one. */
static void five_deaths_at_once(void)
{
    static const struct hint hint = {
        "signals of one kind do not queue: one SIGCHLD may stand for many "
        "deaths",
        "pool_reap: how often it calls waitpid"};
    static const char *const paths[] = {"/0", "/1", "/2", "/3", "/4"};
    const char *words[] = {"-n", "-j5", "/0", "/1", "/2", "/3", "/4", NULL};
    pid_t children[20];
    lab_doing("killing five workers while their parent is stopped", hint.means,
              hint.look);
    program_start(words, NULL);
    pid_t pid = program_pid();
    for (int i = 0; i < 5; i++)
        (void)server_expect(paths[i], &plain);
    int n = look_children(pid, children, 20);
    lab_check(n == 5, plain.means, "pool_get",
              "five requests are in flight, and there are %d workers", n);
    if (kill(pid, SIGSTOP) == -1 || !lab_eventually(is_stopped, &pid))
        lab_broken("the program cannot be stopped");
    for (int i = 0; i < 5; i++)
        (void)kill(children[i], SIGKILL);
    if (!lab_eventually(five_died, &pid))
        lab_broken("the workers cannot be killed");
    (void)kill(pid, SIGCONT);
    for (int i = 0; i < 5; i++)
        server_answer(server_expect(paths[i], &hint), "body");
    check_status(0, &hint);
    for (int i = 0; i < 5; i++)
        check_said(i, "attempts", "2", &hint);
}

static bool has_outcome(void *context)
{
    (void)context;
    return look_in_pipes(program_pid(), NULL) >= (int)sizeof(struct outcome);
}

/* Two deaths, and the first is heard of before the second worker's pipe is
 * looked at, in which its result is. Nobody waits for a turn here: it counts
 * at once. */
static void a_result_without_a_turn(void)
{
    static const struct hint hint = {
        "what a worker has written before its death is in the pipe, whole; "
        "and nobody will look at that pipe again",
        "request_bereft: where the result is there, and bodies go nowhere"};
    const char *words[] = {"-n", "-j2", "/first", "/second", NULL};
    lab_doing("killing two workers, one of them with its result in the pipe",
              hint.means, hint.look);
    program_start(words, NULL);
    struct connection *first = server_expect("/first", &plain);
    struct connection *second = server_expect("/second", &plain);
    pid_t pid = program_pid();
    pid_t workers[] = {server_worker(first), server_worker(second)};
    if (kill(pid, SIGSTOP) == -1 || !lab_eventually(is_stopped, &pid) ||
        kill(workers[0], SIGKILL) == -1)
        lab_broken("the program cannot be stopped");
    if (look_until(workers[0], look_ended, &workers[0]) != LOOK_REACHED)
        lab_broken("the worker cannot be killed");
    server_answer(second, "second");
    if (!lab_eventually(has_outcome, NULL))
        lab_broken("the second worker does not write its result");
    if (kill(workers[1], SIGKILL) == -1 ||
        look_until(workers[1], look_ended, &workers[1]) != LOOK_REACHED)
        lab_broken("the worker cannot be killed");
    (void)kill(pid, SIGCONT);
    server_answer(server_expect("/first", &hint), "first");
    check_status(0, &hint);
    lab_check(
        server_requests() == 3, hint.means, hint.look,
        "the second request was done before its worker died, and is made "
        "again (%d requests, not 3)",
        server_requests());
    check_said(0, "attempts", "2", &hint);
    check_said(1, "attempts", "1", &hint);
}

static bool has_complained(void *context)
{
    (void)context;
    return strstr(program_errors(), "http-error") != NULL;
}

/* It dies, and the next job comes, while the parent does not look. */
static void an_idle_worker_dies(void)
{
    static const struct hint hint = {
        "a worker that dies with no request costs nothing: the next job goes "
        "to a new one",
        "request_bereft, where there is no job; mailbox_send, for EPIPE"};
    static const char not_there[] =
        "HTTP/1.1 404 Not there\r\nContent-Length: 0\r\n\r\n";
    const char *words[] = {"-n", "-j1", "-i", "-", NULL};
    int input;
    lab_doing("killing a worker that has nothing to do", hint.means,
              hint.look);
    program_start(words, &input);
    program_feed(input, "/first");
    struct connection *first = server_expect("/first", &plain);
    pid_t worker = server_worker(first);
    pid_t pid = program_pid();
    server_send(first, not_there, sizeof not_there - 1);
    program_until(has_complained, NULL, "waiting for the first result",
                  &plain);
    if (kill(pid, SIGSTOP) == -1 || !lab_eventually(is_stopped, &pid) ||
        kill(worker, SIGKILL) == -1)
        lab_broken("the program cannot be stopped");
    if (look_until(worker, look_ended, &worker) != LOOK_REACHED)
        lab_broken("the worker cannot be killed");
    program_feed(input, "/second");
    (void)close(input);
    (void)kill(pid, SIGCONT);
    server_answer(server_expect("/second", &hint), "body");
    check_status(1, &hint);
    check_said(1, "result", "ok", &hint);
    check_said(1, "attempts", "1", &hint);
}

/* Each of twenty requests loses its first worker. */
static void twenty_deaths(void)
{
    static const struct hint hint = {
        "each death costs one new try, and nothing else", RETRY};
    static char paths[20][20];
    static char wanted[1000];
    const char *words[30] = {"-j4"};
    int seen[20] = {0};
    size_t length = 0;
    int before = 0, after = 0;
    for (int i = 0; i < 20; i++) {
        snprintf(paths[i], sizeof paths[i], "/%d;", i);
        words[1 + i] = paths[i];
        length += (size_t)snprintf(wanted + length, sizeof wanted - length,
                                   "%s", paths[i]);
    }
    lab_doing("killing the first worker of each of 20 requests", hint.means,
              hint.look);
    program_start(words, NULL);
    for (int i = 0; i < 40; i++) {
        struct connection *c = server_next(i == 0 ? &plain : &hint);
        int id = atoi(c->path + 1);
        if (i == 3)
            before = look_descriptors(program_pid());
        if (i == 39)
            after = look_descriptors(program_pid());
        if (seen[id]++ == 0)
            server_kill(c);
        else
            server_answer(c, paths[id]);
    }
    check_status(0, &hint);
    check_output(wanted, &hint);
    for (int i = 0; i < 20; i++)
        check_said(i, "attempts", "2", &hint);
    lab_check(after <= before + 10,
              "the ends of dead workers' pipes stay open, until there are no "
              "descriptors any more",
              "pool_vacate, and who calls it",
              "with four workers the program had %d descriptors open, after "
              "20 deaths it has %d",
              before, after);
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"bodies_come_in_order", bodies_come_in_order},
        {"no_zombies_are_left", no_zombies_are_left},
        {"one_new_try", one_new_try},
        {"no_third_try", no_third_try},
        {"a_result_counts_when_its_worker_is_dead",
         a_result_counts_when_its_worker_is_dead},
        {"no_byte_comes_twice", no_byte_comes_twice},
        {"half_a_frame_is_forgotten", half_a_frame_is_forgotten},
        {"five_deaths_at_once", five_deaths_at_once},
        {"a_result_without_a_turn", a_result_without_a_turn},
        {"an_idle_worker_dies", an_idle_worker_dies},
        {"twenty_deaths", twenty_deaths},
        {0}};
    return lab_main(tests);
}
