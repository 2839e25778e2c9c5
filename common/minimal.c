/* minimal: what the minimal programs share. See minimal.h. */
#include "minimal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATUS_FAILED 1
#define STATUS_USAGE  2
#define STATUS_STUCK  3

/* --- The command line --------------------------------------------------- */

static int read_jobs(const char *text, unsigned *jobs)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value == 0 ||
        value > MINIMAL_JOBS)
        return -EINVAL;
    *jobs = (unsigned)value;
    return 0;
}

/* What may be said is what fetch-MODEL takes, too, and means the same. */
static int read_options(struct options *options, int argc, char **argv)
{
    int code;
    int error = 0;
    *options = (struct options){
        .jobs = 8,
        .upload_fd = -1,
        .timeout_us = 30 * CLOCK_SECOND,
        .connect_timeout_us = 10 * CLOCK_SECOND,
        .max_redirects = 10,
        .max_body = UINT64_MAX,
    };
    opterr = 0;
    while (error == 0 && (code = getopt(argc, argv, "i:j:n")) != -1) {
        if (code == 'i')
            options->input = optarg;
        else if (code == 'j')
            error = read_jobs(optarg, &options->jobs);
        else if (code == 'n')
            options->discard = true;
        else
            error = -EINVAL;
    }
    options->urls = argv + optind;
    options->url_count = (size_t)(argc - optind);
    if (options->url_count == 0 && options->input == NULL)
        error = -EINVAL;
    return error;
}

/* A program may be started with 0, 1 or 2 closed. The next socket would get
 * that number, and bodies would be written into it. */
static int hold_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) == -1 &&
            open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            return -EBADF;
    }
    return 0;
}

/* Before anything waits for it: a pipe's reading end never polls as writable.
 */
static int check_output(const struct options *options)
{
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    if (flags == -1)
        return -errno;
    return !options->discard && (flags & O_ACCMODE) == O_RDONLY ? -EBADF : 0;
}

/* For the signal handler, which gets no argument. */
static struct minimal *the_program;

static void on_signal(int number)
{
    the_program->stop(128 + number);
}

static int listen_to_signals(void)
{
    static const int wanted[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction before;
    (void)sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (sigaction(wanted[i], NULL, &before) != 0)
            return -errno;
        if (before.sa_handler != SIG_IGN &&
            sigaction(wanted[i], &action, NULL) != 0)
            return -errno;
    }
    if (sigaction(SIGPIPE, &ignore, NULL) != 0 ||
        sigaction(SIGXFSZ, &ignore, NULL) != 0)
        return -errno;
    return 0;
}

void minimal_open(struct minimal *m, const char *name, int argc, char **argv,
                  void (*on_stop)(int))
{
    *m = (struct minimal){.name = name, .stop = on_stop, .input = -1};
    the_program = m;
    clock_start();
    if (read_options(&m->options, argc, argv) != 0) {
        fprintf(stderr, "%s: usage: %s [-n] [-j JOBS] [-i FILE] [URL]...\n",
                name, name);
        exit(STATUS_USAGE);
    }
    int error = hold_standard_descriptors();
    if (error != 0)
        minimal_fail(m, "standard descriptors", -error);
    error = check_output(&m->options);
    if (error != 0)
        minimal_fail(m, "standard output", -error);
    error = listen_to_signals();
    if (error != 0)
        minimal_fail(m, "signals", -error);
    error = jobs_open(&m->jobs, &m->options);
    if (error != 0)
        minimal_fail(m, "jobs", -error);
    output_open(&m->output, STDOUT_FILENO);
    const char *input = m->options.input;
    if (input == NULL) {
        jobs_end(&m->jobs);
        return;
    }
    m->input = strcmp(input, "-") == 0 ? STDIN_FILENO
                                       : open(input, O_RDONLY | O_CLOEXEC);
    if (m->input == -1)
        minimal_fail(m, input, errno);
}

static void close_input(struct minimal *m)
{
    if (m->input > STDIN_FILENO)
        (void)close(m->input);
    m->input = -1;
}

