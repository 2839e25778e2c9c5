/*
 * The worker: it reads jobs in pieces, and leaves without a trace.
 *
 * worker_main runs in a child, with jobs that need no network: their URLs are
 * none. read is wrapped, to bring one byte at a time.
 */
#include "worker.h"
#include "frame.h"
#include "lab.h"
#include "look.h"
#include "result.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ "read_job: what it does with a part of a job"

static bool dripping; /* read brings one byte, or EINTR */

ssize_t __real_read(int fd, void *to, size_t n);
ssize_t __wrap_read(int fd, void *to, size_t n);

ssize_t __wrap_read(int fd, void *to, size_t n)
{
    static unsigned turn;
    if (!dripping || n == 0)
        return __real_read(fd, to, n);
    if (turn++ % 3 == 1) {
        errno = EINTR;
        return -1;
    }
    return __real_read(fd, to, 1);
}

static bool no_memory; /* for a block that grows */

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_realloc(void *memory, size_t size)
{
    if (!no_memory)
        return __real_realloc(memory, size);
    errno = ENOMEM;
    return NULL;
}

/* --- What the tests are made of ------------------------------------------ */

struct worker {
    pid_t pid;
    int jobs_fd;
    int results_fd;
    struct frame_reader reader;
};

static struct options options;
static struct run run = {.options = &options};

static void prepare(void)
{
    static bool done;
    static char *words[] = {"fetch-processes", "-n", "-q", "http://x/", NULL};
    char message[300] = "";
    if (done)
        return;
    done = true;
    (void)signal(SIGPIPE, SIG_IGN);
    if (options_parse(&options, "processes", 4, words, message,
                      sizeof message) != 0 ||
        sink_open(&run.sink, &options) != 0 ||
        trace_open(&run.trace, NULL, "test", 1) != 0)
        lab_broken("%s", message);
}

static void start(struct worker *worker)
{
    int jobs[2], results[2];
    prepare();
    if (pipe2(jobs, O_CLOEXEC) == -1 || pipe2(results, O_CLOEXEC) == -1)
        lab_broken("pipe: %s", strerror(errno));
    *worker = (struct worker){.jobs_fd = jobs[1], .results_fd = results[0]};
    worker->pid = fork();
    if (worker->pid == -1)
        lab_broken("fork: %s", strerror(errno));
    if (worker->pid == 0) {
        (void)close(jobs[1]);
        (void)close(results[0]);
        worker_main(&run, 0, jobs[0], results[1]);
    }
    (void)close(jobs[0]);
    (void)close(results[1]);
}

static void make_job(struct bytes *frame, uint64_t id, const char *url)
{
    struct frame_job fixed = {.id = id, .url_length = (uint32_t)strlen(url)};
    struct iovec parts[] = {{&fixed, sizeof fixed},
                            {(void *)url, strlen(url) + 1},
                            {(void *)"", 1}};
    int error = frame_append(frame, FRAME_JOB, parts, 3);
    lab_check(error == 0, "the frames come first", "frame_append",
              "frame_append returned %d", error);
}

static void send_job(struct worker *worker, const char *url)
{
    struct bytes frame = {0};
    make_job(&frame, 0, url);
    ssize_t n = write(worker->jobs_fd, frame.data, frame.length);
    lab_check(n == (ssize_t)frame.length,
              "the worker has ended without a job done", READ,
              "of a job of %zu bytes the pipe took %zd", frame.length, n);
    bytes_free(&frame);
}

