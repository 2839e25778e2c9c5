/* run: what the requests of one run share. See run.h. */
#include "run.h"

#include "clock.h"
#include "model.h"
#include "regular.h"
#include "upload.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* How long a message may wait for a stalled standard error once the run is to
 * stop. It must end within a second. */
#define LAST_WORDS_MS 100

/* Room for a message that is had from the start: that memory has run out must
 * be told without any. Only a longer URL takes more. */
#define LINE_ROOM ((size_t)4096)

/* For the signal handler, which gets no argument. */
static struct run *the_run;

/* --- Stopping ----------------------------------------------------------- */

bool run_stopping(struct run *run)
{
    return atomic_load(&run->signal) != 0 || atomic_load(&run->failed);
}

/* Makes stop_fd readable, for good: nobody ever reads it. */
static void stop(struct run *run)
{
    int saved = errno;
    /* If the pipe is full it is readable already. */
    ssize_t ignored = write(run->stop_write_fd, "", 1);
    (void)ignored;
    errno = saved;
}

static void on_signal(int number)
{
    int none = 0;
    atomic_compare_exchange_strong(&the_run->signal, &none, number);
    stop(the_run);
}

static int listen_to_signals(struct run *run)
{
    static const int wanted[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction before;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == -1)
        return -errno;
    run->stop_fd = ends[0];
    run->stop_write_fd = ends[1];
    the_run = run;
    sigemptyset(&action.sa_mask);
    sigemptyset(&ignore.sa_mask);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        /* nohup, and a shell's "&", ask us to ignore it: we do. */
        if (sigaction(wanted[i], NULL, &before) == 0 &&
            before.sa_handler != SIG_IGN)
            (void)sigaction(wanted[i], &action, NULL);
    }
    /* A write to what is closed, or over a file limit, is to fail, not to
     * kill us. */
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGXFSZ, &ignore, NULL);
    return 0;
}

/* --- Messages ----------------------------------------------------------- */

/* Writes it all, or gives up when standard error is closed, or is stalled and
 * the run is to stop. */
static void write_errors_locked(struct run *run, const char *p, size_t n)
{
    bool last_words = false;
    while (n > 0) {
        struct iovec part = {(void *)p, n};
        ssize_t sent = output_send(&run->errors, &part, 1);
        if (sent > 0) {
            p += sent;
            n -= (size_t)sent;
        } else if (sent != -EAGAIN || last_words) {
            return;
        } else {
            struct pollfd fds[] = {
                {.fd = run->errors.fd, .events = POLLOUT},
                {.fd = run->stop_fd, .events = POLLIN},
            };
            last_words = run_stopping(run);
            (void)poll(fds, last_words ? 1 : 2,
                       last_words ? LAST_WORDS_MS : -1);
        }
    }
}

/* Writes run->line, in the place of the progress line if that is shown. */
static void write_message_locked(struct run *run)
{
    static const char wipe[] = "\r\033[K";
    if (run->progress.shown)
        write_errors_locked(run, wipe, sizeof wipe - 1);
    run->progress.shown = false;
    write_errors_locked(run, run->line.data, run->line.length);
}

/* Prints "fetch-MODEL: " `kind` and the text. */
static void print_locked(struct run *run, const char *kind, const char *format,
                         va_list arguments)
{
    char text[400];
    vsnprintf(text, sizeof text, format, arguments);
    run->line.length = 0;
    if (bytes_print(&run->line, "fetch-%s: %s%s\n", model_name, kind, text) ==
        0)
        write_message_locked(run);
}

void run_warn(struct run *run, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&run->lock);
    print_locked(run, "warning: ", format, arguments);
    pthread_mutex_unlock(&run->lock);
    va_end(arguments);
}

void run_warn_shortage(struct run *run, const char *what, size_t in_flight)
{
    pthread_mutex_lock(&run->lock);
    bool first = !run->warned;
    run->warned = true;
    pthread_mutex_unlock(&run->lock);
    if (first)
        run_warn(run, "%s: going on with fewer requests in flight (%zu)", what,
                 in_flight);
}

void run_fail(struct run *run, const char *format, ...)
{
    if (atomic_exchange(&run->failed, true))
        return;
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&run->lock);
    print_locked(run, "", format, arguments);
    pthread_mutex_unlock(&run->lock);
    va_end(arguments);
    stop(run);
}

static void print_failure_locked(struct run *run, const struct job *job)
{
    struct bytes *line = &run->line;
    line->length = 0;
    int error = bytes_print(line, "fetch-%s: ", model_name);
    if (error == 0)
        error = job_print_url(line, job->url, job->url_length);
    if (error == 0)
        error =
            bytes_print(line, ": %s: %s\n", result_word(job->outcome.result),
                        job->outcome.cause);
    if (error == 0) /* else there is no memory for so long a URL */
        write_message_locked(run);
}