int minimal_close(struct minimal *m)
{
    close_input(m);
    jobs_free(&m->jobs);
    output_close(&m->output);
    return m->status;
}

/* --- Requests in, bodies and outcomes out ------------------------------- */

struct job *minimal_take(struct minimal *m)
{
    struct job *job = NULL;
    int got = jobs_next(&m->jobs, &job);
    if (got < 0)
        minimal_fail(m, "a job", -got);
    return got == 1 ? job : NULL;
}

struct job *minimal_next(struct minimal *m)
{
    struct job *job = minimal_take(m);
    while (job == NULL && m->input != -1) {
        minimal_read(m);
        job = minimal_take(m);
    }
    return job;
}

void minimal_read(struct minimal *m)
{
    char text[16384];
    minimal_wait(m, m->input, POLLIN, CLOCK_NEVER); /* it may not block */
    ssize_t n = read(m->input, text, sizeof text);
    if (n > 0) {
        int error = jobs_feed(&m->jobs, text, (size_t)n, clock_us());
        if (error != 0)
            minimal_fail(m, m->options.input, -error);
    } else if (n == 0) {
        jobs_end(&m->jobs);
        close_input(m);
    } else if (errno != EINTR && errno != EAGAIN) {
        minimal_fail(m, m->options.input, errno);
    }
}

void minimal_on_list(int fd, short what, void *m)
{
    (void)fd, (void)what;
    minimal_read(m);
}

size_t minimal_write(struct minimal *m, const char *p, size_t n)
{
    struct iovec part = {(void *)p, n};
    ssize_t sent = output_send(&m->output, &part, 1);
    if (sent < 0 && sent != -EAGAIN)
        minimal_fail(m, "standard output", (int)-sent);
    return sent > 0 ? (size_t)sent : 0;
}

void minimal_write_all(struct minimal *m, const char *p, size_t n)
{
    while (n > 0) {
        size_t written = minimal_write(m, p, n);
        if (written == 0)
            minimal_wait(m, m->output.fd, POLLOUT, CLOCK_NEVER);
        p += written;
        n -= written;
    }
}

int minimal_deliver(void *m, const char *p, size_t n)
{
    struct minimal *self = m;
    if (!self->options.discard)
        minimal_write_all(self, p, n);
    return 0;
}

/* In one call, so that messages of several threads do not mix. */
static void print_failure(const struct minimal *m, const struct job *job,
                          const struct outcome *outcome)
{
    struct bytes url = {0};
    if (job_print_url(&url, job->url, job->url_length) != 0)
        url.length = 0; /* no memory for so long a URL */
    fprintf(stderr, "%s: %.*s: %s: %s\n", m->name, (int)url.length,
            url.length > 0 ? url.data : "", result_word(outcome->result),
            outcome->cause);
    bytes_free(&url);
}

void minimal_finish(struct minimal *m, struct job *job,
                    const struct outcome *outcome)
{
    if (outcome->result != RESULT_OK) {
        print_failure(m, job, outcome);
        atomic_store(&m->status, STATUS_FAILED);
    }
    job_free(job);
}

void minimal_fail(struct minimal *m, const char *what, int error)
{
    fprintf(stderr, "%s: %s: %s\n", m->name, what, strerror(error));
    m->stop(STATUS_STUCK);
    abort(); /* not reached: stop does not return */
}

int minimal_check(struct minimal *m, const char *what, int result)
{
    if (result == -1 && errno != EINTR)
        minimal_fail(m, what, errno);
    return result;
}

void minimal_ok(struct minimal *m, int error)
{
    if (error != 0)
        minimal_fail(m, "a worker", error);
}

void *minimal_made(struct minimal *m, void *made)
{
    if (made == NULL)
        minimal_fail(m, "memory", ENOMEM);
    return made;
}

void minimal_wait(const struct minimal *m, int fd, short events,
                  int64_t deadline)
{
    if (m->await != NULL)
        m->await(fd, events, deadline);
    else
        minimal_sleep(fd, events, deadline);
}

void minimal_sleep(int fd, short events, int64_t deadline)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    (void)poll(&poll_fd, 1, clock_poll_ms(deadline));
}
