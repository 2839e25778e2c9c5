/* run: what the requests of one run share. See run.h. */
#include "run.h"

#include "clock.h"
#include "database.h"
#include "model.h"
#include "regular.h"
#include "upload.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netdb.h>
#include <poll.h>
#include <resolv.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* How long a stalled reader of standard error or of the report is waited for
 * once a signal has come. The run must end within a second. */
#define LAST_WORDS_MS 100

/* For the signal handler, which gets no argument. */
static struct run *the_run;

/* --- Stopping ----------------------------------------------------------- */

bool run_stopping(struct run *run)
{
    return atomic_load(&run->signal) != 0 || atomic_load(&run->failed);
}

/* Makes stop_fd readable, for good: it is never read. */
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

static void say(struct run *run, const char *kind, const char *format,
                va_list arguments)
{
    messages_say(&run->messages, kind, format, arguments);
    (void)messages_flush(&run->messages);
}

void run_warn(struct run *run, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(run, "warning: ", format, arguments);
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
    say(run, "", format, arguments);
    va_end(arguments);
    stop(run);
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

static int next_locked(struct run *run, struct job **job)
{
    int got = jobs_next(&run->jobs, job);
    if (got == 1)
        report_begin(&run->report, *job);
    return got;
}

int run_next(struct run *run, struct job **job)
{
    int got = -EBUSY;
    bool is_full = spool_is_full(&run->messages.spool);
    pthread_mutex_lock(&run->lock);
    /* One that was given back is no further one: it may be the first. */
    if (run->jobs.returned != NULL ||
        (!is_full && !report_is_full(&run->report)))
        got = next_locked(run, job);
    pthread_mutex_unlock(&run->lock);
    return got;
}

void run_started(struct run *run, struct job *job, int worker)
{
    job->worker = worker;
    job->start_us = clock_us();
    atomic_fetch_add(&run->in_flight, 1);
    trace_in_flight(&run->trace, &run->in_flight);
}

static void left_flight(struct run *run)
{
    atomic_fetch_sub(&run->in_flight, 1);
    trace_in_flight(&run->trace, &run->in_flight);
}

void run_given_back(struct run *run, struct job *job)
{
    job->worker = -1;
    job->start_us = -1;
    left_flight(run);
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

/* Writes rows of the report, if there are `least` bytes of them, as far as
 * that goes. True if something is left. */
static bool flush_report(struct run *run, size_t least)
{
    if (run->report.fd == -1)
        return false;
    pthread_mutex_lock(&run->lock);
    bool more = report_fill(&run->report);
    pthread_mutex_unlock(&run->lock);
    size_t left = spool_flush(&run->report.spool, least);
    int error = spool_error(&run->report.spool);
    if (error != 0)
        run_fail(run, "%s: %s", run->options->report, strerror(-error));
    return left > 0 || more;
}

uint64_t run_finish(struct run *run, struct job *job)
{
    struct progress *progress = &run->progress;
    enum result result = job->outcome.result;
    if (job->start_us >= 0)
        left_flight(run);
    if (result != RESULT_OK && result != RESULT_CANCELLED)
        messages_failure(&run->messages, job);
    pthread_mutex_lock(&run->lock);
    progress->finished++;
    progress->succeeded += result == RESULT_OK;
    progress->kept += job->outcome.bytes;
    report_finish(&run->report, job);
    uint64_t turn = report_turn(&run->report);
    pthread_mutex_unlock(&run->lock);
    (void)messages_flush(&run->messages);
    (void)flush_report(run, REPORT_SHARE);
    return turn;
}

/* The progress line, if it is time for one. */
static void show_progress(struct run *run)
{
    struct progress *progress = &run->progress;
    char text[120];
    int64_t now = clock_us();
    pthread_mutex_lock(&run->lock);
    bool is_time = now - progress->shown_us >= RUN_TICK_MS * 1000;
    progress->in_flight = atomic_load(&run->in_flight);
    progress->total =
        run->options->input == NULL ? run->options->url_count : 0;
    if (is_time)
        progress_line(progress, text, sizeof text, now);
    pthread_mutex_unlock(&run->lock);
    if (is_time)
        messages_progress(&run->messages, text);
}

void run_tick(struct run *run)
{
    if (run->shows_progress)
        show_progress(run);
    (void)messages_flush(&run->messages);
    (void)flush_report(run, REPORT_SHARE);
}

bool run_ticks(struct run *run)
{
    return run->shows_progress || spool_is_stalled(&run->messages.spool) ||
           (run->report.fd != -1 && spool_is_stalled(&run->report.spool));
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

/* Descriptors for each request in flight, at most, in the process that makes
 * them: both ends of a worker, or a connection and a file. */
#define DESCRIPTORS_EACH 2

/* Has the kernel make its table of our descriptors as large as it will be. It
 * doubles it when it is full, and once threads or children share the table,
 * all who need a descriptor wait meanwhile, some milliseconds
 * (tests/bench/MEASURED.md). If there is no such number, it grows as usual. */
static void make_room_for_descriptors(size_t requests)
{
    struct rlimit limit;
    size_t last = DESCRIPTORS_EACH * requests;
    if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
        return;
    if (last >= limit.rlim_cur)
        last = (size_t)limit.rlim_cur - 1;
    int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, (int)last);
    if (fd != -1)
        (void)close(fd);
}

/* glibc gives each thread a heap of its own, for which it reserves 64 MiB of
 * addresses. Where these are limited it cannot: then it takes a page for each
 * allocation, and fails when there is none, however much others have freed. So
 * all threads share one heap there.
 *
 * And what it needs for looking up names it makes for the first of them. If
 * there is no memory then (2.36), it keeps a lock for ever, or crashes: so it
 * makes that now. */
static void prepare_for_little_memory(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return;
    (void)mallopt(M_ARENA_MAX, 1);
    (void)res_init();
    sethostent(0);
    endhostent();
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
                        .report = {.fd = -1},
                        .input = -1,
                        .stop_fd = -1,
                        .stop_write_fd = -1};
    int error = hold_standard_descriptors();
    const char *cause = NULL;
    const char *what = "standard descriptors";
    prepare_for_little_memory();
    make_room_for_descriptors(options->jobs);
    if (error == 0)
        error = -pthread_mutex_init(&run->lock, NULL);
    if (error == 0) {
        what = "random bytes";
        error = jobs_open(&run->jobs, options);
    }
    if (error == 0) {
        output_open(&run->output, STDOUT_FILENO);
        run->shows_progress = wants_progress(options);
        what = "messages";
        error = messages_open(&run->messages);
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
    /* However many rows wait: this is the end. */
    while ((got = next_locked(run, &job)) == 1) {
        job->outcome = OUTCOME_NONE;
        outcome_cancel(&job->outcome);
        (void)run_finish(run, job);
    }
    if (got < 0)
        run_fail(run, "%s", strerror(-got));
}

/* Writes all that `flush` has, waiting for the reader of `fd`; but when a
 * signal has come, only for a moment. True: all is written. */
static bool write_rest(struct run *run, int fd, bool (*flush)(struct run *))
{
    int64_t until = CLOCK_NEVER;
    while (flush(run)) {
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        int64_t now = clock_us();
        if (atomic_load(&run->signal) != 0 && until == CLOCK_NEVER)
            until = now + LAST_WORDS_MS * INT64_C(1000);
        if (now >= until)
            return false;
        (void)poll(&room, 1, LAST_WORDS_MS);
    }
    return true;
}

static bool flush_all_rows(struct run *run)
{
    return flush_report(run, 1);
}

static bool flush_all_messages(struct run *run)
{
    return messages_flush(&run->messages) > 0;
}

static void close_report(struct run *run)
{
    const char *file = run->options->report;
    if (!write_rest(run, run->report.spool.output.fd, flush_all_rows))
        run_fail(run, "%s: its reader has stalled", file);
    int error = report_close(&run->report);
    if (error != 0)
        run_fail(run, "%s: %s", file, strerror(-error));
}

static void say_summary(struct run *run, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(run, "", format, arguments);
    va_end(arguments);
}

static void print_summary(struct run *run)
{
    char text[200];
    if (run->options->quiet)
        return;
    progress_summary(&run->progress, text, sizeof text, clock_us());
    say_summary(run, "%s", text);
}

int run_close(struct run *run)
{
    cancel_rest(run);
    close_report(run);
    int error = trace_close(&run->trace);
    if (error != 0)
        run_fail(run, "%s: %s", run->options->trace, strerror(-error));
    print_summary(run);
    (void)write_rest(run, run->messages.spool.output.fd, flush_all_messages);
    int signal_number = atomic_load(&run->signal);
    int status = 0;
    if (signal_number != 0)
        status = 128 + signal_number;
    else if (atomic_load(&run->failed))
        status = 3;
    else if (run->progress.succeeded != run->progress.finished)
        status = 1;

    jobs_free(&run->jobs);
    sink_close(&run->sink);
    database_settle();
    tls_close(&run->tls);
    output_close(&run->output);
    messages_close(&run->messages);
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
