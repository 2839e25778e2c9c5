/* table: the results on a terminal. See table.h. */
#include "table.h"

#include "contestant.h"
#include "growth.h"
#include "versus.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct table_measure table_measures[TABLE_MEASURES] = {
    {C_WALL, "time"}, {C_CPU, "processor"}, {C_PSS, "memory"}};

const struct table_measure table_parts[TABLE_PARTS] = {
    {C_PSS, "its own (PSS)"},
    {C_STACKS, "kernel stacks"},
    {C_TABLES, "page tables"},
    {C_SOCKETS, "sockets"}};

/* --- Progress ----------------------------------------------------------- */

void progress_show(const char *workload, unsigned jobs, const char *program,
                   unsigned round, unsigned rounds)
{
    if (!isatty(STDERR_FILENO))
        return;
    if (rounds == 0)
        fprintf(stderr, "\r\033[K%s ...", workload);
    else
        fprintf(stderr, "\r\033[K%s, %u in flight, %s %u of %u: %s ...",
                workload, jobs, round == 0 ? "warming up," : "round", round,
                rounds, program);
}

void progress_clear(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

void progress_tell(const char *format, ...)
{
    va_list arguments;
    progress_clear();
    fputs("triptych-bench: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

/* --- One table ---------------------------------------------------------- */

int table_decimals(double value)
{
    if (value >= 1 && value < 1e9 && !(value > (double)(long)value))
        return 0;
    return value < 10 ? 2 : value < 100 ? 1 : 0;
}

/* A figure, right-aligned; "-" where there is none. */
static void print_value(FILE *out, const struct summary *s, double unit,
                        int width)
{
    double value = s->median / unit;
    if (s->rounds == 0)
        fprintf(out, "%*s", width, "-");
    else
        fprintf(out, "%*.*f", width, table_decimals(value), value);
}

size_t table_programs(const struct results *results, const char *workload,
                      unsigned jobs, const char *programs[], size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < results->count; i++) {
        const struct row *row = &results->rows[i];
        bool known = row->jobs != jobs || strcmp(row->workload, workload) != 0;
        for (size_t j = 0; j < n && !known; j++)
            known = strcmp(programs[j], row->program) == 0;
        if (!known && n < most)
            programs[n++] = row->program;
    }
    return n;
}

/* Wide enough for what matters; the rest stands in report.html. */
static const struct {
    const char *name;
    enum column column;
    double unit;
    int width;
} columns[] = {
    {"req/s", C_RATE, 1, 8},       {"MB/s", C_MBPS, 1, 7},
    {"p50 ms", C_P50, 1000, 8},    {"p99 ms", C_P99, 1000, 8},
    {"cpu s", C_CPU, 1, 7},        {"of it sys", C_SYSTEM, 1, 10},
    {"MiB", C_PSS, 1048576, 7},    {"threads", C_THREADS, 1, 8},
    {"procs", C_PROCESSES, 1, 6},  {"fds", C_FDS, 1, 7},
    {"calls/req", C_CALLS, 1, 10},
};

#define COLUMN_COUNT (sizeof columns / sizeof *columns)

void table_failure(const struct results *results, const char *workload,
                   unsigned jobs, const char *program, char *out, size_t size)
{
    struct outcome outcome = results_outcome(results, workload, jobs, program);
    out[0] = '\0';
    if (outcome.failed > 0)
        snprintf(out, size,
                 "failed in %zu of %zu rounds: status %.0f, %.0f of %.0f "
                 "requests done",
                 outcome.failed, outcome.runs, outcome.status, outcome.ok,
                 outcome.requests);
}

static void print_program(FILE *out, const struct results *results,
                          const char *workload, unsigned jobs,
                          const char *program)
{
    char failure[120];
    char range[40] = "";
    struct summary wall =
        results_summary(results, workload, jobs, program, C_WALL);
    struct summary rate =
        results_summary(results, workload, jobs, program, C_RATE);
    fprintf(out, "  %-18s", contestant_label(program));
    if (rate.rounds > 0) {
        if (wall.rounds > 0)
            snprintf(range, sizeof range, "(%.2f-%.2f)", wall.least,
                     wall.most);
        print_value(out, &wall, 1, 7);
        fprintf(out, " %-13s", range);
        for (size_t i = 0; i < COLUMN_COUNT; i++) {
            struct summary s = results_summary(results, workload, jobs,
                                               program, columns[i].column);
            print_value(out, &s, columns[i].unit, columns[i].width);
        }
    }
    table_failure(results, workload, jobs, program, failure, sizeof failure);
    if (failure[0] != '\0')
        fprintf(out, "  %s", failure);
    (void)fputc('\n', out);
}

/* --- What it says ------------------------------------------------------- */

/* How many figures there are; the model with the least is the best. */
static size_t find_best(const struct results *results, const char *workload,
                        unsigned jobs, enum column column, int *best)
{
    double least = 0;
    size_t n = 0;
    for (int i = 0; i < MODELS; i++) {
        struct summary s =
            results_summary(results, workload, jobs, versus_models[i], column);
        if (s.rounds == 0)
            continue;
        if (n++ == 0 || s.median < least) {
            *best = i;
            least = s.median;
        }
    }
    return n;
}

void table_verdict(const struct results *results, const char *workload,
                   unsigned jobs, enum column column, char *out, size_t size)
{
    int best = 0;
    bool differs = false;
    out[0] = '\0';
    if (find_best(results, workload, jobs, column, &best) < 2)
        return;
    snprintf(out, size, "%s least", versus_models[best]);
    for (int i = 0; i < MODELS; i++) {
        struct summary ratio =
            results_ratio(results, workload, jobs, versus_models[i],
                          versus_models[best], column);
        struct outcome outcome =
            results_outcome(results, workload, jobs, versus_models[i]);
        size_t used = strlen(out);
        if (i == best || outcome.runs == 0)
            continue;
        differs |= ratio.rounds == 0 || summary_differs(&ratio);
        if (ratio.rounds == 0)
            snprintf(out + used, size - used, "; %s failed", versus_models[i]);
        else if (summary_differs(&ratio))
            snprintf(out + used, size - used,
                     "; %s %.2f (%.2f-%.2f) times as much", versus_models[i],
                     ratio.median, ratio.least, ratio.most);
        else
            snprintf(out + used, size - used, "; %s: no difference",
                     versus_models[i]);
    }
    if (!differs)
        snprintf(out, size, "no difference");
}

void table_completed(const struct results *results, const char *workload,
                     unsigned jobs, char *out, size_t size)
{
    out[0] = '\0';
    for (int i = 0; i < MODELS; i++) {
        struct summary ok =
            results_summary(results, workload, jobs, versus_models[i], C_OK);
        struct summary all = results_summary(results, workload, jobs,
                                             versus_models[i], C_REQUESTS);
        size_t used = strlen(out);
        if (ok.rounds == 0)
            continue;
        snprintf(out + used, size - used, "%s%s %.0f of %.0f",
                 used > 0 ? "; " : "", versus_models[i], ok.median,
                 all.median);
        used = strlen(out);
        if (ok.least < ok.most)
            snprintf(out + used, size - used, " (%.0f-%.0f)", ok.least,
                     ok.most);
    }
}

static void print_verdicts(FILE *out, const struct results *results,
                           const struct workload *workload, unsigned jobs)
{
    char verdict[300];
    if (workload->kills) {
        table_completed(results, workload->name, jobs, verdict,
                        sizeof verdict);
        fprintf(out, "  requests done: %s\n", verdict);
        return;
    }
    for (int i = 0; i < TABLE_MEASURES; i++) {
        table_verdict(results, workload->name, jobs, table_measures[i].column,
                      verdict, sizeof verdict);
        if (verdict[0] != '\0')
            fprintf(out, "  %s: %s\n", table_measures[i].name, verdict);
    }
}

struct summary table_in_flight(const struct results *results,
                               const char *workload, unsigned jobs,
                               const char *program)
{
    struct summary rate =
        results_summary(results, workload, jobs, program, C_RATE);
    struct summary mean =
        results_summary(results, workload, jobs, program, C_MEAN);
    struct summary s = {.median = rate.median * mean.median / 1e6,
                        .rounds = mean.rounds};
    return s;
}

/* Of a sweep: what was allowed, and what Little's law says there was. */
static void print_knee(FILE *out, const struct results *results,
                       const struct workload *workload)
{
    fprintf(out, "\n  really in flight = rate x mean time\n  %-18s",
            "limit (-j)");
    for (int m = 0; m < MODELS; m++)
        fprintf(out, "%12s", versus_models[m]);
    (void)fputc('\n', out);
    for (int i = 0; workload->jobs[i] != 0; i++) {
        fprintf(out, "  %-18u", workload->jobs[i]);
        for (int m = 0; m < MODELS; m++) {
            struct summary s = table_in_flight(
                results, workload->name, workload->jobs[i], versus_models[m]);
            print_value(out, &s, 1, 12);
        }
        (void)fputc('\n', out);
    }
}

/* What each takes while all is held, and the kernel for it. */
static void print_held(FILE *out, const struct results *results,
                       const struct workload *workload)
{
    const char *programs[40];
    unsigned jobs = workload->jobs[0];
    size_t n = table_programs(results, workload->name, jobs, programs, 40);
    fprintf(out, "\n  %-18s", "MiB while all wait");
    for (int i = 0; i < TABLE_PARTS; i++)
        fprintf(out, "%15s", table_parts[i].name);
    (void)fputc('\n', out);
    for (size_t p = 0; p < n; p++) {
        fprintf(out, "  %-18s", contestant_label(programs[p]));
        for (int i = 0; i < TABLE_PARTS; i++) {
            struct summary s =
                results_summary(results, workload->name, jobs, programs[p],
                                table_parts[i].column);
            print_value(out, &s, 1048576, 15);
        }
        (void)fputc('\n', out);
    }
}

void table_heading(const struct results *results, const char *workload,
                   unsigned jobs, const char *program, char *out, size_t size)
{
    struct summary requests =
        results_summary(results, workload, jobs, program, C_REQUESTS);
    struct summary ideal =
        results_summary(results, workload, jobs, program, C_IDEAL);
    int n = requests.median < jobs
                ? snprintf(out, size, "%.0f requests, all in flight",
                           requests.median)
                : snprintf(out, size, "%.0f requests, %u in flight",
                           requests.median, jobs);
    if (ideal.rounds > 0 && n > 0 && (size_t)n < size)
        snprintf(out + n, size - (size_t)n, "; the ideal: %.2f s",
                 ideal.median);
}

bool table_server(const struct results *results,
                  const struct workload *workload, char *out, size_t size)
{
    char key[60];
    snprintf(key, sizeof key, RESULTS_SERVER "%s", workload->name);
    return results_note(results, key, out, size) && strcmp(out, "none") != 0;
}

void table_print(FILE *out, const struct results *results,
                 const struct workload *workload)
{
    char server[60];
    fprintf(out, "\n%s: %s\n", workload->name, workload->shows);
    if (table_server(results, workload, server, sizeof server))
        fprintf(out, "  Server: %s.\n", server);
    for (int i = 0; workload->jobs[i] != 0; i++) {
        const char *programs[40];
        char heading[120];
        unsigned jobs = workload->jobs[i];
        size_t n = table_programs(results, workload->name, jobs, programs, 40);
        if (n == 0)
            continue;
        table_heading(results, workload->name, jobs, programs[0], heading,
                      sizeof heading);
        fprintf(out, "\n  %s\n  %-18s%7s %-13s", heading, "", "wall s", "");
        for (size_t j = 0; j < COLUMN_COUNT; j++)
            fprintf(out, "%*s", columns[j].width, columns[j].name);
        (void)fputc('\n', out);
        for (size_t j = 0; j < n; j++)
            print_program(out, results, workload->name, jobs, programs[j]);
        print_verdicts(out, results, workload, jobs);
    }
    if (workload->jobs[1] != 0)
        print_knee(out, results, workload);
    if (workload->holds)
        print_held(out, results, workload);
    growth_print(out, results, workload->name);
    (void)fflush(out);
}

/* --- Comparing ---------------------------------------------------------- */

static bool is_first_of_its_kind(const struct results *results, size_t place)
{
    const struct row *row = &results->rows[place];
    for (size_t i = 0; i < place; i++) {
        const struct row *other = &results->rows[i];
        if (other->jobs == row->jobs &&
            strcmp(other->workload, row->workload) == 0 &&
            strcmp(other->program, row->program) == 0)
            return false;
    }
    return true;
}

/* The rounds of two benchmarks are no pairs: only where all of one lie beyond
 * all of the other is there a difference. */
static bool compare_one(FILE *out, const struct row *row, const char *name,
                        const struct summary *was, const struct summary *is)
{
    if (is->least <= was->most && was->least <= is->most)
        return false;
    fprintf(out,
            "%-10s %6u  %-18s %-6s %s: %.3g (%.3g-%.3g) was %.3g "
            "(%.3g-%.3g): %.2f times as much\n",
            row->workload, row->jobs, row->program, name,
            is->median < was->median ? "less" : "MORE", is->median, is->least,
            is->most, was->median, was->least, was->most,
            is->median / was->median);
    return true;
}

/* Compares the figures of one program, at one workload, with so many in
 * flight; counts them, and those that differ. */
static void compare_program(FILE *out, const struct results *before,
                            const struct results *after, const struct row *row,
                            size_t *compared, size_t *changed)
{
    static const struct {
        enum column column;
        const char *name;
    } measures[] = {
        {C_WALL, "time"}, {C_CPU, "cpu"}, {C_PSS, "memory"}, {C_OK, "done"}};
    for (int m = 0; m < (int)(sizeof measures / sizeof *measures); m++) {
        enum column column = measures[m].column;
        struct summary was = results_summary(before, row->workload, row->jobs,
                                             row->program, column);
        struct summary is = results_summary(after, row->workload, row->jobs,
                                            row->program, column);
        if (was.rounds == 0 || is.rounds == 0)
            continue;
        ++*compared;
        *changed += compare_one(out, row, measures[m].name, &was, &is);
    }
}

void table_compare(FILE *out, const struct results *before,
                   const struct results *after)
{
    size_t changed = 0;
    size_t compared = 0;
    size_t others = 0;
    for (size_t i = 0; i < after->count; i++) {
        const struct row *row = &after->rows[i];
        struct summary was = results_summary(before, row->workload, row->jobs,
                                             row->program, C_REQUESTS);
        struct summary is = results_summary(after, row->workload, row->jobs,
                                            row->program, C_REQUESTS);
        if (!is_first_of_its_kind(after, i) || was.rounds == 0)
            continue;
        if (was.median < is.median || was.median > is.median)
            others++;
        else
            compare_program(out, before, after, row, &compared, &changed);
    }
    if (others > 0)
        fprintf(out,
                "%zu programs' runs made another number of requests, and "
                "were not compared.\n",
                others);
    fprintf(out, "%zu of %zu figures differ beyond their spread.\n", changed,
            compared);
}
