/* worker: what a forked worker does. See worker.h. */
#include "worker.h"

#include "database.h"
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
    int jobs_fd;
    int results_fd;
    struct idle idle;
    struct frame_reader reader; /* of jobs */
    struct job job; /* url and name stand in what the reader has read */
    bool has_sent;  /* a part of the body, to the parent */
    bool starved;   /* there is not even the memory for a job */
};

/* One in a process: the signal handler knows it, too. */
static struct worker the_worker;

static void on_terminate(int number)
{
    (void)number;
    atomic_store(&the_worker.outlet.blocking.told, TOLD_STOP);
}

/* SIGINT and SIGHUP go to the whole foreground group; what to do about them is
 * for the parent to say, by SIGTERM. */
static void set_signals(struct worker *w)
{
    (void)signal(SIGTERM, on_terminate);
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGCHLD, SIG_DFL);

    /* A parent that is killed cannot tell us; the kernel does. If it died
     * before we asked for that, we have another parent by now. */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != w->outlet.run->sink.owner)
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
    if (w->outlet.run->trace.on && ioctl(w->results_fd, FIONREAD, &bytes) == 0)
        trace_in_pipe(&w->outlet.blocking.lane, (size_t)bytes);
}

/* Step deliver: to the file; or up the pipe to the parent, which knows whose
 * turn it is. */
static int step_deliver(struct blocking *blocking, const char *p, size_t n)
{
    struct worker *w = (struct worker *)blocking;
    if (!outlet_is_ordered(&w->outlet))
        return outlet_store(&w->outlet, p, n);
    if (!w->has_sent)
        trace_hand_over(&blocking->lane, PARCEL_BODY, w->job.id);
    w->has_sent = true;
    outlet_in_hand(&w->outlet, n);
    /* Sleeps here while the parent does not read. */
    int error = frame_write(w->results_fd, FRAME_BODY, p, n);
    outlet_in_hand(&w->outlet, 0);
    trace_pipe(w);
    /* The parent is dead. Or SIGTERM has come while we slept; write does not
     * let it in. */
    if (error == -EPIPE || (error == 0 && blocking_is_told(blocking)))
        return -ECANCELED;
    return error;
}

/* --- One job after the other -------------------------------------------- */

/* One job, from connect to finish. False if the result cannot be sent. Then
 * the worker ends: for a result the parent would wait for ever, a death it
 * sees. */
static bool go(struct worker *w)
{
    struct lane *lane = &w->outlet.blocking.lane;
    w->has_sent = false;
    outlet_open(&w->outlet, &w->job);
    blocking_fetch_job(&w->outlet.blocking, &w->job);
    outlet_complete(&w->outlet, 0);
    trace_put(lane, STEP_FINISH, PARCEL_RESULT, w->job.id);
    int error = frame_write(w->results_fd, FRAME_RESULT, &w->job.outcome,
                            sizeof w->job.outcome);
    trace_step(lane, STEP_TAKE); /* until the next is here */
    return error == 0;
}

/* Reads until a whole FRAME_JOB is there. False when there will be none. */
static bool read_job(struct worker *w, struct frame *frame)
{
    *frame = frame_next(&w->reader);
    while (frame->type == FRAME_NONE) {
        ssize_t n = frame_read(&w->reader, w->jobs_fd);
        w->starved = n == -ENOMEM;
        if (n <= 0)
            return false; /* the parent has closed the pipe, or is dead */
        *frame = frame_next(&w->reader);
    }
    return frame->type == FRAME_JOB;
}

/* Step take: the next job. False when there will be none. */
static bool step_take(struct worker *w)
{
    struct frame frame;
    struct frame_job fixed;
    if (!read_job(w, &frame) || frame.length < sizeof fixed)
        return false;
    memcpy(&fixed, frame.at, sizeof fixed);
    if (frame.length - sizeof fixed !=
        (size_t)fixed.url_length + fixed.name_length + 2)
        return false;
    char *url = (char *)frame.at + sizeof fixed;
    char *name = url + fixed.url_length + 1;
    w->job = (struct job){.id = fixed.id,
                          .url = url,
                          .url_length = fixed.url_length,
                          .name = fixed.name_length > 0 ? name : NULL};
    trace_get(&w->outlet.blocking.lane, STEP_TAKE, PARCEL_JOB, fixed.id);
    return true;
}

void worker_main(void *run, int slot, int jobs_fd, int results_fd)
{
    /* Static: there is nothing to fail, and no page of it before it is read
     * into. */
    static char buffer[BLOCKING_CHUNK];
    struct worker *w = &the_worker;
    struct lane *lane = &w->outlet.blocking.lane;
    w->jobs_fd = jobs_fd;
    w->results_fd = results_fd;
    w->outlet.blocking.buffer = buffer;
    outlet_prepare(&w->outlet, run, &w->idle, step_deliver);
    trace_name(&w->outlet.run->trace, lane, slot + 1, "worker %d", slot);
    trace_step(lane, STEP_TAKE);
    set_signals(w);
    blocking_prepare();
    /* One for each worker makes no more than --jobs altogether. */
    w->starved = idle_open(&w->idle, 1, blocking_close_idle) != 0;
    if (!w->starved) {
        while (atomic_load(&w->outlet.blocking.told) == TOLD_NOTHING &&
               step_take(w) && go(w))
            ;
        idle_close(&w->idle);
    }
    trace_step(lane, STEP_NONE);
    bytes_free(&w->reader.in);
    database_settle();
    /* Not exit: what the parent had buffered, and its exit handlers, are not
     * ours to run a second time. */
    _exit(w->starved ? WORKER_STARVED : 0);
}
