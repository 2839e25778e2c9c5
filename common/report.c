/* report: the outcomes, in the order of input. See report.h. */
#include "report.h"

#include <errno.h>
#include <inttypes.h>

int report_open(struct report *report, const char *file)
{
    *report = (struct report){0};
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

/* A number, or "-" where none applies. */
static void print_number(FILE *file, bool applies, int64_t value, char end)
{
    if (applies)
        fprintf(file, "%" PRId64 "%c", value, end);
    else
        fprintf(file, "-%c", end);
}

static void print_line(FILE *file, const struct job *job)
{
    const struct outcome *outcome = &job->outcome;
    bool tried = outcome->attempts > 0;
    bool connected = outcome->connected_us >= 0;
    fprintf(file, "%" PRIu64 "\t", job->id);
    for (size_t i = 0; i < job->url_length; i++) {
        unsigned char c = (unsigned char)job->url[i];
        if (c >= 0x21 && c <= 0x7e)
            (void)putc(c, file);
        else
            fprintf(file, "\\x%02X", c);
    }
    fprintf(file, "\t%s\t", result_word(outcome->result));
    print_number(file, outcome->status != 0, outcome->status, '\t');
    print_number(file, tried, (int64_t)outcome->bytes, '\t');
    print_number(file, true, outcome->attempts, '\t');
    print_number(file, job->worker >= 0, job->worker, '\t');
    print_number(file, connected, outcome->reused, '\t');
    print_number(file, true, job->queued_us, '\t');
    print_number(file, job->start_us >= 0, job->start_us, '\t');
    print_number(file, connected, outcome->connected_us, '\t');
    print_number(file, outcome->first_byte_us >= 0, outcome->first_byte_us,
                 '\t');
    print_number(file, outcome->result == RESULT_OK, outcome->done_us, '\t');
    print_number(file, tried, (int64_t)outcome->peak_buffered, '\n');
}

static void note_error(struct report *report)
{
    if (report->error == 0 && ferror(report->file))
        report->error = errno != 0 ? -errno : -EIO;
}

/* Puts the job in its place; most finish nearly in order, so the search from
 * the end is short. */
static void insert(struct report *report, struct job *job)
{
    struct job *before = report->last;
    while (before != NULL && before->id > job->id)
        before = before->previous;
    job->previous = before;
    job->next = before != NULL ? before->next : report->first;
    if (job->next != NULL)
        job->next->previous = job;
    else
        report->last = job;
    if (before != NULL)
        before->next = job;
    else
        report->first = job;
}

void report_add(struct report *report, struct job *job)
{
    insert(report, job);
    while (report->first != NULL && report->first->id == report->next) {
        struct job *first = report->first;
        report->first = first->next;
        if (report->first != NULL)
            report->first->previous = NULL;
        else
            report->last = NULL;
        report->next++;
        if (report->file != NULL) {
            errno = 0;
            print_line(report->file, first);
            note_error(report);
        }
        job_free(first);
    }
}

int report_close(struct report *report)
{
    while (report->first != NULL) { /* only if some job was never finished */
        struct job *first = report->first;
        report->first = first->next;
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
