/* race_table: what a race ends in. See race_table.h. */
#include "race_table.h"

#include "versus.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

double race_table_own_cpu(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void race_table_print(FILE *out, const struct race_table *table, bool colours)
{
    const struct race_task *task = table->task;
    const struct race_lane *lanes = table->lanes;
    struct measure all[MODELS];
    struct versus versus = {.all = all, .total = task->requests};
    double theirs = 0;
    for (int i = 0; i < MODELS; i++) {
        all[i] = lanes[i].measure;
        versus.done[i] = lanes[i].tail.counts[DONE];
        theirs += all[i].user + all[i].system;
    }
    fprintf(out, "\n  %s: %s\n", task->work->workload.name,
            task->work->workload.shows);
    versus_print(out, &versus, colours);
    (void)putc('\n', out);
    versus_print_winner(out, &versus);
    for (int i = 0; i < MODELS; i++) {
        char line[400];
        lane_complaint(&lanes[i], line, sizeof line);
        if (line[0] != '\0')
            fprintf(out, "  %.76s\n", line);
    }
    fprintf(out,
            "  Showing this took %.2f s of CPU beside their %.2f s, and they "
            "traced\n  every step: triptych-bench measures.\n\n",
            table->own_cpu, theirs);
}

void race_table_record(struct record *record, const struct race_table *table,
                       bool colours)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (out == NULL)
        return;
    race_table_print(out, table, colours);
    if (fclose(out) == 0) {
        /* As a terminal driver does: a line ends with two characters. */
        char *at = text;
        for (char *end = strchr(at, '\n'); end != NULL;
             end = strchr(at, '\n')) {
            record_output(record, at, (size_t)(end - at));
            record_output(record, "\r\n", 2);
            at = end + 1;
        }
    }
    free(text);
}
