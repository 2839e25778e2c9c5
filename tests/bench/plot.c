/* plot: pictures for the report. See plot.h. */
#include "plot.h"

#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *program;
    const char *colour;
} colours[] = {
    {"threads", "#0072B2"},
    {"processes", "#D55E00"},
    {"evloop", "#009E73"},
};

static const char *colour_of(const char *program)
{
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(colours[i].program, program) == 0)
            return colours[i].colour;
    }
    return "#999999";
}

/* --- gnuplot ------------------------------------------------------------ */

/* Copies its SVG into the page: without what is for a file of its own, and
 * with the page's colour for what would be black. */
static void copy_svg(FILE *out, FILE *svg, const char *title)
{
    char line[8192];
    bool inside = false;
    while (fgets(line, sizeof line, svg) != NULL) {
        char *at = line;
        if (strncmp(line, "<svg", 4) == 0) {
            inside = true;
            fprintf(out, "<svg role=\"img\" aria-label=\"%s\"", title);
            at += 4;
        }
        if (strncmp(line, "<title", 6) == 0 || strncmp(line, "<desc", 5) == 0)
            continue;
        static const char black[] = "color=\"black\"";
        char *found;
        while (inside && (found = strstr(at, black)) != NULL) {
            (void)fwrite(at, 1, (size_t)(found - at), out);
            at = found + sizeof black - 1;
        }
        if (inside)
            fputs(at, out);
    }
}

/* Runs a script, with the data behind it, and puts the picture into the page.
 */
static void run_gnuplot(FILE *out, const char *script, const char *title)
{
    char name[] = P_tmpdir "/triptych-plot-XXXXXX";
    char command[200];
    int fd = mkstemp(name);
    FILE *file = fd != -1 ? fdopen(fd, "w") : NULL;
    if (file == NULL)
        return;
    fputs(script, file);
    bool ready = fclose(file) == 0;
    snprintf(command, sizeof command, "gnuplot %s 2>/dev/null", name);
    FILE *svg = ready ? popen(command, "re") : NULL;
    if (svg != NULL) {
        copy_svg(out, svg, title);
        if (pclose(svg) != 0)
            fprintf(out,
                    "<p class=\"note\">%s: no picture, for gnuplot is "
                    "not installed.</p>\n",
                    title);
    }
    (void)unlink(name);
}

/* --- Bars --------------------------------------------------------------- */

void plot_bars(FILE *out, const struct results *results, const char *workload,
               unsigned jobs, enum column column, const char *title,
               double unit)
{
    const char *programs[40];
    size_t n = table_programs(results, workload, jobs, programs, 40);
    char *script = NULL;
    size_t size;
    FILE *text = open_memstream(&script, &size);
    char label[100];
    if (text == NULL)
        return;
    fprintf(text,
            "set terminal svg size 820,%zu font 'sans-serif,13' "
            "background rgb 'transparent'\n"
            "set yrange [%zu.5:0.5] \nset xrange [0:*]\nunset key\n"
            "set border 1\nset tics nomirror scale 0.5\n"
            "set grid xtics lc rgb '#80808060'\nset xlabel '%s'\n"
            "set lmargin 20\nset ytics (",
            60 + 26 * n, n, title);
    for (size_t i = 0; i < n; i++)
        fprintf(text, "%s'%s' %zu", i > 0 ? "," : "", programs[i], i + 1);
    fputs(")\nset style fill solid 0.85 noborder\n$d << EOD\n", text);
    for (size_t i = 0; i < n; i++) {
        struct summary s =
            results_summary(results, workload, jobs, programs[i], column);
        fprintf(text, "%zu %g %g %g %ld\n", i + 1, s.median / unit,
                s.least / unit, s.most / unit,
                strtol(colour_of(programs[i]) + 1, NULL, 16));
    }
    fputs("EOD\nplot $d using ($2/2):1:($2/2):(0.32):5 with boxxyerror "
          "lc rgb variable, $d using 2:1:3:4 with xerrorbars lt -1 lw 1.5 "
          "pt 0\n",
          text);
    (void)fclose(text);
    snprintf(label, sizeof label, "%s at %s, %u in flight", title, workload,
             jobs);
    run_gnuplot(out, script, label);
    free(script);
}

/* --- The knee ----------------------------------------------------------- */

