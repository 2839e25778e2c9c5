/* Style: the jobs pipe is read a few bytes at a time. */
/* worker: what a forked worker does. See worker.h. */
#include "worker.h"

#include "frame.h"
#include "outlet.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

struct worker {
    struct outlet outlet; /* first: deliver is handed a pointer to it */
    const struct worker_setting *setting;
    struct idle idle;
    struct frame_reader reader;
    struct job job; /* url and name point into the reader's message */
    bool has_sent;  /* a part of the body, to the parent */
};

/* For the signal handler. */
static struct worker *the_worker;

static void on_terminate(int number)
{
    (void)number;
    atomic_store(&the_worker->outlet.blocking.told, TOLD_STOP);
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
    if (getppid() != w->setting->run->sink.owner)
        atomic_store(&w->outlet.blocking.told, TOLD_STOP);

    /* Blocked but for the ppoll in blocking_wait: there it is never missed. */
    sigset_t mask;
    sigemptyset(&mask);
    w->outlet.blocking.wait_mask = mask;
    sigaddset(&mask, SIGTERM);
    (void)sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* --- Step deliver ------------------------------------------------------- */

/* For --trace: how full the pipe is. */
static void trace_pipe(struct worker *w)
{
    int bytes = 0;
    if (w->setting->run->trace.on &&
        ioctl(w->setting->results_fd, FIONREAD, &bytes) == 0)
        trace_in_pipe(&w->outlet.blocking.lane, (size_t)bytes);
}

static int step_deliver(struct blocking *blocking, const char *p, size_t n)
{
    struct worker *w = (struct worker *)blocking;
    if (!outlet_is_ordered(&w->outlet))
        return outlet_store(&w->outlet, p, n);
    /* Sleeps here while the parent does not read. When it never will again -
     * it is stopping, or dead - there is nothing left to do. */
    if (!w->has_sent)
        trace_hand_over(&blocking->lane, PARCEL_BODY, w->job.id);
    w->has_sent = true;
    outlet_in_hand(&w->outlet, n);
    int error = frame_write(w->setting->results_fd, FRAME_BODY, p, n);
    outlet_in_hand(&w->outlet, 0);
    trace_pipe(w);
    return error == -EPIPE ? -ECANCELED : error;
}

/* --- One job after the other -------------------------------------------- */

/* One job, from connect to finish. False if the result cannot be sent. Then
 * the worker ends: for a result the parent would wait for ever, a death it
 * sees. */
static bool go(struct worker *w)
{
    const struct outcome *outcome = &w->job.outcome;
    struct lane *lane = &w->outlet.blocking.lane;
    w->has_sent = false;
    outlet_open(&w->outlet, &w->job);
    blocking_fetch_job(&w->outlet.blocking, &w->job);
    outlet_complete(&w->outlet, 0);
    trace_put(lane, STEP_FINISH, PARCEL_RESULT, w->job.id);
    int error = frame_write(w->setting->results_fd, FRAME_RESULT, outcome,
                            sizeof *outcome);
    trace_step(lane, STEP_TAKE); /* until the next is here */
    return error == 0;
}

/* Reads until a whole FRAME_JOB is there. False when there will be none. */
static bool read_job(struct worker *w, struct frame *frame)
{
    char few[13];
    ssize_t n = read(w->setting->jobs_fd, few, sizeof few);
    if (n == 0 || (n == -1 && errno != EINTR))
        return false;
    /* More than one frame cannot be here; but one may end early. */
    for (ssize_t used = 0; used < n && frame->type == FRAME_NONE;)
        used += (ssize_t)frame_feed(&w->reader, few + used, (size_t)(n - used),
                                    frame);
    if (frame->type == FRAME_NONE)
        return read_job(w, frame); /* the compiler makes a loop of it */
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
        (size_t)fixed.url_length + fixed.name_length + 2)
        return false;
    char *url = w->reader.message.data + sizeof fixed;
    char *name = url + fixed.url_length + 1;
    w->job = (struct job){.id = fixed.id,
                          .url = url,
                          .url_length = fixed.url_length,
                          .name = fixed.name_length > 0 ? name : NULL};
    trace_get(&w->outlet.blocking.lane, STEP_TAKE, PARCEL_JOB, fixed.id);
    return true;
}

void worker_main(const struct worker_setting *setting)
{
    static struct worker w; /* the signal handler's, too */
    /* Static: there is nothing to fail, and no page of it before it is read
     * into. */
    static char buffer[BLOCKING_CHUNK];
    struct lane *lane = &w.outlet.blocking.lane;
    w.setting = setting;
    w.outlet.blocking.buffer = buffer;
    outlet_prepare(&w.outlet, setting->run, &w.idle, step_deliver);
    trace_name(&setting->run->trace, lane, setting->slot + 1, "worker %d",
               setting->slot);
    trace_step(lane, STEP_TAKE);
    set_signals(&w);
    blocking_prepare();
    /* One for each worker makes no more than --jobs altogether. */
    if (idle_open(&w.idle, 1, blocking_close_idle) == 0) {
        while (atomic_load(&w.outlet.blocking.told) == TOLD_NOTHING &&
               step_take(&w) && go(&w))
            ;
        idle_close(&w.idle);
    }
    trace_step(lane, STEP_NONE);
    frame_free(&w.reader);
    /* Not exit: what the parent had buffered, and its exit handlers, are not
     * ours to run a second time. */
    _exit(0);
}
