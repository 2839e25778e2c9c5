/* worker: what a forked worker does. See worker.h. */
#include "worker.h"

#include "blocking.h"
#include "clock.h"
#include "database.h"
#include "frame.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

struct worker {
    struct blocking blocking; /* first: deliver is handed a pointer to it */
    const struct worker_setting *setting;
    struct idle idle;
    struct frame_reader reader;
    struct job job; /* url and name point into the reader's message */
    char *strings;  /* ... and this is their memory */
    struct file file;
    size_t peak;
    bool has_sent; /* a part of the body, to the parent */
    bool starved;  /* there is not even the memory for a job */
};

/* For the signal handler. */
static struct worker *the_worker;

static void on_terminate(int number)
{
    (void)number;
    atomic_store(&the_worker->blocking.told, TOLD_STOP);
}

/* SIGINT and SIGHUP go to the whole foreground group; what to do about them is
 * for the parent to say, by SIGTERM. */
static void set_signals(struct worker *w)
{
    struct sigaction action = {.sa_handler = on_terminate};
    the_worker = w;
    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    action.sa_handler = SIG_DFL;
    (void)sigaction(SIGCHLD, &action, NULL);

    /* A parent that is killed cannot tell us; the kernel does. If it died
     * before we asked for that, we have another parent by now. */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != w->setting->sink->owner)
        atomic_store(&w->blocking.told, TOLD_STOP);

    /* Blocked but for the ppoll in blocking_wait: there it is never missed. */
    sigset_t mask;
    sigemptyset(&mask);
    w->blocking.wait_mask = mask;
    sigaddset(&mask, SIGTERM);
    (void)sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* --- Step deliver ------------------------------------------------------- */

/* For --trace: how full the pipe is. */
static void trace_pipe(struct worker *w)
{
    int bytes = 0;
    if (w->setting->trace->on &&
        ioctl(w->setting->results_fd, FIONREAD, &bytes) == 0)
        trace_in_pipe(&w->blocking.lane, (size_t)bytes);
}

/* Sends a piece of the body up the pipe. Sleeps here while the parent does not
 * read it. */
static int send_body(struct worker *w, const char *p, size_t n)
{
    struct lane *lane = &w->blocking.lane;
    if (!w->has_sent)
        trace_hand_over(lane, PARCEL_BODY, w->job.id);
    w->has_sent = true;
    trace_buffered(lane, n);
    int error = frame_write(w->setting->results_fd, FRAME_BODY, p, n);
    trace_buffered(lane, 0);
    trace_pipe(w);
    return error;
}

static int step_deliver(struct blocking *blocking, const char *p, size_t n)
{
    struct worker *w = (struct worker *)blocking;
    const struct worker_setting *setting = w->setting;
    if (w->peak < n)
        w->peak = n;
    if (!options_ordered(setting->options))
        return sink_write(setting->sink, &w->file, &w->job, p, n);
    int error = send_body(w, p, n);
    /* The parent will never read again: it is stopping, or dead. Or SIGTERM
     * has come while we slept; write does not let it in. */
    if (error == -EPIPE || (error == 0 && blocking_is_told(blocking)))
        return -ECANCELED;
    return error;
}

static void restart(struct blocking *blocking)
{
    struct worker *w = (struct worker *)blocking;
    sink_abort(w->setting->sink, &w->file, &w->job);
}

/* The exchange is over: gives the file its name, or removes it. */
static void complete_body(struct worker *w, struct outcome *outcome)
{
    struct sink *sink = w->setting->sink;
    trace_step(&w->blocking.lane, STEP_DELIVER);
    outcome->bytes = w->file.bytes;
    outcome->peak_buffered = w->peak;
    if (outcome->result == RESULT_OK &&
        !options_ordered(w->setting->options)) {
        int error = sink_commit(sink, &w->file, &w->job);
        if (error != 0)
            outcome_set(outcome, result_of_writing(error), "%s",
                        strerror(-error));
    }
    outcome->done_us = clock_us();
    if (outcome->result != RESULT_OK)
        sink_abort(sink, &w->file, &w->job);
}

/* --- One job after the other -------------------------------------------- */

/* One job, from connect to finish. False if the result cannot be sent. Then
 * the worker ends: for a result the parent would wait for ever, a death it
 * sees. */
