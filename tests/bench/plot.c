/* plot: pictures for the report. See plot.h. */
#include "plot.h"

#include "contestant.h"
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
    const char *program;
    const char *colour;
} colours[] = {
    {"threads", "#0072B2"},    {"processes", "#D55E00"}, {"evloop", "#009E73"},
    {"coroutines", "#CC79A7"}, {"floor", "#888888"},
};

#define COLOURS (sizeof colours / sizeof *colours)

static const char *colour_of(const char *program)
{
    for (size_t i = 0; i < COLOURS; i++) {
        if (strcmp(colours[i].program, program) == 0)
            return colours[i].colour;
    }
    return "#999999";
}

/* --- gnuplot ------------------------------------------------------------ */

/* Its text and axes are black, and some of its points refer to definitions
 * that would be there once for each picture: in the page all take the page's
 * colour, and nothing has a name. */
static void copy_line(FILE *out, const char *line)
{
    static const char *const black[] = {"\"black\"", "'black'"};
    while (*line != '\0') {
        size_t length = strlen(line);
        size_t skipped = 0;
        for (int i = 0; i < 2; i++) {
            const char *found = strstr(line, black[i]);
            if (found != NULL && (size_t)(found - line) < length) {
                length = (size_t)(found - line);
                skipped = strlen(black[i]);
            }
        }
        (void)fwrite(line, 1, length, out);
        if (skipped > 0)
            fputs("\"currentColor\"", out);
        line += length + skipped;
    }
}

/* Copies its SVG into the page, without what is for a file of its own. */
static void copy_svg(FILE *out, FILE *svg, const char *title)
{
    static const char *const unwanted[] = {"<use ", " xmlns", "<title>",
                                           "<desc>", "\n"};
    char line[8192];
    bool inside = false;
    bool defines = false;
    while (fgets(line, sizeof line, svg) != NULL) {
        const char *at = line + strspn(line, "\t");
        bool wanted = inside;
        for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++)
            wanted =
                wanted && strncmp(at, unwanted[i], strlen(unwanted[i])) != 0;
        if (strncmp(at, "<defs>", 6) == 0)
            defines = true;
        if (strncmp(at, "<svg", 4) == 0) {
            inside = true;
            fprintf(out,
                    "<div class=\"wide\" tabindex=\"0\"><svg class=\"plot\" "
                    "role=\"img\" aria-label=\"%s\"",
                    title);
        } else if (strncmp(at, "<g id=", 6) == 0) {
            fputs("<g>\n", out);
        } else if (wanted && !defines) {
            copy_line(out, at);
        }
        if (strncmp(at, "</defs>", 7) == 0)
            defines = false;
    }
    if (inside)
        fputs("</div>\n", out);
}

/* Runs a script, with the data in it, and puts the picture into the page. */
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
        int status = pclose(svg);
        if (status != 0)
            fprintf(out,
                    "<p class=\"note\">%s: no picture, for gnuplot %s.</p>\n",
                    title,
                    WIFEXITED(status) && WEXITSTATUS(status) == 127
                        ? "is not installed"
                        : "failed");
    }
    (void)unlink(name);
}

static void set_up(FILE *text, size_t height)
{
    fprintf(text,
            "set terminal svg size 720,%zu dynamic font 'sans-serif,15'\n"
            "set tics nomirror scale 0.5\nset grid lc rgb '#80808080'\n",
            height);
}

/* --- Bars --------------------------------------------------------------- */

/* The place of each bar, its figures, and its colour. Those that have none
 * have failed, or are not to be had. */
static void put_bars(FILE *text, const struct results *results,
                     const char *workload, unsigned jobs, enum column column,
                     double unit, const char *const programs[], size_t n)
{
    char failure[120];
    for (size_t i = 0; i < n; i++) {
        struct summary s =
            results_summary(results, workload, jobs, programs[i], column);
        table_failure(results, workload, jobs, programs[i], failure,
                      sizeof failure);
        if (s.rounds == 0)
            fprintf(text, "set label '%s' at graph 0.01, first %zu\n",
                    failure[0] != '\0' ? "failed" : "not known", i + 1);
    }
    fputs("$d << EOD\n", text);
    for (size_t i = 0; i < n; i++) {
        struct summary s =
            results_summary(results, workload, jobs, programs[i], column);
        if (s.rounds > 0)
            fprintf(text, "%zu %g %g %g %ld\n", i + 1, s.median / unit,
                    s.least / unit, s.most / unit,
                    strtol(colour_of(programs[i]) + 1, NULL, 16));
    }
    fputs("EOD\n", text);
}

