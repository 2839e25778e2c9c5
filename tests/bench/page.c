/* page: report.html. See page.h. */
#include "page.h"

#include "contestant.h"
#include "growth.h"
#include "plot.h"
#include "table.h"
#include "versus.h"
#include "workload.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The colours are told apart also by those who do not see all (Okabe and Ito);
 * those of the models are in plot.c, too. */
static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>triptych-bench: the models side by side</title>\n<style>\n"
    ":root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fdfdfb; "
    "--line: #d0d0c8; --soft: #5a5a55; --bad: #a40000; }\n"
    "@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e0; "
    "--paper: #16181b; --line: #3a3d42; --soft: #a8a6a0; --bad: #ff8a80; } }\n"
    "body { color: var(--ink); background: var(--paper); margin: 0 auto; "
    "max-width: 66rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; "
    "overflow-wrap: break-word; }\n"
    "h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 3rem; "
    "border-top: 1px solid var(--line); padding-top: 1.5rem; }\n"
    ".wide { overflow-x: auto; margin: 1rem 0; }\n"
    "table { border-collapse: collapse; font-variant-numeric: tabular-nums; "
    "font-size: .85rem; }\n"
    "caption { text-align: left; color: var(--soft); padding: .2rem .6rem; "
    "}\n"
    "th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px "
    "solid var(--line); white-space: nowrap; }\n"
    "th:first-child, td.bad { text-align: left; } .bad { color: var(--bad); "
    "}\n"
    "svg { display: block; width: 100%; height: auto; color: var(--ink); }\n"
    ".plot { min-width: 34rem; max-width: 45rem; } .fall { min-width: 46rem; "
    "}\n"
    "pre, .note { color: var(--soft); font-size: .85rem; } pre { "
    "white-space: pre-wrap; }\n"
    ".fall text { fill: currentColor; font-size: 13px; } .fall path { "
    "fill: none; stroke-width: 18px; } .fall .deliver { stroke-width: 10px; } "
    ".fall .line { stroke: var(--line); stroke-width: 1px; }\n"
    ".take { stroke: #9a9a9a; background: #9a9a9a; } "
    ".connect { stroke: #cc79a7; background: #cc79a7; } "
    ".send { stroke: #e69f00; background: #e69f00; } "
    ".receive { stroke: #56b4e9; background: #56b4e9; } "
    ".deliver { stroke: #009e73; background: #009e73; } "
    ".finish { stroke: #d55e00; background: #d55e00; } "
    ".expire, .retry { stroke: #f0e442; background: #f0e442; } "
    ".start { stroke: #0072b2; background: #0072b2; } "
    ".stop { stroke: #8a63c9; background: #8a63c9; }\n"
    ".key span { display: inline-block; margin-right: 1rem; } "
    ".key i { display: inline-block; width: .8em; height: .8em; }\n"
    "nav a { display: inline-block; padding: .2rem .8rem .2rem 0; } "
    "a { color: inherit; }\n"
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
                s->most / unit, table_decimals(value), value);
}

static const struct {
    const char *name;
    enum column column;
    double unit;
} columns[] = {
    {"requests", C_REQUESTS, 1},
    {"requests/s", C_RATE, 1},
    {"MB/s", C_MBPS, 1},
    {"mean ms", C_MEAN, 1000},
    {"p50 ms", C_P50, 1000},
    {"p90 ms", C_P90, 1000},
    {"p99 ms", C_P99, 1000},
    {"p99.9 ms", C_P999, 1000},
    {"max ms", C_MAX, 1000},
    {"cpu s", C_CPU, 1},
    {"user s", C_USER, 1},
    {"system s", C_SYSTEM, 1},
    {"peak MiB", C_PSS, 1048576},
    {"threads", C_THREADS, 1},
    {"processes", C_PROCESSES, 1},
    {"descriptors", C_FDS, 1},
    {"voluntary switches", C_VOLUNTARY, 1},
    {"involuntary", C_INVOLUNTARY, 1},
    {"calls/request", C_CALLS, 1},
    {"done", C_OK, 1},
    {"served", C_SERVED, 1},
};

#define COLUMN_COUNT (sizeof columns / sizeof *columns)

