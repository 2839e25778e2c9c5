/* page: report.html. See page.h. */
#include "page.h"

#include "plot.h"
#include "table.h"
#include "workload.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *const models[] = {"threads", "processes", "evloop"};

/* The colours are told apart also by those who do not see all (Okabe and Ito);
 * those of the models are in plot.c, too. */
static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>triptych-bench: three models side by side</title>\n<style>\n"
    ":root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fdfdfb; "
    "--line: #d0d0c8; --soft: #5a5a55; }\n"
    "@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e0; "
    "--paper: #16181b; --line: #3a3d42; --soft: #a8a6a0; } }\n"
    "body { color: var(--ink); background: var(--paper); margin: 0 auto; "
    "max-width: 66rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; "
    "}\n"
    "h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 3rem; "
    "border-top: 1px solid var(--line); padding-top: 1.5rem; }\n"
    ".wide { overflow-x: auto; }\n"
    "table { border-collapse: collapse; font-variant-numeric: tabular-nums; "
    "font-size: .85rem; }\n"
    "th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px "
    "solid var(--line); white-space: nowrap; }\n"
    "th:first-child, td:first-child { text-align: left; }\n"
    "svg { max-width: 100%; height: auto; color: var(--ink); }\n"
    "pre, .note { color: var(--soft); font-size: .85rem; } pre { overflow-x: "
    "auto; }\n"
    ".take { fill: #bbbbbb; } .connect { fill: #cc79a7; } .send { fill: "
    "#e69f00; } .receive { fill: #56b4e9; } .deliver { fill: #009e73; } "
    ".finish { fill: #d55e00; } .expire, .retry { fill: #f0e442; } .start, "
    ".stop { fill: #0072b2; }\n"
    ".key span { display: inline-block; margin-right: 1rem; } .key svg { "
    "vertical-align: -1px; }\n"
    "nav a { margin-right: .8rem; } a { color: inherit; }\n"
    "</style>\n</head>\n<body>\n";

/* --- Text --------------------------------------------------------------- */

static void put_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '&')
            fputs("&amp;", out);
        else
            (void)fputc(*text, out);
    }
}

static void put_machine(FILE *out, const char *machine)
{
    fputs("<pre>", out);
    put_text(out, machine);
    fputs("</pre>\n", out);
}

/* --- Tables ------------------------------------------------------------- */

static void put_cell(FILE *out, const struct summary *s, double unit)
{
    double value = s->median / unit;
    if (s->rounds == 0)
        fputs("<td>-</td>", out);
    else
        fprintf(out, "<td title=\"%.4g to %.4g\">%.*f</td>", s->least / unit,
                s->most / unit,
                value < 10    ? 2
                : value < 100 ? 1
                              : 0,
                value);
}

static const struct {
    const char *name;
    enum column column;
    double unit;
} columns[] = {
    {"requests/s", C_RATE, 1},         {"MB/s", C_MBPS, 1},
    {"p50 ms", C_P50, 1000},           {"p90 ms", C_P90, 1000},
    {"p99 ms", C_P99, 1000},           {"p99.9 ms", C_P999, 1000},
    {"max ms", C_MAX, 1000},           {"user s", C_USER, 1},
    {"system s", C_SYSTEM, 1},         {"peak MiB", C_PSS, 1048576},
    {"threads", C_THREADS, 1},         {"processes", C_PROCESSES, 1},
    {"descriptors", C_FDS, 1},         {"voluntary switches", C_VOLUNTARY, 1},
    {"involuntary", C_INVOLUNTARY, 1}, {"calls/request", C_CALLS, 1},
    {"requests ok", C_OK, 1},
};

#define COLUMN_COUNT (sizeof columns / sizeof *columns)

static void put_table(FILE *out, const struct results *results,
                      const char *workload, unsigned jobs)
{
    const char *programs[40];
    size_t n = table_programs(results, workload, jobs, programs, 40);
    fputs("<div class=\"wide\" tabindex=\"0\"><table>\n<tr><th "
          "scope=\"col\">program</th><th scope=\"col\">wall s</th>"
          "<th scope=\"col\">least to most</th>",
          out);
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        fprintf(out, "<th scope=\"col\">%s</th>", columns[i].name);
    fputs("</tr>\n", out);
    for (size_t p = 0; p < n; p++) {
        struct summary wall =
            results_summary(results, workload, jobs, programs[p], C_WALL);
        fprintf(out,
                "<tr><th scope=\"row\">%s</th><td>%.3f</td><td>%.3f-%.3f</td>",
                programs[p], wall.median, wall.least, wall.most);
        for (size_t i = 0; i < COLUMN_COUNT; i++) {
            struct summary s = results_summary(results, workload, jobs,
                                               programs[p], columns[i].column);
            put_cell(out, &s, columns[i].unit);
        }
        fputs("</tr>\n", out);
    }
    fputs("</table></div>\n", out);
}

static void put_verdict(FILE *out, const struct results *results,
                        const char *workload, unsigned jobs,
                        enum column column, const char *what)
{
    char verdict[300];
    table_verdict(results, workload, jobs, column, verdict, sizeof verdict);
    if (verdict[0] != '\0')
        fprintf(out, "<p><b>%s:</b> %s.</p>\n", what, verdict);
}