static bool any_figure(const struct results *results, const char *workload,
                       unsigned jobs, enum column column,
                       const char *const programs[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct summary s =
            results_summary(results, workload, jobs, programs[i], column);
        if (s.rounds > 0)
            return true;
    }
    return false;
}

void plot_bars(FILE *out, const struct results *results, const char *workload,
               unsigned jobs, enum column column, const char *title,
               double unit)
{
    const char *programs[40];
    size_t n = table_programs(results, workload, jobs, programs, 40);
    char *script = NULL;
    size_t size;
    char label[140];
    if (!any_figure(results, workload, jobs, column, programs, n))
        return;
    FILE *text = open_memstream(&script, &size);
    if (text == NULL)
        return;
    set_up(text, 80 + 26 * n);
    fprintf(text,
            "set yrange [%zu.5:0.5]\nset xrange [0:*]\nunset key\n"
            "set border 1\nset grid noytics\nset xlabel '%s'\n"
            "set lmargin 19\nset rmargin 4\nset ytics scale 0 (",
            n, title);
    for (size_t i = 0; i < n; i++)
        fprintf(text, "%s'%s' %zu", i > 0 ? "," : "",
                contestant_label(programs[i]), i + 1);
    fputs(")\nset style fill solid 0.85 noborder\n", text);
    put_bars(text, results, workload, jobs, column, unit, programs, n);
    fputs("plot $d using ($2/2):1:($2/2):(0.32):5 with boxxyerror "
          "lc rgb variable, $d using 2:1:3:4 with xerrorbars lt -1 lw 1.5 "
          "pt 0\n",
          text);
    (void)fclose(text);
    snprintf(label, sizeof label, "%s, at %s with %u in flight", title,
             workload, jobs);
    run_gnuplot(out, script, label);
    free(script);
}

/* --- Stacked bars -------------------------------------------------------- */

/* The place of each bar, and where the part begins and ends. */
static void put_part(FILE *text, const struct results *results,
                     const char *workload, unsigned jobs,
                     const char *const programs[], size_t n, int part)
{
    fprintf(text, "$p%d << EOD\n", part);
    for (size_t i = 0; i < n; i++) {
        double from = 0;
        double to = 0;
        for (int j = 0; j <= part; j++) {
            struct summary s = results_summary(
                results, workload, jobs, programs[i], table_parts[j].column);
            from = to;
            to += s.median / 1048576;
        }
        fprintf(text, "%zu %g %g\n", i + 1, from, to);
    }
    fputs("EOD\n", text);
}

void plot_held(FILE *out, const struct results *results, const char *workload,
               unsigned jobs)
{
    static const char *const shades[TABLE_PARTS] = {"#0072B2", "#E69F00",
                                                    "#009E73", "#CC79A7"};
    const char *programs[40];
    size_t n = table_programs(results, workload, jobs, programs, 40);
    char *script = NULL;
    size_t size;
    if (!any_figure(results, workload, jobs, C_STACKS, programs, n))
        return;
    FILE *text = open_memstream(&script, &size);
    if (text == NULL)
        return;
    set_up(text, 140 + 26 * n);
    fprintf(text,
            "set yrange [%zu.5:0.5]\nset xrange [0:*]\n"
            "set key outside top horizontal\nset border 1\n"
            "set grid noytics\nset xlabel 'MiB while all wait'\n"
            "set lmargin 19\nset rmargin 4\nset ytics scale 0 (",
            n);
    for (size_t i = 0; i < n; i++)
        fprintf(text, "%s'%s' %zu", i > 0 ? "," : "",
                contestant_label(programs[i]), i + 1);
    fputs(")\nset style fill solid 0.85 noborder\n", text);
    for (int i = 0; i < TABLE_PARTS; i++)
        put_part(text, results, workload, jobs, programs, n, i);
    for (int i = 0; i < TABLE_PARTS; i++)
        fprintf(text,
                "%s$p%d using (($2+$3)/2):1:(($3-$2)/2):(0.32) with "
                "boxxyerror lc rgb '%s' title '%s'",
                i > 0 ? ", " : "plot ", i, shades[i], table_parts[i].name);
    (void)fputc('\n', text);
    (void)fclose(text);
    run_gnuplot(out, script, "Memory while all requests wait, by its parts");
    free(script);
}