static void put_program(FILE *out, const struct results *results,
                        const char *workload, unsigned jobs,
                        const char *program)
{
    char failure[120];
    struct summary wall =
        results_summary(results, workload, jobs, program, C_WALL);
    struct summary rate =
        results_summary(results, workload, jobs, program, C_RATE);
    table_failure(results, workload, jobs, program, failure, sizeof failure);
    fprintf(out, "<tr><th scope=\"row\">%s</th>", contestant_label(program));
    if (rate.rounds == 0) {
        fprintf(out, "<td class=\"bad\" colspan=\"%zu\">%s</td></tr>\n",
                COLUMN_COUNT + 3, failure);
        return;
    }
    if (wall.rounds == 0)
        fputs("<td>-</td><td>-</td>", out);
    else
        fprintf(out, "<td>%.3f</td><td>%.3f-%.3f</td>", wall.median,
                wall.least, wall.most);
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        struct summary s = results_summary(results, workload, jobs, program,
                                           columns[i].column);
        put_cell(out, &s, columns[i].unit);
    }
    fprintf(out, "<td class=\"bad\">%s</td></tr>\n", failure);
}

static void put_table(FILE *out, const struct results *results,
                      const char *workload, unsigned jobs)
{
    const char *programs[40];
    size_t n = table_programs(results, workload, jobs, programs, 40);
    fprintf(out,
            "<div class=\"wide\" tabindex=\"0\"><table>\n<caption>%s, %u in "
            "flight: medians of all rounds that did not fail</caption>\n"
            "<tr><th scope=\"col\">program</th><th scope=\"col\">wall s</th>"
            "<th scope=\"col\">least to most</th>",
            workload, jobs);
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        fprintf(out, "<th scope=\"col\">%s</th>", columns[i].name);
    fputs("<th scope=\"col\">failures</th></tr>\n", out);
    for (size_t p = 0; p < n; p++)
        put_program(out, results, workload, jobs, programs[p]);
    fputs("</table></div>\n", out);
}

/* --- In words ----------------------------------------------------------- */

static void put_verdict(FILE *out, const struct results *results,
                        const char *workload, unsigned jobs,
                        enum column column, const char *what)
{
    char verdict[300];
    table_verdict(results, workload, jobs, column, verdict, sizeof verdict);
    if (verdict[0] != '\0')
        fprintf(out, "<p><b>%s:</b> %s.</p>\n", what, verdict);
}

static void put_verdicts(FILE *out, const struct results *results,
                         const struct workload *workload, unsigned jobs)
{
    char verdict[300];
    if (workload->kills) {
        table_completed(results, workload->name, jobs, verdict,
                        sizeof verdict);
        fprintf(out, "<p><b>Requests done:</b> %s.</p>\n", verdict);
        return;
    }
    put_verdict(out, results, workload->name, jobs, C_WALL, "Time");
    put_verdict(out, results, workload->name, jobs, C_CPU, "Processor");
    put_verdict(out, results, workload->name, jobs, C_PSS, "Memory");
}

/* Failures of all programs, in words; where programs are killed they are what
 * the verdict is about. */
static void put_failures(FILE *out, const struct results *results,
                         const struct workload *workload, unsigned jobs)
{
    const char *programs[40];
    char failure[120];
    size_t n = table_programs(results, workload->name, jobs, programs, 40);
    for (size_t i = 0; i < n && !workload->kills; i++) {
        table_failure(results, workload->name, jobs, programs[i], failure,
                      sizeof failure);
        if (failure[0] != '\0')
            fprintf(out, "<p class=\"bad\"><b>%s</b> %s.</p>\n",
                    contestant_label(programs[i]), failure);
    }
}

/* As far as a model keeps four fifths of what Little's law allows. */
static void put_knee(FILE *out, const struct results *results,
                     const struct workload *workload)
{
    fputs("<p><b>The knee:</b> four fifths of what Little's law allows are "
          "kept",
          out);
    for (int m = 0; m < MODELS; m++) {
        unsigned knee = 0;
        for (int i = 0; workload->jobs[i] != 0; i++) {
            unsigned jobs = workload->jobs[i];
            struct summary rate = results_summary(
                results, workload->name, jobs, versus_models[m], C_RATE);
            if (rate.median * workload->delay_ms >= .8 * 1000 * jobs)
                knee = jobs;
        }
        fprintf(out, "%s ", m > 0 ? "," : "");
        if (knee > 0)
            fprintf(out, "up to %u in flight by %s", knee, versus_models[m]);
        else
            fprintf(out, "nowhere by %s", versus_models[m]);
    }
    fputs(".</p>\n<div class=\"wide\" tabindex=\"0\"><table>\n<caption>Really "
          "in flight, by Little's law: rate times mean time. It always holds; "
          "the limit is what was allowed</caption>\n<tr><th scope=\"col\">"
          "limit (-j)</th>",
          out);
    for (int m = 0; m < MODELS; m++)
        fprintf(out, "<th scope=\"col\">%s</th>", versus_models[m]);
    fputs("</tr>\n", out);
    for (int i = 0; workload->jobs[i] != 0; i++) {
        fprintf(out, "<tr><th scope=\"row\">%u</th>", workload->jobs[i]);
        for (int m = 0; m < MODELS; m++) {
            struct summary s = table_in_flight(
                results, workload->name, workload->jobs[i], versus_models[m]);
            if (s.rounds == 0)
                fputs("<td>-</td>", out);
            else
                fprintf(out, "<td>%.*f</td>", table_decimals(s.median),
                        s.median);
        }
        fputs("</tr>\n", out);
    }
    fputs("</table></div>\n", out);
}