/* What one more connection costs: c10k's peak, less what the program takes with
 * one connection (latency at 1), over the number of connections. */
static void put_memory(FILE *out, const struct results *results)
{
    fputs("<table><tr><th scope=\"col\">program</th><th "
          "scope=\"col\">memory a connection, KiB</th></tr>\n",
          out);
    for (int i = 0; i < 3; i++) {
        struct summary peak =
            results_summary(results, "c10k", 10000, models[i], C_PSS);
        struct summary one =
            results_summary(results, "latency", 1, models[i], C_PSS);
        struct summary requests =
            results_summary(results, "c10k", 10000, models[i], C_REQUESTS);
        if (peak.rounds > 0 && one.rounds > 0)
            fprintf(out, "<tr><th scope=\"row\">%s</th><td>%.2f</td></tr>\n",
                    models[i],
                    (peak.median - one.median) / 1024 / requests.median);
    }
    fputs("</table>\n", out);
}

/* --- A workload --------------------------------------------------------- */

static void put_workload(FILE *out, const struct results *results,
                         const struct workload *workload)
{
    bool sweeps = workload->jobs[1] != 0;
    fprintf(out, "<h2 id=\"%s\">%s</h2>\n<p>", workload->name, workload->name);
    put_text(out, workload->shows);
    fputs("</p>\n", out);
    if (sweeps)
        plot_knee(out, results, workload);
    for (int i = 0; workload->jobs[i] != 0; i++) {
        unsigned jobs = workload->jobs[i];
        const char *programs[40];
        if (table_programs(results, workload->name, jobs, programs, 40) == 0)
            continue;
        struct summary ideal = results_summary(results, workload->name, jobs,
                                               programs[0], C_IDEAL);
        fprintf(out, "<h3>%u in flight", jobs);
        if (ideal.rounds > 0)
            fprintf(out, "; the ideal: %.2f s", ideal.median);
        fputs("</h3>\n", out);
        if (!sweeps)
            plot_bars(out, results, workload->name, jobs, C_WALL,
                      "wall time, s", 1);
        if (workload->destination == TO_READER || jobs == 10000)
            plot_bars(out, results, workload->name, jobs, C_PSS,
                      "peak memory, MiB", 1048576);
        put_table(out, results, workload->name, jobs);
        put_verdict(out, results, workload->name, jobs, C_WALL, "Time");
        put_verdict(out, results, workload->name, jobs, C_PSS, "Memory");
    }
    if (strcmp(workload->name, "c10k") == 0)
        put_memory(out, results);
}

static bool was_measured(const struct results *results, const char *workload)
{
    for (size_t i = 0; i < results->count; i++) {
        if (strcmp(results->rows[i].workload, workload) == 0)
            return true;
    }
    return false;
}

static void put_waterfalls(FILE *out, const char *directory)
{
    static const char *const steps[] = {"start",  "take",    "connect",
                                        "send",   "receive", "deliver",
                                        "finish", "retry"};
    fputs(
        "<h2 id=\"waterfall\">A real run of each model</h2>\n<p>150 requests "
        "of <i>tail</i>, 8 in flight, from their traces. Each lane is a "
        "worker, or a place in the loop; the wide blocks are the answers "
        "that take 50 times as long: they hold their lane, and no other.</p>"
        "\n<p class=\"key\">",
        out);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        fprintf(out,
                "<span><svg width=\"12\" height=\"12\" aria-hidden=\"true\">"
                "<rect width=\"12\" height=\"12\" class=\"%s\"/></svg> "
                "%s</span>",
                steps[i], steps[i]);
    fputs("</p>\n", out);
    for (int i = 0; i < 3; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/trace-%s.json", directory, models[i]);
        fprintf(out, "<h3>%s</h3>\n", models[i]);
        plot_waterfall(out, path);
    }
}

int page_write(const char *directory, const struct results *results)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/report.html", directory);
    FILE *out = fopen(path, "we");
    if (out == NULL)
        return -errno;
    fputs(head, out);
    fputs("<h1>Three models of concurrency, side by side</h1>\n"
          "<p>The same fetcher with a thread pool, with forked workers and "
          "with an event loop, measured from outside in interleaved rounds. "
          "Figures are medians; where they stand with a range, that is from "
          "the least to the most of all rounds. \"No difference\" means that "
          "the rounds do not agree on who needs less. The <i>floor</i> is a "
          "loop that does nothing but count bytes.</p>\n<nav>",
          out);
    for (size_t i = 0; i < workload_count; i++) {
        if (was_measured(results, workloads[i].name))
            fprintf(out, "<a href=\"#%s\">%s</a>", workloads[i].name,
                    workloads[i].name);
    }
    fputs("</nav>\n", out);
    put_machine(out, results->machine);
    for (size_t i = 0; i < workload_count; i++) {
        if (was_measured(results, workloads[i].name))
            put_workload(out, results, &workloads[i]);
    }
    if (was_measured(results, "tail"))
        put_waterfalls(out, directory);
    fputs("<p class=\"note\">Every single run is in results.tsv.</p>\n"
          "</body>\n</html>\n",
          out);
    bool bad = ferror(out) != 0;
    return fclose(out) != 0 || bad ? -EIO : 0;
}