void plot_knee(FILE *out, const struct results *results,
               const struct workload *workload)
{
    char *script = NULL;
    size_t size;
    FILE *text = open_memstream(&script, &size);
    if (text == NULL)
        return;
    fprintf(text,
            "set terminal svg size 820,430 font 'sans-serif,13' "
            "background rgb 'transparent'\n"
            "set logscale xy\nset key bottom right\nset border 3\n"
            "set tics nomirror\nset grid lc rgb '#80808060'\n"
            "set xlabel 'requests in flight'\nset ylabel 'requests/s'\n");
    for (size_t m = 0; m < 3; m++) {
        fprintf(text, "$m%zu << EOD\n", m);
        for (int i = 0; workload->jobs[i] != 0; i++) {
            struct summary s =
                results_summary(results, workload->name, workload->jobs[i],
                                colours[m].program, C_RATE);
            if (s.rounds > 0)
                fprintf(text, "%u %g %g %g\n", workload->jobs[i], s.median,
                        s.least, s.most);
        }
        fputs("EOD\n", text);
    }
    fprintf(text,
            "plot [1:12000] x/%g title 'Little: in flight / delay' lt -1 dt 2",
            workload->delay_ms / 1000.0);
    for (size_t m = 0; m < 3; m++)
        fprintf(text,
                ", $m%zu using 1:2:3:4 with yerrorlines lw 2 pt 7 ps 0.5 "
                "lc rgb '%s' title '%s'",
                m, colours[m].colour, colours[m].program);
    (void)fputc('\n', text);
    (void)fclose(text);
    run_gnuplot(out, script, "Requests a second over requests in flight");
    free(script);
}

/* --- Waterfalls --------------------------------------------------------- */

#define LANE_HEIGHT 22
#define LANES_MOST  12
#define WIDTH       980.0
#define LEFT        90.0

/* One step of the trace; false for any other line. */
static bool read_step(const char *line, int *lane, char name[16],
                      long long *from, long long *length)
{
    return sscanf(line,
                  "{\"ph\":\"X\",\"pid\":%*d,\"tid\":%d,\"name\":\"%15[a-z]\","
                  "\"cat\":\"step\",\"ts\":%lld,\"dur\":%lld",
                  lane, name, from, length) == 4;
}

void plot_waterfall(FILE *out, const char *trace)
{
    char line[2048];
    char name[16];
    char lane_name[40];
    int lane;
    int lanes = 0;
    long long from;
    long long length;
    long long end = 1;
    FILE *in = fopen(trace, "re");
    if (in == NULL) {
        fputs("<p class=\"note\">There is no trace.</p>\n", out);
        return;
    }
    while (fgets(line, sizeof line, in) != NULL) {
        if (!read_step(line, &lane, name, &from, &length))
            continue;
        if (from + length > end)
            end = from + length;
        if (lane >= lanes && lane < LANES_MOST)
            lanes = lane + 1;
    }
    rewind(in);
    fprintf(out,
            "<svg viewBox=\"0 0 %g %d\" role=\"img\" aria-label=\"The steps "
            "of a run, a lane for each worker\" font-size=\"12\">\n",
            WIDTH + LEFT, lanes * LANE_HEIGHT + 20);
    while (fgets(line, sizeof line, in) != NULL) {
        if (sscanf(line,
                   "{\"ph\":\"M\",\"pid\":%*d,\"tid\":%d,\"name\":"
                   "\"thread_name\",\"args\":{\"name\":\"%39[^\"]\"",
                   &lane, lane_name) == 2 &&
            lane < lanes)
            fprintf(out,
                    "<text x=\"0\" y=\"%d\" fill=\"currentColor\">%s</text>\n",
                    lane * LANE_HEIGHT + 15, lane_name);
        if (!read_step(line, &lane, name, &from, &length) || lane >= lanes)
            continue;
        double x = LEFT + WIDTH * (double)from / (double)end;
        double width = WIDTH * (double)length / (double)end;
        /* What is inside of another step stands on it, narrower. */
        bool inner = strcmp(name, "deliver") == 0;
        fprintf(out,
                "<rect class=\"%s\" x=\"%.2f\" y=\"%d\" width=\"%.2f\" "
                "height=\"%d\"/>\n",
                name, x, lane * LANE_HEIGHT + (inner ? 5 : 2),
                width < 0.3 ? 0.3 : width, inner ? 12 : 18);
    }
    fprintf(out,
            "<text x=\"%g\" y=\"%d\" fill=\"currentColor\" "
            "text-anchor=\"end\">%.0f ms</text>\n</svg>\n",
            WIDTH + LEFT, lanes * LANE_HEIGHT + 15, (double)end / 1000);
    (void)fclose(in);
}