/* What each takes while all its requests wait, and the kernel for it. */
static void put_held(FILE *out, const struct results *results,
                     const struct workload *workload)
{
    const char *programs[40];
    unsigned jobs = workload->jobs[0];
    size_t n = table_programs(results, workload->name, jobs, programs, 40);
    fputs("<div class=\"wide\" tabindex=\"0\"><table>\n<caption>MiB while the "
          "server holds all requests</caption>\n<tr><th scope=\"col\">program"
          "</th>",
          out);
    for (int i = 0; i < TABLE_PARTS; i++)
        fprintf(out, "<th scope=\"col\">%s</th>", table_parts[i].name);
    fputs("</tr>\n", out);
    for (size_t p = 0; p < n; p++) {
        fprintf(out, "<tr><th scope=\"row\">%s</th>",
                contestant_label(programs[p]));
        for (int i = 0; i < TABLE_PARTS; i++) {
            struct summary s =
                results_summary(results, workload->name, jobs, programs[p],
                                table_parts[i].column);
            put_cell(out, &s, 1048576);
        }
        fputs("</tr>\n", out);
    }
    fputs("</table></div>\n", out);
    plot_held(out, results, workload->name, jobs);
}

/* The exponents of growth; nothing, if there are none. */
static void put_growth(FILE *out, const struct results *results,
                       const char *workload, enum growth growth)
{
    bool begun = false;
    for (int m = 0; m < MODELS; m++) {
        double e;
        if (!growth_fit(results, workload, growth, versus_models[m], C_WALL,
                        &e))
            continue;
        if (!begun)
            fprintf(out,
                    "<div class=\"wide\" tabindex=\"0\"><table>\n<caption>"
                    "Exponents of growth, %s: 1 is linear</caption>\n<tr><th "
                    "scope=\"col\">program</th><th scope=\"col\">time</th><th "
                    "scope=\"col\">processor</th><th scope=\"col\">memory</th>"
                    "</tr>\n",
                    growth_names[growth]);
        begun = true;
        fprintf(out, "<tr><th scope=\"row\">%s</th>", versus_models[m]);
        for (int i = 0; i < TABLE_MEASURES; i++) {
            if (growth_fit(results, workload, growth, versus_models[m],
                           table_measures[i].column, &e))
                fprintf(out, "<td%s>%.2f</td>",
                        e > GROWTH_LINEAR ? " class=\"bad\"" : "", e);
            else
                fputs("<td>-</td>", out);
        }
        fputs("</tr>\n", out);
    }
    if (begun)
        fputs("</table></div>\n", out);
}

/* What one more connection costs: c10k's peak, less what the program takes
 * with one connection (latency at 1), over the number of connections. */
static void put_memory(FILE *out, const struct results *results)
{
    bool begun = false;
    for (int i = 0; i < MODELS; i++) {
        struct summary peak =
            results_summary(results, "c10k", 10000, versus_models[i], C_PSS);
        struct summary one =
            results_summary(results, "latency", 1, versus_models[i], C_PSS);
        struct summary requests = results_summary(
            results, "c10k", 10000, versus_models[i], C_REQUESTS);
        if (peak.rounds == 0 || one.rounds == 0)
            continue;
        if (!begun)
            fputs("<div class=\"wide\" tabindex=\"0\"><table>\n<caption>What "
                  "one more connection takes: the peak, less that with one "
                  "connection, over their number</caption>\n<tr><th "
                  "scope=\"col\">program</th><th scope=\"col\">memory a "
                  "connection, KiB</th></tr>\n",
                  out);
        begun = true;
        fprintf(out, "<tr><th scope=\"row\">%s</th><td>%.2f</td></tr>\n",
                versus_models[i],
                (peak.median - one.median) / 1024 / requests.median);
    }
    if (begun)
        fputs("</table></div>\n", out);
}

/* --- A workload --------------------------------------------------------- */