/* --- Input -------------------------------------------------------------- */

ssize_t run_take_input(struct run *run, char *text)
{
    ssize_t n = read(run->input, text, RUN_INPUT);
    if (n >= 0)
        return n;
    if (errno == EINTR || errno == EAGAIN)
        return -EAGAIN;
    run_fail(run, "%s: %s", run->options->input, strerror(errno));
    return 0;
}

int run_feed_input(struct run *run, const char *text, ssize_t n)
{
    if (n > 0)
        return jobs_feed(&run->jobs, text, (size_t)n, clock_us());
    if (n < 0)
        return 0;
    jobs_end(&run->jobs);
    if (run->input > STDIN_FILENO)
        (void)close(run->input);
    run->input = -1;
    return 0;
}

int run_read_input(struct run *run)
{
    char text[RUN_INPUT];
    if (jobs_reserve(&run->jobs, sizeof text) != 0)
        return -ENOMEM;
    return run_feed_input(run, text, run_take_input(run, text));
}

/* --- Counting ----------------------------------------------------------- */

int run_next(struct run *run, struct job **job)
{
    int got = -EBUSY;
    pthread_mutex_lock(&run->lock);
    /* One that was given back is no further one: it may be the first. */
    if (run->jobs.returned != NULL || !report_is_full(&run->report))
        got = jobs_next(&run->jobs, job);
    if (got == 1)
        report_begin(&run->report, *job);
    pthread_mutex_unlock(&run->lock);
    return got;
}

void run_started(struct run *run, struct job *job, int worker)
{
    job->worker = worker;
    job->start_us = clock_us();
    pthread_mutex_lock(&run->lock);
    run->progress.started++;
    run->progress.in_flight++;
    trace_in_flight(&run->trace, run->progress.in_flight);
    pthread_mutex_unlock(&run->lock);
}

uint64_t run_in_flight(struct run *run)
{
    pthread_mutex_lock(&run->lock);
    uint64_t in_flight = run->progress.in_flight;
    pthread_mutex_unlock(&run->lock);
    return in_flight;
}

void run_given_back(struct run *run, struct job *job)
{
    job->worker = -1;
    job->start_us = -1;
    pthread_mutex_lock(&run->lock);
    run->progress.in_flight--;
    trace_in_flight(&run->trace, run->progress.in_flight);
    pthread_mutex_unlock(&run->lock);
}

void run_count(struct run *run, size_t bytes)
{
    pthread_mutex_lock(&run->lock);
    run->progress.bytes += bytes;
    pthread_mutex_unlock(&run->lock);
}

uint64_t run_turn(struct run *run)
{
    pthread_mutex_lock(&run->lock);
    uint64_t turn = report_turn(&run->report);
    pthread_mutex_unlock(&run->lock);
    return turn;
}

uint64_t run_finish(struct run *run, struct job *job)
{
    struct progress *progress = &run->progress;
    enum result result = job->outcome.result;
    pthread_mutex_lock(&run->lock);
    if (job->start_us >= 0) {
        progress->in_flight--;
        trace_in_flight(&run->trace, progress->in_flight);
    }
    progress->finished++;
    if (result == RESULT_OK)
        progress->succeeded++;
    else if (result != RESULT_CANCELLED)
        print_failure_locked(run, job);
    report_finish(&run->report, job);
    int error = run->report.error;
    uint64_t turn = report_turn(&run->report);
    pthread_mutex_unlock(&run->lock);
    if (error != 0)
        run_fail(run, "%s: %s", run->options->report, strerror(-error));
    return turn;
}

void run_tick(struct run *run)
{
    int64_t now = clock_us();
    if (!run->shows_progress)
        return;
    pthread_mutex_lock(&run->lock);
    struct progress *progress = &run->progress;
    if (now - progress->shown_us >= RUN_TICK_MS * 1000) {
        char text[120];
        char line[160];
        progress->total =
            run->options->input == NULL ? run->options->url_count : 0;
        progress_line(progress, text, sizeof text, now);
        int n = snprintf(line, sizeof line, "\rfetch-%s: %s\033[K", model_name,
                         text);
        if (n > 0 && (size_t)n < sizeof line)
            write_errors_locked(run, line, (size_t)n);
        progress->shown = true;
    }
    pthread_mutex_unlock(&run->lock);
}

/* --- Opening and closing ------------------------------------------------ */

