/* results: what was measured. See results.h. */
#include "results.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[COLUMNS] = {
    "status",      "requests",        "ok",          "bytes",
    "wall_s",      "ideal_s",         "requests_s",  "mb_s",
    "p50_us",      "p90_us",          "p99_us",      "p99_9_us",
    "max_us",      "user_s",          "system_s",    "pss",
    "threads",     "processes",       "descriptors", "voluntary",
    "involuntary", "calls_a_request", "served",      "mean_us",
    "cpu_s",       "kernel_stacks",   "page_tables", "socket_memory",
};

#define NOTE "# "

int results_add(struct results *results, const struct row *row)
{
    if (results->count == results->size) {
        size_t size = results->size * 2 + 64;
        struct row *rows = realloc(results->rows, size * sizeof *rows);
        if (rows == NULL)
            return -ENOMEM;
        results->rows = rows;
        results->size = size;
    }
    results->rows[results->count++] = *row;
    return 0;
}

bool row_failed(const struct row *row)
{
    return row->values[C_STATUS] != 0 ||
           row->values[C_OK] < row->values[C_REQUESTS];
}

void results_free(struct results *results)
{
    free(results->rows);
    *results = (struct results){0};
}

/* --- The file ----------------------------------------------------------- */

void results_write_head(FILE *file, const char *machine)
{
    fputs(machine, file);
    fputs("workload\tjobs\tprogram\tround", file);
    for (int i = 0; i < COLUMNS; i++)
        fprintf(file, "\t%s", names[i]);
    (void)putc('\n', file);
}

void results_write_row(FILE *file, const struct row *row)
{
    fprintf(file, "%s\t%u\t%s\t%u", row->workload, row->jobs, row->program,
            row->round);
    for (int i = 0; i < COLUMNS; i++) {
        if (row->values[i] < 0)
            fputs("\t-", file);
        else
            fprintf(file, "\t%.10g", row->values[i]);
    }
    (void)putc('\n', file);
}

/* Which columns the file has, in its order. */
struct order {
    enum column columns[COLUMNS];
    int count;
};

static bool read_row(char *line, const struct order *order, struct row *row)
{
    int used = 0;
    *row = (struct row){0};
    for (int i = 0; i < COLUMNS; i++)
        row->values[i] = -1;
    if (sscanf(line, "%23[^\t]\t%u\t%23[^\t]\t%u%n", row->workload, &row->jobs,
               row->program, &row->round, &used) != 4)
        return false;
    char *at = line + used;
    for (int i = 0; i < order->count; i++) {
        if (*at++ != '\t')
            return false;
        char *end = at + 1;
        row->values[order->columns[i]] = *at == '-' ? -1 : strtod(at, &end);
        if (end == at)
            return false;
        at = end;
    }
    if (row->values[C_CPU] < 0 && row->values[C_USER] >= 0)
        row->values[C_CPU] = row->values[C_USER] + row->values[C_SYSTEM];
    return *at == '\n';
}

/* The column whose name begins there, up to a tab; or COLUMNS. */
static enum column column_of(const char *name, size_t length)
{
    int i = 0;
    while (i < COLUMNS && (strlen(names[i]) != length ||
                           strncmp(names[i], name, length) != 0))
        i++;
    return (enum column)i;
}

static bool read_head(const char *line, struct order *order)
{
    static const char begin[] = "workload\tjobs\tprogram\tround";
    const char *at = line + strlen(begin);
    order->count = 0;
    if (strncmp(line, begin, strlen(begin)) != 0)
        return false;
    while (*at == '\t' && order->count < COLUMNS) {
        size_t length = strcspn(++at, "\t\n");
        enum column column = column_of(at, length);
        if (column == COLUMNS)
            return false;
        order->columns[order->count++] = column;
        at += length;
    }
    return *at == '\n' && order->count > C_SERVED;
}

bool results_note(const struct results *results, const char *key, char *out,
                  size_t size)
{
    char begin[100];
    int n = snprintf(begin, sizeof begin, "# %s: ", key);
    const char *at = strstr(results->machine, begin);
    if (at == NULL || n < 0)
        return false;
    at += n;
    snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
    return true;
}

