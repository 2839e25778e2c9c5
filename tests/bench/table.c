/* table: the results on a terminal. See table.h. */
#include "table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const models[] = {"threads", "processes", "evloop"};

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

/* A figure of three digits or so, right-aligned; "-" where there is none. */
static void print_value(FILE *out, const struct summary *s, double unit,
                        int width)
{
    double value = s->median / unit;
    if (s->rounds == 0)
        fprintf(out, "%*s", width, "-");
    else
        fprintf(out, "%*.*f", width,
                value < 10    ? 2
                : value < 100 ? 1
                              : 0,
                value);
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

static void print_program(FILE *out, const struct results *results,
                          const char *workload, unsigned jobs,
                          const char *program)
{
    static const struct {
        enum column column;
        double unit;
        int width;
    } rest[] = {
        {C_RATE, 1, 9},      {C_MBPS, 1, 7},         {C_P50, 1000, 8},
        {C_P99, 1000, 8},    {C_USER, 1, 7},         {C_SYSTEM, 1, 7},
        {C_PSS, 1048576, 8}, {C_THREADS, 1, 7},      {C_PROCESSES, 1, 6},
        {C_FDS, 1, 7},       {C_VOLUNTARY, 1000, 8}, {C_INVOLUNTARY, 1000, 7},
        {C_CALLS, 1, 6}};
    struct summary wall =
        results_summary(results, workload, jobs, program, C_WALL);
    char range[40];
    snprintf(range, sizeof range, "(%.2f-%.2f)", wall.least, wall.most);
    fprintf(out, "  %-18s %7.3f %-13s", program, wall.median, range);
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
        struct summary s =
            results_summary(results, workload, jobs, program, rest[i].column);
        print_value(out, &s, rest[i].unit, rest[i].width);
    }
    (void)fputc('\n', out);
}

void table_verdict(const struct results *results, const char *workload,
                   unsigned jobs, enum column column, char *out, size_t size)
{
    int best = 0;
    out[0] = '\0';
    for (int i = 0; i < 3; i++) {
        struct summary s =
            results_summary(results, workload, jobs, models[i], column);
        struct summary least =
            results_summary(results, workload, jobs, models[best], column);
        if (s.rounds == 0)
            return;
        if (s.median < least.median)
            best = i;
    }
    int n = snprintf(out, size, "%s least", models[best]);
    for (int i = 0; i < 3; i++) {
        if (i == best || n < 0 || (size_t)n >= size)
            continue;
        struct summary ratio = results_ratio(results, workload, jobs,
                                             models[i], models[best], column);
        if (summary_differs(&ratio))
            n += snprintf(out + n, size - (size_t)n,
                          "; %s %.2f (%.2f-%.2f) times as much", models[i],
                          ratio.median, ratio.least, ratio.most);
        else
            n += snprintf(out + n, size - (size_t)n, "; %s: no difference",
                          models[i]);
    }
}

void table_print(FILE *out, const struct results *results,
                 const struct workload *workload)
{
    const char *programs[40];
    fprintf(out, "\n%s: %s\n", workload->name, workload->shows);
    for (int i = 0; workload->jobs[i] != 0; i++) {
        char verdict[300];
        unsigned jobs = workload->jobs[i];
        size_t n = table_programs(results, workload->name, jobs, programs, 40);
        if (n == 0)
            continue;
        struct summary ideal = results_summary(results, workload->name, jobs,
                                               programs[0], C_IDEAL);
        fprintf(out,
                "\n  %-18s %7s %-13s%9s%7s%8s%8s%7s%7s%8s%7s%6s%7s%8s%7s%6s\n",
                "", "wall s", "", "req/s", "MB/s", "p50 ms", "p99 ms",
                "user s", "sys s", "MiB", "thread", "proc", "fds", "vol k",
                "invol k", "calls");
        fprintf(out, "  %u in flight", jobs);
        if (ideal.rounds > 0)
            fprintf(out, "; the ideal: %.2f s", ideal.median);
        (void)fputc('\n', out);
        for (size_t j = 0; j < n; j++)
            print_program(out, results, workload->name, jobs, programs[j]);
        table_verdict(results, workload->name, jobs, C_WALL, verdict,
                      sizeof verdict);
        if (verdict[0] != '\0')
            fprintf(out, "  time: %s\n", verdict);
        table_verdict(results, workload->name, jobs, C_PSS, verdict,
                      sizeof verdict);
        if (verdict[0] != '\0')
            fprintf(out, "  memory: %s\n", verdict);
    }
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

void table_compare(FILE *out, const struct results *before,
                   const struct results *after)
{
    static const struct {
        enum column column;
        const char *name;
    } measures[] = {{C_WALL, "time"}, {C_PSS, "memory"}};
    size_t changed = 0;
    size_t compared = 0;
    for (size_t i = 0; i < after->count; i++) {
        const struct row *row = &after->rows[i];
        if (!is_first_of_its_kind(after, i))
            continue;
        for (int m = 0; m < 2; m++) {
            enum column column = measures[m].column;
            struct summary was = results_summary(
                before, row->workload, row->jobs, row->program, column);
            struct summary is = results_summary(
                after, row->workload, row->jobs, row->program, column);
            if (was.rounds == 0 || is.rounds == 0)
                continue;
            compared++;
            /* The rounds of two benchmarks are no pairs: only where all of
             * one lie beyond all of the other is there a difference. */
            if (is.least <= was.most && was.least <= is.most)
                continue;
            changed++;
            fprintf(out,
                    "%-10s %6u  %-18s %-6s %s: %.3g (%.3g-%.3g) was %.3g "
                    "(%.3g-%.3g): %.2f times as much\n",
                    row->workload, row->jobs, row->program, measures[m].name,
                    is.median < was.median ? "less" : "MORE", is.median,
                    is.least, is.most, was.median, was.least, was.most,
                    is.median / was.median);
        }
    }
    fprintf(out, "%zu of %zu figures differ beyond their spread.\n", changed,
            compared);
}
