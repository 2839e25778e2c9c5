/* report: the outcomes, in the order of input. See report.h. */
#include "report.h"

#include "url.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Room for rows that is had from the start: less than REPORT_SHARE, and one
 * more. Only behind a reader that has stalled, and for very long URLs, there
 * must be more. */
#define ROOM (REPORT_SHARE + 4096)

static const char header[] =
    "id\turl\tresult\tstatus\tbytes\tattempts\tworker\treused\t"
    "queued_us\tstart_us\tconnected_us\tfirst_byte_us\tdone_us\t"
    "peak_buffered\n";

int report_open(struct report *report, const char *file, size_t jobs)
{
    *report = (struct report){.fd = -1,
                              .most = jobs > REPORT_ROWS ? jobs : REPORT_ROWS};
    if (file == NULL)
        return 0;
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd == -1)
        return -errno;
    int error = spool_open(&report->spool, fd, ROOM);
    if (error != 0) {
        (void)close(fd);
        return error;
    }
    report->fd = fd;
    /* Flushed at once, so that a full disk is known before any work. */
    (void)bytes_append(spool_begin(&report->spool), header, sizeof header - 1);
    spool_end(&report->spool);
    (void)spool_flush(&report->spool, 1);
    error = spool_error(&report->spool);
    if (error != 0)
        (void)report_close(report);
    return error;
}

/* A number, or "-" where none applies. By hand: with a dozen calls of fprintf
 * a line took 10,500 instructions, of 38,000 that the event loop executes in
 * user space for a small body; it takes 3,900 in this way. */
static int print_number(struct bytes *out, bool applies, uint64_t value,
                        char end)
{
    char text[24];
    char *at = text + sizeof text;
    *--at = end;
    if (!applies)
        *--at = '-';
    for (bool more = applies; more; more = value > 0) {
        *--at = (char)('0' + value % 10);
        value /= 10;
    }
    return bytes_append(out, at, (size_t)(text + sizeof text - at));
}

/* A time of clock.h; -1: none applies. */
static int print_time(struct bytes *out, int64_t us)
{
    return print_number(out, us >= 0, (uint64_t)us, '\t');
}

static int print_outcome(struct bytes *out, const struct job *job)
{
    const struct outcome *outcome = &job->outcome;
    bool tried = outcome->attempts > 0;
    bool connected = outcome->connected_us >= 0;
    int error = bytes_print(out, "\t%s\t", result_word(outcome->result));
    error |= print_number(out, outcome->status != 0, (uint64_t)outcome->status,
                          '\t');
    error |= print_number(out, tried, outcome->bytes, '\t');
    error |= print_number(out, true, outcome->attempts, '\t');
    error |= print_number(out, job->worker >= 0, (uint64_t)job->worker, '\t');
    error |= print_number(out, connected, outcome->reused, '\t');
    error |= print_time(out, job->queued_us);
    error |= print_time(out, job->start_us);
    error |= print_time(out, outcome->connected_us);
    error |= print_time(out, outcome->first_byte_us);
    error |=
        print_time(out, outcome->result == RESULT_OK ? outcome->done_us : -1);
    error |= print_number(out, tried, outcome->peak_buffered, '\n');
    return error != 0 ? -ENOMEM : 0;
}

/* Appends the job's row, whole or not at all. Without the memory it waits for
 * the rows before it to be written; if there are none, that is an error like
 * one of writing. */
static bool append_row(struct report *report, const struct job *job)
{
    struct spool *spool = &report->spool;
    struct bytes *out = spool_begin(spool);
    size_t before = out->length;
    int error = print_number(out, true, job->id, '\t');
    if (error == 0)
        error = job_print_url(out, job->url, job->url_length);
    if (error == 0)
        error = print_outcome(out, job);
    if (error != 0)
        out->length = before;
    if (error != 0 && spool->length == 0)
        spool->error = error;
    bool waits = error != 0 && spool->error == 0;
    spool_end(spool);
    return !waits;
}

/* --- The list ------------------------------------------------------------ */

bool report_is_full(const struct report *report)
{
    /* Without --report nothing of a finished job is kept. The first in line
     * is not one that waits. */
    return report->fd != -1 && report->length > report->most;
}

void report_begin(struct report *report, struct job *job)
{
    if (job->id < report->next_id)
        return;
    report->next_id = job->id + 1;
    job->before = report->last;
    *(report->last != NULL ? &report->last->after : &report->first) = job;
    report->last = job;
    report->length++;
    if (report->turn == NULL)
        report->turn = job;
}

uint64_t report_turn(const struct report *report)
{
    return report->turn != NULL ? report->turn->id : report->next_id;
}

static void take_out(struct report *report, struct job *job)
{
    *(job->before != NULL ? &job->before->after : &report->first) = job->after;
    *(job->after != NULL ? &job->after->before : &report->last) = job->before;
    report->length--;
}

bool report_fill(struct report *report)
{
    while (report->first != report->turn && !spool_is_full(&report->spool)) {
        struct job *first = report->first;
        if (!append_row(report, first))
            break;
        take_out(report, first);
        job_free(first);
    }
    return report->first != report->turn;
}

void report_finish(struct report *report, struct job *job)
{
    job->finished = true;
    while (report->turn != NULL && report->turn->finished)
        report->turn = report->turn->after;
    if (report->fd == -1) {
        take_out(report, job);
        job_free(job);
        return;
    }
    free(job->name); /* no column has it, and the row may have to wait */
    job->name = NULL;
    (void)report_fill(report);
}

int report_close(struct report *report)
{
    int error = 0;
    while (report->first != NULL) { /* its row was not to be written */
        struct job *first = report->first;
        take_out(report, first);
        job_free(first);
    }
    if (report->fd == -1)
        return 0;
    error = spool_error(&report->spool);
    spool_close(&report->spool);
    if (close(report->fd) == -1 && errno != EINTR && error == 0)
        error = -errno;
    report->fd = -1;
    return error;
}