static bool go(struct worker *w)
{
    struct outcome outcome = OUTCOME_NONE;
    w->file = FILE_NONE;
    w->peak = 0;
    w->has_sent = false;
    struct exchange *x = exchange_new(w->setting->options, w->job.url,
                                      w->job.url_length, clock_us());
    if (x != NULL) {
        blocking_fetch(&w->blocking, x);
        outcome = *exchange_outcome(x);
        exchange_free(x);
        complete_body(w, &outcome);
    } else {
        outcome_set(&outcome, RESULT_NO_RESOURCES, "out of memory");
    }
    trace_put(&w->blocking.lane, STEP_FINISH, PARCEL_RESULT, w->job.id);
    int error = frame_write(w->setting->results_fd, FRAME_RESULT, &outcome,
                            sizeof outcome);
    trace_step(&w->blocking.lane, STEP_TAKE); /* until the next is here */
    return error == 0;
}

/* Reads until a whole FRAME_JOB is there. False when there will be none. */
static bool read_job(struct worker *w, struct frame *frame)
{
    char text[4096];
    do {
        ssize_t n = read(w->setting->jobs_fd, text, sizeof text);
        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0)
            return false; /* the parent has closed the pipe, or is dead */
        /* The next job is sent only when this one is finished, so nothing
         * can follow it here. */
        (void)frame_feed(&w->reader, text, (size_t)n, frame);
    } while (frame->type == FRAME_NONE);
    w->starved = frame->type == FRAME_BROKEN; /* our parent writes no such */
    return frame->type == FRAME_JOB;
}

/* Step take: the next job. False when there will be none. */
static bool step_take(struct worker *w)
{
    struct frame frame = {.type = FRAME_NONE};
    struct frame_job fixed;
    if (!read_job(w, &frame) || frame.length < sizeof fixed)
        return false;
    memcpy(&fixed, frame.at, sizeof fixed);
    if (frame.length - sizeof fixed !=
        (size_t)fixed.url_length + fixed.name_length)
        return false;
    const char *url = frame.at + sizeof fixed;
    free(w->strings);
    w->strings = malloc((size_t)fixed.url_length + fixed.name_length + 2);
    if (w->strings == NULL) {
        w->starved = true;
        return false;
    }
    char *name = w->strings + fixed.url_length + 1;
    memcpy(w->strings, url, fixed.url_length);
    w->strings[fixed.url_length] = '\0';
    memcpy(name, url + fixed.url_length, fixed.name_length);
    name[fixed.name_length] = '\0';
    w->job = (struct job){.id = fixed.id,
                          .url = w->strings,
                          .url_length = fixed.url_length,
                          .name = fixed.name_length > 0 ? name : NULL};
    trace_get(&w->blocking.lane, STEP_TAKE, PARCEL_JOB, fixed.id);
    return true;
}

void worker_main(const struct worker_setting *setting)
{
    static struct worker w; /* the signal handler's, too */
    /* Static: there is nothing to fail, and no page of it before it is read
     * into. */
    static char buffer[BLOCKING_CHUNK];
    w.setting = setting;
    w.blocking.buffer = buffer;
    w.blocking.options = setting->options;
    w.blocking.idle = &w.idle;
    w.blocking.tls = setting->tls;
    w.blocking.deliver = step_deliver;
    w.blocking.restart = restart;
    trace_name(setting->trace, &w.blocking.lane, setting->slot + 1,
               "worker %d", setting->slot);
    trace_step(&w.blocking.lane, STEP_TAKE);
    set_signals(&w);
    blocking_prepare();
    /* One for each worker makes no more than --jobs altogether. */
    w.starved = idle_open(&w.idle, 1, blocking_close_idle) != 0;
    if (!w.starved) {
        while (atomic_load(&w.blocking.told) == TOLD_NOTHING &&
               step_take(&w) && go(&w))
            ;
        idle_close(&w.idle);
    }
    trace_step(&w.blocking.lane, STEP_NONE);
    frame_free(&w.reader);
    free(w.strings);
    database_settle();
    /* Not exit: what the parent had buffered, and its exit handlers, are not
     * ours to run a second time. */
    _exit(w.starved ? WORKER_STARVED : 0);
}