static bool readable(void *context)
{
    struct pollfd fd = {.fd = *(int *)context, .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

/* Or its reader is gone. */
static bool writable(void *context)
{
    struct pollfd fd = {.fd = *(int *)context, .events = POLLOUT};
    return poll(&fd, 1, 0) == 1;
}

/* Waits for a result, and checks that it is that of a URL which is none. */
static void take_result(struct worker *worker, const char *when)
{
    struct frame frame = frame_next(&worker->reader);
    while (frame.type == FRAME_NONE) {
        enum look look =
            look_until(worker->pid, readable, &worker->results_fd);
        lab_check(look == LOOK_REACHED,
                  "it waits for more, though the job is whole", READ,
                  "%s no result came: %s", when, look_words(worker->pid));
        bool drips = dripping;
        dripping = false;
        ssize_t n = frame_read(&worker->reader, worker->results_fd);
        dripping = drips;
        lab_check(n > 0,
                  "a part of a job was taken for the end, or for a "
                  "whole job",
                  READ, "%s the worker closed the results pipe: %s", when,
                  look_words(worker->pid));
        frame = frame_next(&worker->reader);
    }
    struct outcome outcome = OUTCOME_NONE;
    if (frame.length == sizeof outcome)
        memcpy(&outcome, frame.at, sizeof outcome);
    lab_check(frame.type == FRAME_RESULT && outcome.result == RESULT_BAD_URL,
              "the job did not arrive as it was sent", READ,
              "%s a frame of type %d and %zu bytes came, with result %d", when,
              (int)frame.type, frame.length, (int)outcome.result);
}

static void end(struct worker *worker)
{
    int status = -1;
    (void)close(worker->jobs_fd);
    lab_check(look_until(worker->pid, look_ended, &worker->pid) ==
                  LOOK_REACHED,
              "at the end of the pipe there will be no more jobs", READ,
              "the jobs pipe is closed, and the worker does not end: %s",
              look_words(worker->pid));
    (void)waitpid(worker->pid, &status, 0);
    lab_check(status == 0, "to end at the end of the pipe is what is asked",
              "read_job, worker_main",
              "the jobs pipe was closed, and the worker ended with status "
              "0x%x",
              (unsigned)status);
}

/* --- The tests ----------------------------------------------------------- */

static void a_job_is_read(void)
{
    struct worker worker;
    lab_doing("sending two jobs to a worker, one after the other",
              "a job is not read as it was sent", READ);
    start(&worker);
    send_job(&worker, "nonsense");
    take_result(&worker, "after the first job");
    send_job(&worker, "more nonsense");
    take_result(&worker, "after the second job");
    end(&worker);
}

static void a_job_comes_in_pieces(void)
{
    struct worker worker;
    lab_doing("sending jobs to a worker whose read brings one byte at a time",
              "one read is not one job", READ);
    dripping = true;
    start(&worker);
    send_job(&worker, "nonsense");
    take_result(&worker, "after a job in pieces of one byte");
    send_job(&worker, "more nonsense");
    take_result(&worker, "after a second one");
    end(&worker);
}

/* There is not even room for a job. It can only end, and say why. */
static void a_job_without_memory(void)
{
    struct worker worker;
    int status = -1;
    lab_doing("sending a job to a worker that gets no memory",
              "it tries again and again", READ);
    no_memory = true;
    start(&worker);
    no_memory = false;
    send_job(&worker, "nonsense");
    lab_check(look_until(worker.pid, look_ended, &worker.pid) == LOOK_REACHED,
              "it waits, or tries again and again", READ,
              "a job has come, there is no memory for it, and the worker does "
              "not end: %s",
              look_words(worker.pid));
    (void)waitpid(worker.pid, &status, 0);
    lab_check(WIFEXITED(status) && WEXITSTATUS(status) == WORKER_STARVED,
              "the parent takes its death for a crash, or for a wish, and not "
              "for a shortage",
              "read_job: what it says of -ENOMEM, and to whom",
              "a worker had no memory for its job, and ended with status "
              "0x%x, not %d",
              (unsigned)status, WORKER_STARVED);
    (void)close(worker.jobs_fd);
    (void)close(worker.results_fd);
}

/* Longer than any pipe, and half of it is late. */
static void a_long_job(void)
{
    static char url[150000];
    struct worker worker;
    struct bytes frame = {0};
    lab_doing("sending a job of 150,000 bytes", "one read is not one job",
              READ);
    memset(url, 'x', sizeof url - 1);
    start(&worker);
    make_job(&frame, 0, url);
    for (size_t sent = 0; sent < frame.length;) {
        lab_check(look_until(worker.pid, writable, &worker.jobs_fd) ==
                      LOOK_REACHED,
                  "it has stopped reading in the middle of a job", READ,
                  "%zu of %zu bytes were taken: %s", sent, frame.length,
                  look_words(worker.pid));
        ssize_t n =
            write(worker.jobs_fd, frame.data + sent,
                  frame.length - sent < 4096 ? frame.length - sent : 4096);
        lab_check(n > 0, "a part of a job was taken for all of it", READ,
                  "after %zu of %zu bytes the worker has closed the pipe",
                  sent, frame.length);
        sent += (size_t)n;
    }
    take_result(&worker, "after a job of 150,000 bytes");
    end(&worker);
    bytes_free(&frame);
    a_job_without_memory();
}

static int trail; /* where the exit handler leaves its mark */

static void at_exit(void)
{
    ssize_t ignored = write(trail, "exit handler;", 13);
    (void)ignored;
}

/* Standard output is a pipe here, so stdio keeps what is printed. */
static void what_is_buffered_is_printed_once(void)
{
    struct worker workers[3];
    int output[2];
    char text[200] = "";
    if (pipe2(output, O_CLOEXEC) == -1 || dup2(output[1], STDOUT_FILENO) == -1)
        lab_broken("pipe: %s", strerror(errno));
    trail = output[1];
    if (atexit(at_exit) != 0)
        lab_broken("atexit fails");
    lab_doing("ending three workers, with a line printed before they were "
              "made",
              "the child does what is for the parent to do", "worker_main");
    printf("once;");
    for (int i = 0; i < 3; i++) {
        start(&workers[i]);
        send_job(&workers[i], "nonsense");
        take_result(&workers[i], "after a job");
        end(&workers[i]);
    }
    (void)fflush(stdout);
    ssize_t n = __real_read(output[0], text, sizeof text - 1);
    lab_check(n > 0, "the line is gone", "worker_main",
              "nothing was printed at all");
    lab_check(
        strcmp(text, "once;") == 0,
        "a forked child has a copy of what stdio had not written yet, "
        "and of the exit handlers; leaving with exit, it writes and runs "
        "them once more",
        "worker_main: how the worker ends",
        "\"once;\" was printed before the fork, once; after three "
        "workers have ended the output is \"%s\"",
        text);
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"a_job_is_read", a_job_is_read},
        {"a_job_comes_in_pieces", a_job_comes_in_pieces},
        {"a_long_job", a_long_job},
        {"what_is_buffered_is_printed_once", what_is_buffered_is_printed_once},
        {0}};
    return lab_main(tests);
}