/* --- The knee ----------------------------------------------------------- */

/* The figures of one program; false: there are none. */
static bool put_curve(FILE *text, const struct results *results,
                      const struct workload *workload, size_t which)
{
    size_t n = 0;
    fprintf(text, "$m%zu << EOD\n", which);
    for (int i = 0; workload->jobs[i] != 0; i++) {
        struct summary s =
            results_summary(results, workload->name, workload->jobs[i],
                            colours[which].program, C_RATE);
        if (s.rounds == 0)
            continue;
        fprintf(text, "%u %g %g %g\n", workload->jobs[i], s.median, s.least,
                s.most);
        n++;
    }
    fputs("EOD\n", text);
    return n > 0;
}

void plot_knee(FILE *out, const struct results *results,
               const struct workload *workload)
{
    char *script = NULL;
    size_t size;
    bool there[COLOURS];
    FILE *text = open_memstream(&script, &size);
    if (text == NULL)
        return;
    set_up(text, 420);
    fputs("set logscale xy\nset key bottom right\nset border 3\n"
          "set format '%.0f'\nset grid nomxtics nomytics\nset rmargin 4\n"
          "set xlabel 'limit of requests in flight (-j)'\nset ylabel "
          "'requests/s'\n",
          text);
    double delay = workload->delay_ms / 1000.0;
    unsigned most = 1;
    for (int i = 0; workload->jobs[i] != 0; i++) {
        const char *program;
        if (table_programs(results, workload->name, workload->jobs[i],
                           &program, 1) > 0)
            most = workload->jobs[i];
    }
    fprintf(text, "set xrange [0.8:%g]\nset yrange [%g:%g]\n", 1.2 * most,
            0.5 / delay, 1.5 * most / delay);
    for (size_t m = 0; m < COLOURS; m++)
        there[m] = put_curve(text, results, workload, m);
    fprintf(text,
            "plot x/%g title 'Little: in flight / delay' "
            "lt -1 dt 2",
            delay);
    for (size_t m = 0; m < COLOURS; m++) {
        if (there[m])
            fprintf(text,
                    ", $m%zu using 1:2:3:4 with yerrorlines lw 2 pt 0 "
                    "lc rgb '%s' title '%s'",
                    m, colours[m].colour,
                    contestant_label(colours[m].program));
    }
    (void)fputc('\n', text);
    (void)fclose(text);
    run_gnuplot(out, script, "Requests a second over requests in flight");
    free(script);
}

/* --- Waterfalls --------------------------------------------------------- */

#define LANE_HEIGHT 22
#define LANES_MOST  12
#define WIDTH       900.0
#define LEFT        80.0

struct step {
    int lane;
    char name[16];
    long long from;
    long long length;
};

struct fall {
    struct step *steps;
    size_t count;
    int lanes;
    char names[LANES_MOST][40];
    long long end;
};

/* One step of the trace; false for any other line. */
static bool read_step(const char *line, struct step *step)
{
    return sscanf(line,
                  "{\"ph\":\"X\",\"pid\":%*d,\"tid\":%d,\"name\":\"%15[a-z]\","
                  "\"cat\":\"step\",\"ts\":%lld,\"dur\":%lld",
                  &step->lane, step->name, &step->from, &step->length) == 4 &&
           step->lane >= 0 && step->lane < LANES_MOST;
}