/* A program may be started with 0, 1 or 2 closed. The next socket would get
 * that number, and bodies would be written into it. Reading from, or writing
 * to, what we put there fails as it would on the closed one. */
static int hold_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) != -1 || errno != EBADF)
            continue;
        if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            return -EBADF;
    }
    return 0;
}

static int open_input(struct run *run)
{
    const char *input = run->options->input;
    run->input = -1;
    if (input == NULL)
        return 0;
    run->input = strcmp(input, "-") == 0 ? STDIN_FILENO
                                         : open(input, O_RDONLY | O_CLOEXEC);
    return run->input == -1 ? -errno : 0;
}

static bool wants_progress(const struct options *options)
{
    if (options->quiet || options->progress == PROGRESS_NEVER)
        return false;
    return options->progress == PROGRESS_ALWAYS || isatty(STDERR_FILENO);
}

int run_open(struct run *run, struct options *options, char *message,
             size_t size)
{
    *run = (struct run){.options = options,
                        .sink = {.directory = -1},
                        .input = -1,
                        .stop_fd = -1,
                        .stop_write_fd = -1};
    int error = hold_standard_descriptors();
    const char *cause = NULL;
    const char *what = "standard descriptors";
    if (error == 0)
        error = -pthread_mutex_init(&run->lock, NULL);
    if (error == 0) {
        what = "random bytes";
        error = jobs_open(&run->jobs, options);
    }
    if (error == 0) {
        output_open(&run->output, STDOUT_FILENO);
        output_open(&run->errors, STDERR_FILENO);
        run->shows_progress = wants_progress(options);
        what = "messages";
        error = bytes_reserve(&run->line, LINE_ROOM);
    }
    if (error == 0) {
        what = "signals";
        error = listen_to_signals(run);
    }
    if (error == 0) {
        what = options->input;
        error = open_input(run);
    }
    if (error == 0) {
        what = options->upload;
        error = upload_open(options);
        cause = error != 0 ? regular_fault(error) : NULL;
    }
    if (error == 0) {
        what = options->cacert;
        error = tls_open(&run->tls, options, &cause);
    }
    if (error == 0) {
        what = options->directory;
        error = sink_open(&run->sink, options);
    }
    if (error == 0) {
        what = options->report;
        error = report_open(&run->report, options->report, options->jobs);
    }
    if (error == 0) {
        char program[40];
        snprintf(program, sizeof program, "fetch-%s", model_name);
        what = options->trace;
        error =
            trace_open(&run->trace, options->trace, program, options->jobs);
    }
    if (error != 0)
        snprintf(message, size, "%s: %s", what,
                 cause != NULL ? cause : strerror(-error));
    return error;
}

/* Jobs that were read but never finished. */
static void cancel_rest(struct run *run)
{
    struct job *job;
    int got;
    while ((got = run_next(run, &job)) == 1) {
        job->outcome = OUTCOME_NONE;
        outcome_set(&job->outcome, RESULT_CANCELLED, "the run ended first");
        (void)run_finish(run, job);
    }
    if (got < 0)
        run_fail(run, "%s", strerror(-got));
}

static void print_summary(struct run *run)
{
    char text[200];
    if (run->options->quiet)
        return;
    progress_summary(&run->progress, text, sizeof text, clock_us());
    run->line.length = 0;
    if (bytes_print(&run->line, "fetch-%s: %s\n", model_name, text) == 0)
        write_message_locked(run);
}

int run_close(struct run *run)
{
    cancel_rest(run);
    int error = report_close(&run->report);
    if (error != 0)
        run_fail(run, "%s: %s", run->options->report, strerror(-error));
    error = trace_close(&run->trace);
    if (error != 0)
        run_fail(run, "%s: %s", run->options->trace, strerror(-error));
    print_summary(run);
    int signal_number = atomic_load(&run->signal);
    int status = 0;
    if (signal_number != 0)
        status = 128 + signal_number;
    else if (atomic_load(&run->failed))
        status = 3;
    else if (run->progress.succeeded != run->progress.finished)
        status = 1;

    jobs_free(&run->jobs);
    bytes_free(&run->line);
    sink_close(&run->sink);
    tls_close(&run->tls);
    output_close(&run->output);
    output_close(&run->errors);
    if (run->input > STDIN_FILENO)
        (void)close(run->input);
    /* The handlers stay: a late signal finds the pipe's numbers gone. */
    (void)close(run->stop_fd);
    int write_end = run->stop_write_fd;
    run->stop_write_fd = -1;
    (void)close(write_end);
    pthread_mutex_destroy(&run->lock);
    return status;
}