/* What the workload is about is what is drawn. */
static void put_bars(FILE *out, const struct results *results,
                     const struct workload *workload, unsigned jobs)
{
    const char *name = workload->name;
    if (workload->kills)
        plot_bars(out, results, name, jobs, C_OK,
                  "requests done (more is better)", 1);
    else if (workload->peers && workload->size >= 1 << 20)
        plot_bars(out, results, name, jobs, C_MBPS, "MB/s (more is better)",
                  1);
    else if (workload->peers)
        plot_bars(out, results, name, jobs, C_RATE,
                  "requests/s (more is better)", 1);
    else
        plot_bars(out, results, name, jobs, C_WALL,
                  "wall time, s (less is better)", 1);
    if (workload->destination == TO_READER || jobs == 10000)
        plot_bars(out, results, name, jobs, C_PSS,
                  "peak memory, MiB (less is better)", 1048576);
}

static void put_jobs(FILE *out, const struct results *results,
                     const struct workload *workload, unsigned jobs)
{
    const char *programs[40];
    char heading[120];
    if (table_programs(results, workload->name, jobs, programs, 40) == 0)
        return;
    table_heading(results, workload->name, jobs, programs[0], heading,
                  sizeof heading);
    fprintf(out, "<h3>%s</h3>\n", heading);
    put_verdicts(out, results, workload, jobs);
    put_failures(out, results, workload, jobs);
    if (workload->jobs[1] == 0)
        put_bars(out, results, workload, jobs);
    put_table(out, results, workload->name, jobs);
}

static void put_workload(FILE *out, const struct results *results,
                         const struct workload *workload)
{
    char server[60];
    fprintf(out, "<h2 id=\"%s\">%s</h2>\n<p>", workload->name, workload->name);
    put_text(out, workload->shows);
    if (table_server(results, workload, server, sizeof server))
        fprintf(out, " <span class=\"note\">Server: %s.</span>", server);
    fputs("</p>\n", out);
    if (workload->peers)
        fputs("<p class=\"note\">Slow peers are asked for fewer requests, and "
              "wrk runs for a second: compare rates.</p>\n",
              out);
    if (workload->jobs[1] != 0) {
        put_knee(out, results, workload);
        plot_knee(out, results, workload);
    }
    for (int i = 0; workload->jobs[i] != 0; i++)
        put_jobs(out, results, workload, workload->jobs[i]);
    if (workload->holds)
        put_held(out, results, workload);
    if (strcmp(workload->name, "c10k") == 0)
        put_memory(out, results);
    for (enum growth growth = 0; growth < GROWTHS; growth++)
        put_growth(out, results, workload->name, growth);
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
                                        "finish", "retry",   "stop"};
    fputs(
        "<h2 id=\"waterfall\">A real run of each model</h2>\n<p>400 requests "
        "of <i>tail</i>, 8 in flight, from their traces. Each lane is a "
        "worker, or a place in the loop; the wide blocks are the answers "
        "that take 50 times as long: they hold their lane, and no other.</p>"
        "\n<p class=\"key\">",
        out);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        fprintf(out, "<span><i class=\"%s\"></i> %s</span>", steps[i],
                steps[i]);
    fputs("</p>\n", out);
    for (int i = 0; i < MODELS; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/trace-%s.json", directory,
                 versus_models[i]);
        fprintf(out, "<h3>%s</h3>\n", versus_models[i]);
        plot_waterfall(out, path, versus_models[i]);
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
          "the rounds do not agree on who needs less. Percentiles are by the "
          "nearest rank; processor time is user and system. <i>A minimal "
          "client</i> is a loop that does nothing but count bytes.</p>\n<nav>",
          out);
    for (size_t i = 0; i < workload_count; i++) {
        if (was_measured(results, workloads[i].name))
            fprintf(out, "<a href=\"#%s\">%s</a>", workloads[i].name,
                    workloads[i].name);
    }
    if (was_measured(results, "tail"))
        fputs("<a href=\"#waterfall\">waterfall</a>", out);
    fputs("</nav>\n", out);
    put_machine(out, results->machine);
    for (size_t i = 0; i < workload_count; i++) {
        if (was_measured(results, workloads[i].name))
            put_workload(out, results, &workloads[i]);
    }
    if (results->count == 0)
        fputs("<p>Nothing was measured.</p>\n", out);
    if (was_measured(results, "tail"))
        put_waterfalls(out, directory);
    fputs("<p class=\"note\">Every single run is in results.tsv.</p>\n"
          "</body>\n</html>\n",
          out);
    bool bad = ferror(out) != 0;
    return fclose(out) != 0 || bad ? -EIO : 0;
}
