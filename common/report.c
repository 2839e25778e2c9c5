/* report: the outcomes, in the order of input. See report.h. */
#include "report.h"

#include <errno.h>
#include <stdlib.h>

int report_open(struct report *report, const char *file, size_t jobs)
{
    *report = (struct report){.most = jobs > REPORT_ROWS ? jobs : REPORT_ROWS};
    if (file == NULL)
        return 0;
    report->file = fopen(file, "we");
    if (report->file == NULL)
        return -errno;
    /* Flushed at once, so that a full disk is known before any work. */
    if (fputs("id\turl\tresult\tstatus\tbytes\tattempts\tworker\treused\t"
              "queued_us\tstart_us\tconnected_us\tfirst_byte_us\tdone_us\t"
              "peak_buffered\n",
              report->file) == EOF ||
        fflush(report->file) == EOF) {
        int error = -errno;
        (void)fclose(report->file);
        report->file = NULL;
        return error;
    }
    return 0;
}

/* A number, or "-" where none applies. By hand: with a dozen calls of fprintf
 * a line took 10,500 instructions, of 38,000 that the event loop executes in
 * user space for a small body; it takes 3,900 in this way. */
static void print_number(FILE *file, bool applies, uint64_t value, char end)
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
    (void)fwrite(at, 1, (size_t)(text + sizeof text - at), file);
}

/* A time of clock.h; -1: none applies. */
static void print_time(FILE *file, int64_t us)
{
    print_number(file, us >= 0, (uint64_t)us, '\t');
}

static void print_url(FILE *file, const struct job *job)
{
    size_t printed = 0;
    for (size_t i = 0; i < job->url_length; i++) {
        unsigned char c = (unsigned char)job->url[i];
        if (c >= 0x21 && c <= 0x7e)
            continue;
        (void)fwrite(job->url + printed, 1, i - printed, file);
        fprintf(file, "\\x%02X", c);
        printed = i + 1;
    }
    (void)fwrite(job->url + printed, 1, job->url_length - printed, file);
}

static void print_line(FILE *file, const struct job *job)
{
    const struct outcome *outcome = &job->outcome;
    bool tried = outcome->attempts > 0;
    bool connected = outcome->connected_us >= 0;
    print_number(file, true, job->id, '\t');
    print_url(file, job);
    fprintf(file, "\t%s\t", result_word(outcome->result));
    print_number(file, outcome->status != 0, (uint64_t)outcome->status, '\t');
    print_number(file, tried, outcome->bytes, '\t');
    print_number(file, true, outcome->attempts, '\t');
    print_number(file, job->worker >= 0, (uint64_t)job->worker, '\t');
    print_number(file, connected, outcome->reused, '\t');
    print_time(file, job->queued_us);
    print_time(file, job->start_us);
    print_time(file, outcome->connected_us);
    print_time(file, outcome->first_byte_us);
    print_time(file, outcome->result == RESULT_OK ? outcome->done_us : -1);
    print_number(file, tried, outcome->peak_buffered, '\n');
}

static void note_error(struct report *report)
{
    if (report->error == 0 && ferror(report->file))
        report->error = errno != 0 ? -errno : -EIO;
}

/* --- The list ------------------------------------------------------------ */

bool report_is_full(const struct report *report)
{
    /* Without --report nothing of a finished job is kept. The first in line
     * is not one that waits. */
    return report->file != NULL && report->length > report->most;
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
}

uint64_t report_turn(const struct report *report)
{
    return report->first != NULL ? report->first->id : report->next_id;
}

static void take_out(struct report *report, struct job *job)
{
    *(job->before != NULL ? &job->before->after : &report->first) = job->after;
    *(job->after != NULL ? &job->after->before : &report->last) = job->before;
    report->length--;
}

static void write_row(struct report *report, const struct job *job)
{
    errno = 0;
    print_line(report->file, job);
    note_error(report);
}

void report_finish(struct report *report, struct job *job)
{
    if (report->file == NULL) {
        take_out(report, job);
        job_free(job);
        return;
    }
    job->finished = true;
    free(job->name); /* no column has it, and the row may have to wait */
    job->name = NULL;
    while (report->first != NULL && report->first->finished) {
        struct job *first = report->first;
        write_row(report, first);
        take_out(report, first);
        job_free(first);
    }
}

int report_close(struct report *report)
{
    while (report->first != NULL) { /* only if some job was never finished */
        struct job *first = report->first;
        take_out(report, first);
        job_free(first);
    }
    if (report->file != NULL) {
        errno = 0;
        if (fclose(report->file) == EOF && report->error == 0)
            report->error = errno != 0 ? -errno : -EIO;
        report->file = NULL;
    }
    return report->error;
}