int results_read(struct results *results, const char *path)
{
    char line[2000];
    struct order order;
    bool in_rows = false;
    int error = 0;
    *results = (struct results){0};
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -errno;
    while (error == 0 && fgets(line, sizeof line, file) != NULL) {
        struct row row;
        size_t held = strlen(results->machine);
        if (!in_rows && strncmp(line, NOTE, strlen(NOTE)) == 0)
            snprintf(results->machine + held, sizeof results->machine - held,
                     "%s", line);
        else if (!in_rows && read_head(line, &order))
            in_rows = true;
        else if (in_rows && read_row(line, &order, &row))
            error = results_add(results, &row);
        else
            error = -EINVAL;
    }
    if (error == 0 && !in_rows)
        error = -EINVAL;
    (void)fclose(file);
    if (error != 0)
        results_free(results);
    return error;
}

/* --- What it comes to --------------------------------------------------- */

#define ROUNDS_MOST 1000

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct summary summarize(double *values, size_t n)
{
    struct summary summary = {.rounds = n};
    if (n == 0)
        return summary;
    qsort(values, n, sizeof *values, by_size);
    summary.least = values[0];
    summary.most = values[n - 1];
    summary.median = (values[(n - 1) / 2] + values[n / 2]) / 2;
    return summary;
}

/* Whether a row counts in a column. */
static bool counts(const struct row *row, enum column column)
{
    return row->values[column] >= 0 && (column <= C_BYTES || !row_failed(row));
}

static bool is_of(const struct row *row, const char *workload, unsigned jobs,
                  const char *program)
{
    return row->jobs == jobs && strcmp(row->workload, workload) == 0 &&
           strcmp(row->program, program) == 0;
}

struct summary results_summary(const struct results *results,
                               const char *workload, unsigned jobs,
                               const char *program, enum column column)
{
    double values[ROUNDS_MOST];
    size_t n = 0;
    for (size_t i = 0; i < results->count && n < ROUNDS_MOST; i++) {
        const struct row *row = &results->rows[i];
        if (is_of(row, workload, jobs, program) && counts(row, column))
            values[n++] = row->values[column];
    }
    return summarize(values, n);
}

struct outcome results_outcome(const struct results *results,
                               const char *workload, unsigned jobs,
                               const char *program)
{
    struct outcome outcome = {0};
    for (size_t i = 0; i < results->count; i++) {
        const struct row *row = &results->rows[i];
        if (!is_of(row, workload, jobs, program))
            continue;
        outcome.runs++;
        if (!row_failed(row) || outcome.failed++ > 0)
            continue;
        outcome.status = row->values[C_STATUS];
        outcome.ok = row->values[C_OK];
        outcome.requests = row->values[C_REQUESTS];
    }
    return outcome;
}

static const struct row *find(const struct results *results,
                              const char *workload, unsigned jobs,
                              const char *program, unsigned round)
{
    for (size_t i = 0; i < results->count; i++) {
        const struct row *row = &results->rows[i];
        if (row->round == round && is_of(row, workload, jobs, program))
            return row;
    }
    return NULL;
}

struct summary results_ratio(const struct results *results,
                             const char *workload, unsigned jobs,
                             const char *a, const char *b, enum column column)
{
    double values[ROUNDS_MOST];
    size_t n = 0;
    for (size_t i = 0; i < results->count && n < ROUNDS_MOST; i++) {
        const struct row *row = &results->rows[i];
        if (!is_of(row, workload, jobs, a))
            continue;
        const struct row *other = find(results, workload, jobs, b, row->round);
        if (other != NULL && counts(row, column) && counts(other, column) &&
            other->values[column] > 0)
            values[n++] = row->values[column] / other->values[column];
    }
    return summarize(values, n);
}

bool summary_differs(const struct summary *ratio)
{
    bool visible = ratio->median < 0.995 || ratio->median >= 1.005;
    return ratio->rounds > 1 && visible &&
           (ratio->least > 1 || ratio->most < 1);
}