static void read_lane(const char *line, struct fall *fall)
{
    int lane;
    char name[40];
    if (sscanf(line,
               "{\"ph\":\"M\",\"pid\":%*d,\"tid\":%d,\"name\":"
               "\"thread_name\",\"args\":{\"name\":\"%39[^\"]\"",
               &lane, name) == 2 &&
        lane >= 0 && lane < LANES_MOST)
        memcpy(fall->names[lane], name, sizeof name);
}

static void read_trace(FILE *in, struct fall *fall)
{
    char line[2048];
    size_t size = 0;
    *fall = (struct fall){.end = 1};
    while (fgets(line, sizeof line, in) != NULL) {
        struct step step;
        read_lane(line, fall);
        if (!read_step(line, &step))
            continue;
        if (fall->count == size) {
            size = 2 * size + 1000;
            struct step *more = realloc(fall->steps, size * sizeof step);
            if (more == NULL)
                return;
            fall->steps = more;
        }
        fall->steps[fall->count++] = step;
        if (step.from + step.length > fall->end)
            fall->end = step.from + step.length;
        if (step.lane >= fall->lanes)
            fall->lanes = step.lane + 1;
    }
}

/* What is inside of another step is painted after it. */
static int by_lane_and_name(const void *a, const void *b)
{
    const struct step *x = a;
    const struct step *y = b;
    bool x_inside = strcmp(x->name, "deliver") == 0;
    bool y_inside = strcmp(y->name, "deliver") == 0;
    if (x->lane != y->lane)
        return x->lane - y->lane;
    if (x_inside != y_inside)
        return x_inside - y_inside;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->from > y->from) - (x->from < y->from);
}

/* All steps of one name in a lane are one path of thick strokes. */
static void put_steps(FILE *out, const struct fall *fall)
{
    const char *name = "";
    int lane = -1;
    for (size_t i = 0; i < fall->count; i++) {
        const struct step *step = &fall->steps[i];
        double x = LEFT + WIDTH * (double)step->from / (double)fall->end;
        double width = WIDTH * (double)step->length / (double)fall->end;
        if (step->lane != lane || strcmp(step->name, name) != 0)
            fprintf(out, "%s<path class=\"%s\" d=\"",
                    lane >= 0 ? "\"/>\n" : "", step->name);
        lane = step->lane;
        name = step->name;
        fprintf(out, "M%.1f %dh%.1f", x, lane * LANE_HEIGHT + 11,
                width < 0.4 ? 0.4 : width);
    }
    if (lane >= 0)
        fputs("\"/>\n", out);
}

static void put_axis(FILE *out, const struct fall *fall)
{
    static const char *const anchors[] = {"start", "middle", "middle",
                                          "middle", "end"};
    int y = fall->lanes * LANE_HEIGHT;
    for (int i = 0; i <= 4; i++)
        fprintf(out,
                "<path class=\"line\" d=\"M%.1f 0v%d\"/><text x=\"%.1f\" "
                "y=\"%d\" text-anchor=\"%s\">%.0f ms</text>\n",
                LEFT + WIDTH * i / 4, y + 4, LEFT + WIDTH * i / 4, y + 20,
                anchors[i], (double)fall->end / 4000 * i);
}

void plot_waterfall(FILE *out, const char *trace, const char *title)
{
    struct fall fall;
    FILE *in = fopen(trace, "re");
    if (in == NULL) {
        fputs("<p class=\"note\">There is no trace.</p>\n", out);
        return;
    }
    read_trace(in, &fall);
    (void)fclose(in);
    if (fall.count > 0)
        qsort(fall.steps, fall.count, sizeof *fall.steps, by_lane_and_name);
    fprintf(out,
            "<div class=\"wide\" tabindex=\"0\"><svg class=\"fall\" "
            "viewBox=\"0 0 %g %d\" role=\"img\" aria-label=\"%s: the steps "
            "of a run, a lane for each worker\">\n",
            WIDTH + LEFT + 4, fall.lanes * LANE_HEIGHT + 26, title);
    put_axis(out, &fall);
    for (int i = 0; i < fall.lanes; i++)
        fprintf(out, "<text x=\"0\" y=\"%d\">%s</text>\n",
                i * LANE_HEIGHT + 16, fall.names[i]);
    put_steps(out, &fall);
    fputs("</svg></div>\n", out);
    free(fall.steps);
}
