/*
 * triptych-bench: the three models, side by side, measured from outside.
 *
 *     triptych-bench [OPTION]... [WORKLOAD]...
 *     triptych-bench report DIR
 *     triptych-bench compare OLD NEW
 *
 * Of each workload all programs are run in turn, round after round, so that
 * what disturbs the machine disturbs all of them; the first, shorter round is
 * for warming up and is not kept. Every run becomes a row of results.tsv at
 * once, so an interrupted benchmark keeps what it has. See triptych-bench(1).
 */
#include "contestant.h"
#include "machine.h"
#include "measure.h"
#include "page.h"
#include "results.h"
#include "server.h"
#include "table.h"
#include "workload.h"

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What --to-reader workloads read in a second. */
#define SLOW_READER 40e6

/* A run that takes longer is killed, and is a failure. */
#define LIMIT_SECONDS 120

struct bench {
    bool quick;
    unsigned rounds;
    const char *out;  /* directory for the results */
    const char *only; /* program, with the floor; NULL: all */
    bool counts_calls;
    char ours[PATH_MAX];
    char tools[PATH_MAX];
    char scripts[PATH_MAX];
    char scratch[200]; /* directory for what is served and saved */
    struct cores cores;
    struct results results;
    FILE *file; /* results.tsv */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

/* --- One run ------------------------------------------------------------ */

static void clear_directory(const char *path)
{
    char command[PATH_MAX + 40];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    (void)!system(command);
    (void)mkdir(path, 0755);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The smallest value that the share `part` of all does not exceed. */
static double percentile(const double *sorted, size_t n, double part)
{
    size_t place = (size_t)(part * (double)n);
    return sorted[place < n ? place : n - 1];
}

/* Takes latencies and counts from one of our reports. */
static void read_report(const char *path, struct row *row)
{
    char line[16384];
    double *latencies = NULL;
    size_t n = 0;
    size_t size = 0;
    double bytes = 0;
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char result[30];
        double count;
        double start;
        double done;
        if (sscanf(line,
                   "%*s\t%*s\t%29s\t%*s\t%lf\t%*s\t%*s\t%*s\t%*s\t%lf\t%*s\t"
                   "%*s\t%lf",
                   result, &count, &start, &done) != 4 ||
            strcmp(result, "ok") != 0)
            continue;
        if (n == size) {
            double *more = realloc(latencies, (size = 2 * size + 1000) *
                                                  sizeof *latencies);
            if (more == NULL)
                break;
            latencies = more;
        }
        latencies[n++] = done - start;
        bytes += count;
    }
    if (file != NULL)
        (void)fclose(file);
    row->values[C_OK] = (double)n;
    row->values[C_BYTES] = bytes;
    if (n > 0) {
        static const double parts[] = {.5, .9, .99, .999};
        qsort(latencies, n, sizeof *latencies, by_size);
        for (int i = 0; i < 4; i++)
            row->values[C_P50 + i] = percentile(latencies, n, parts[i]);
        row->values[C_MAX] = latencies[n - 1];
    }
    free(latencies);
}

/* What peers tell: nothing, so that all is well is judged by the status; but
 * load generators say how many requests they made. */
static void read_output(const char *name, const char *text, struct row *row)
{
    double count;
    row->values[C_OK] =
        row->values[C_STATUS] == 0 ? row->values[C_REQUESTS] : 0;
    const char *at = strstr(text, "requests in");
    if (strcmp(name, "wrk") == 0 && at != NULL) {
        while (at > text && at[-1] != '\n')
            at--;
        if (sscanf(at, " %lf requests in", &count) == 1)
            row->values[C_OK] = row->values[C_REQUESTS] = count;
    }
    at = strstr(text, "status codes: ");
    if (strcmp(name, "h2load") == 0 && at != NULL &&
        sscanf(at, "status codes: %lf 2xx", &count) == 1)
        row->values[C_OK] = count;
}

static void fill_in(const struct task *task, const struct measure *measured,
                    struct row *row)
{
    double *v = row->values;
    v[C_STATUS] = measured->status;
    v[C_REQUESTS] = task->requests;
    v[C_WALL] = measured->wall;
    v[C_IDEAL] =
        task->workload->delay_ms > 0
            ? workload_ideal(task->workload, task->requests, task->jobs)
            : -1;
    v[C_USER] = measured->user;
    v[C_SYSTEM] = measured->system;
    v[C_PSS] = (double)measured->peak_pss;
    v[C_THREADS] = measured->threads;
    v[C_PROCESSES] = measured->processes;
    v[C_FDS] = measured->descriptors;
    v[C_VOLUNTARY] = (double)measured->voluntary;
    v[C_INVOLUNTARY] = (double)measured->involuntary;
}

/* Runs one program once. 0; or a negative errno if it could not be run. */
static int run_once(const struct bench *bench, const struct contestant *c,
                    const struct task *task, struct row *row)
{
    static struct command command;
    struct measure measured;
    (void)unlink(task->report);
    contestant_command(c, task, &command);
    struct measure_setting setting = {
        .input = command.reads_input ? task->list : NULL,
        .rate = task->workload->destination == TO_READER ? SLOW_READER : 0,
        .kill_ms = task->workload->kills ? 50 : 0,
        .limit = LIMIT_SECONDS,
        .first_core = bench->cores.client_first,
        .core_count = bench->cores.client_count,
        .errors = "/dev/null"};
    int error = measure_run(command.argv, &setting, &measured);
    if (error != 0)
        return error;
    *row = (struct row){.jobs = task->jobs};
    for (int i = 0; i < COLUMNS; i++)
        row->values[i] = -1;
    snprintf(row->workload, sizeof row->workload, "%s", task->workload->name);
    snprintf(row->program, sizeof row->program, "%s", c->name);
    fill_in(task, &measured, row);
    if (c->kind == OURS)
        read_report(task->report, row);
    else
        read_output(c->name, measured.text, row);
    if (c->kind != OURS)
        row->values[C_BYTES] =
            row->values[C_OK] * (double)task->workload->size;
    if (task->workload->uploads)
        row->values[C_BYTES] =
            row->values[C_OK] * (double)task->workload->size;
    row->values[C_RATE] = row->values[C_OK] / measured.wall;
    row->values[C_MBPS] = row->values[C_BYTES] / 1e6 / measured.wall;
    return 0;
}

/* Counts system calls a request with strace, in a run of its own: that slows
 * it down many times. -1 where strace is not to be had. */
static double count_calls(const struct bench *bench,
                          const struct contestant *c, const struct task *task)
{
    static struct command command;
    char path[PATH_MAX];
    char *argv[ARGUMENTS_MOST + 8] = {(char *)"/usr/bin/strace",
                                      (char *)"-f",
                                      (char *)"-qq",
                                      (char *)"-c",
                                      (char *)"-o",
                                      path,
                                      NULL};
    struct measure measured;
    char line[200];
    double total = -1;
    if (access(argv[0], X_OK) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/calls", bench->scratch);
    contestant_command(c, task, &command);
    for (size_t i = 0; i <= command.count; i++)
        argv[6 + i] = command.argv[i];
    struct measure_setting setting = {.limit = LIMIT_SECONDS,
                                      .errors = "/dev/null"};
    if (measure_run(argv, &setting, &measured) != 0 || measured.status != 0)
        return -1;
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        double count;
        if (strstr(line, " total") != NULL &&
            sscanf(line, "%*s %*s %*s %lf", &count) == 1)
            total = count;
    }
    if (file != NULL)
        (void)fclose(file);
    return total >= 0 ? total / task->requests : -1;
}

/* --- One workload ------------------------------------------------------- */

static bool takes_part(const struct bench *bench, const struct contestant *c,
                       const struct workload *workload)
{
    if (c->path[0] == '\0' || !contestant_can(c, workload))
        return false;
    return bench->only == NULL || c->kind == FLOOR ||
           strcmp(bench->only, c->name) == 0;
}

static int write_curl_list(const struct task *task)
{
    char url[400];
    unsigned number = 0;
    FILE *in = fopen(task->list, "re");
    FILE *out = in != NULL ? fopen(task->curl_list, "we") : NULL;
    while (out != NULL && fgets(url, sizeof url, in) != NULL) {
        fprintf(out, "url=%s", url);
        if (task->workload->destination == TO_FILES)
            fprintf(out, "output=\"%s/%u\"\n", task->directory, number++);
        else
            fputs("output=/dev/null\n", out);
    }
    if (in != NULL)
        (void)fclose(in);
    return out != NULL && fclose(out) == 0 ? 0 : -EIO;
}

static void keep(struct bench *bench, const struct row *row)
{
    if (results_add(&bench->results, row) != 0)
        return;
    results_write_row(bench->file, row);
    (void)fflush(bench->file);
}

static bool is_bad(const struct task *task, const struct row *row)
{
    return !task->workload->kills &&
           (row->values[C_STATUS] != 0 ||
            row->values[C_OK] < row->values[C_REQUESTS]);
}

/* All programs once. Round 0 is not kept. */
static void run_round(struct bench *bench, struct task *task, unsigned round)
{
    for (size_t i = 0; i < contestant_count && !interrupted; i++) {
        const struct contestant *c = &contestants[i];
        struct row row;
        if (!takes_part(bench, c, task->workload))
            continue;
        progress_show(task->workload->name, task->jobs, c->name, round,
                      bench->rounds);
        clear_directory(task->directory);
        int error = run_once(bench, c, task, &row);
        row.round = round;
        if (interrupted)
            break;
        if (error != 0)
            progress_tell("%s: %s", c->path, strerror(-error));
        else if (round > 0 && is_bad(task, &row))
            progress_tell("%s at %s: status %.0f, %.0f of %.0f requests ok",
                          c->name, task->workload->name, row.values[C_STATUS],
                          row.values[C_OK], row.values[C_REQUESTS]);
        if (error == 0 && round == bench->rounds && bench->counts_calls &&
            c->kind == OURS && strcmp(task->workload->name, "small") == 0)
            row.values[C_CALLS] = count_calls(bench, c, task);
        if (error == 0 && round > 0)
            keep(bench, &row);
    }
}

/* One run of each model with its trace, for the waterfall; smaller, or nothing
 * could be seen. */
static void record_traces(struct bench *bench, struct task *task)
{
    struct task small = *task;
    char path[PATH_MAX];
    small.jobs = 8;
    for (size_t i = 0; i < contestant_count && !interrupted; i++) {
        const struct contestant *c = &contestants[i];
        struct row row;
        if (c->kind != OURS || !takes_part(bench, c, task->workload))
            continue;
        snprintf(path, sizeof path, "%s/trace-%s.json", bench->out, c->name);
        small.trace = path;
        (void)run_once(bench, c, &small, &row);
    }
}

static int measure_jobs(struct bench *bench, const struct workload *workload,
                        const struct server *server, unsigned jobs)
{
    static char paths[5][PATH_MAX];
    static const char *const names[] = {"list", "saved", "report", "upload",
                                        "curl"};
    for (int i = 0; i < 5; i++)
        snprintf(paths[i], PATH_MAX, "%s/%s", bench->scratch, names[i]);
    struct task task = {.workload = workload,
                        .jobs = jobs,
                        .requests =
                            workload_requests(workload, jobs, bench->quick),
                        .list = paths[0],
                        .directory = paths[1],
                        .report = paths[2],
                        .upload = paths[3],
                        .curl_list = paths[4]};
    /* The warm-up need not be long. */
    unsigned requests = task.requests;
    task.requests = requests < 4 * jobs ? requests / 4 + 1 : jobs;
    for (unsigned round = 0; round <= bench->rounds && !interrupted; round++) {
        int error = 0;
        if (round <= 1) {
            if (round == 1)
                task.requests = requests;
            error = workload_write_list(workload, task.requests, server->base,
                                        bench->scratch, task.list);
            if (error == 0)
                error = write_curl_list(&task);
        }
        if (error == 0 && workload->uploads && round == 0)
            error = workload_write_upload(workload, paths[3]);
        if (error != 0)
            return error;
        run_round(bench, &task, round);
    }
    if (strcmp(workload->name, "tail") == 0) {
        task.requests = 150;
        if (workload_write_list(workload, 150, server->base, bench->scratch,
                                task.list) == 0)
            record_traces(bench, &task);
    }
    return 0;
}

static int measure_workload(struct bench *bench,
                            const struct workload *workload)
{
    struct server server;
    struct measure_setting setting = {.first_core = bench->cores.server_first,
                                      .core_count = bench->cores.server_count};
    char origin[PATH_MAX + 20];
    snprintf(origin, sizeof origin, "%s/triptych-origin", bench->tools);
    int error =
        server_start(&server, workload, origin, bench->scratch, &setting);
    if (error != 0)
        return error;
    for (int i = 0; workload->jobs[i] != 0 && error == 0 && !interrupted; i++)
        error = measure_jobs(bench, workload, &server, workload->jobs[i]);
    server_stop(&server);
    progress_clear();
    if (!interrupted)
        table_print(stdout, &bench->results, workload);
    return error;
}

/* --- The whole ---------------------------------------------------------- */

/* Where we are is where the others are, in a build and when installed. */
static void find_places(struct bench *bench)
{
    char self[PATH_MAX] = "";
    struct stat status;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    snprintf(bench->tools, sizeof bench->tools, "%s", dirname(self));
    snprintf(bench->ours, sizeof bench->ours, "%s", bench->tools);
    char candidate[PATH_MAX];
    snprintf(candidate, sizeof candidate, "%.4000s/fetch-threads",
             bench->tools);
    if (stat(candidate, &status) == -1) /* build/release/tests */
        snprintf(bench->ours, sizeof bench->ours, "%s", dirname(self));
    snprintf(bench->scripts, sizeof bench->scripts, "%s", TRIPTYCH_PEERS);
    snprintf(candidate, sizeof candidate, "%.4000s/../share/triptych/peers",
             bench->tools);
    if (stat(candidate, &status) == 0)
        snprintf(bench->scripts, sizeof bench->scripts, "%s", candidate);
}

static int print_peers(void)
{
    for (size_t i = 0; i < contestant_count; i++) {
        const struct contestant *c = &contestants[i];
        printf("%-20s %s\n", c->name,
               c->path[0] != '\0' ? c->path : "missing");
    }
    return fflush(stdout) == 0 ? 0 : 3;
}

static int print_workloads(void)
{
    for (size_t i = 0; i < workload_count; i++)
        printf("%-10s %s\n\n", workloads[i].name, workloads[i].shows);
    return fflush(stdout) == 0 ? 0 : 3;
}

static int write_report(const char *directory, const struct results *results)
{
    progress_show("report.html", 0, "", 0, 0);
    int error = page_write(directory, results);
    progress_clear();
    if (error != 0)
        fprintf(stderr, "triptych-bench: %s/report.html: %s\n", directory,
                strerror(-error));
    else
        printf("Every run: %s/results.tsv; to be read: %s/report.html\n",
               directory, directory);
    return error == 0 ? 0 : 3;
}

static int measure_all(struct bench *bench, char **names, int count)
{
    static char machine[4000];
    int own = machine_prepare();
    int error = 0;
    bench->cores = machine_cores();
    machine_describe(machine, sizeof machine, own, &bench->cores);
    snprintf(bench->results.machine, sizeof bench->results.machine, "%s",
             machine);
    results_write_head(bench->file, machine);
    fputs(machine, stdout);
    for (size_t i = 0; i < contestant_count; i++) {
        if (contestants[i].path[0] == '\0')
            printf("# missing: %s\n", contestants[i].name);
    }
    for (size_t i = 0; i < workload_count && !interrupted; i++) {
        bool wanted = count == 0;
        for (int j = 0; j < count; j++)
            wanted = wanted || strcmp(names[j], workloads[i].name) == 0;
        if (wanted)
            error = measure_workload(bench, &workloads[i]);
        if (error != 0) {
            fprintf(stderr, "triptych-bench: %s: %s\n", workloads[i].name,
                    strerror(-error));
            return 3;
        }
    }
    return 0;
}

static int usage(FILE *out, int status)
{
    fputs(
        "Usage: triptych-bench [OPTION]... [WORKLOAD]...\n"
        "       triptych-bench report DIR\n"
        "       triptych-bench compare OLD.tsv NEW.tsv\n"
        "Measure the three fetchers side by side: a table for each workload, "
        "and in the\ndirectory of --output each run in results.tsv and all of "
        "it in report.html.\n\n"
        "  -q, --quick        fewer requests, 3 rounds: two minutes\n"
        "  -r, --rounds N     rounds that count (5)\n"
        "  -o, --output DIR   where the results go (bench-results)\n"
        "      --only NAME    this program alone, and the floor\n"
        "      --no-calls     do not count system calls (strace)\n"
        "  -l, --list         print the workloads and what they show\n"
        "      --peers        print which programs are found, and which not\n"
        "  -h, --help         print this help\n"
        "  -V, --version      print the version\n",
        out);
    return status;
}

static int compare(const char *old_path, const char *new_path)
{
    struct results old;
    struct results new;
    int error = results_read(&old, old_path);
    if (error != 0) {
        fprintf(stderr, "triptych-bench: %s: %s\n", old_path,
                strerror(-error));
        return 3;
    }
    error = results_read(&new, new_path);
    if (error != 0) {
        fprintf(stderr, "triptych-bench: %s: %s\n", new_path,
                strerror(-error));
        results_free(&old);
        return 3;
    }
    table_compare(stdout, &old, &new);
    results_free(&old);
    results_free(&new);
    return fflush(stdout) == 0 ? 0 : 3;
}

static int report_again(const char *directory)
{
    struct results results;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/results.tsv", directory);
    int error = results_read(&results, path);
    if (error != 0) {
        fprintf(stderr, "triptych-bench: %s: %s\n", path, strerror(-error));
        return 3;
    }
    int status = write_report(directory, &results);
    results_free(&results);
    return status;
}

static int bench_run(struct bench *bench, char **names, int count)
{
    char path[PATH_MAX];
    struct sigaction action = {.sa_handler = on_signal};
    snprintf(bench->scratch, sizeof bench->scratch, "%s/triptych-bench-XXXXXX",
             P_tmpdir);
    snprintf(path, sizeof path, "%s/results.tsv", bench->out);
    if ((mkdir(bench->out, 0777) == -1 && errno != EEXIST) ||
        (bench->file = fopen(path, "we")) == NULL ||
        mkdtemp(bench->scratch) == NULL) {
        fprintf(stderr, "triptych-bench: %s: %s\n", path, strerror(errno));
        return 3;
    }
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    int status = measure_all(bench, names, count);
    if (fclose(bench->file) != 0)
        status = 3;
    clear_directory(bench->scratch);
    (void)rmdir(bench->scratch);
    if (bench->results.count > 0 && write_report(bench->out, &bench->results))
        status = 3;
    results_free(&bench->results);
    if (fflush(stdout) != 0)
        status = 3;
    return interrupted ? 128 + interrupted : status;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"quick", no_argument, NULL, 'q'},
        {"rounds", required_argument, NULL, 'r'},
        {"output", required_argument, NULL, 'o'},
        {"only", required_argument, NULL, 'O'},
        {"no-calls", no_argument, NULL, 'C'},
        {"list", no_argument, NULL, 'l'},
        {"peers", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0}};
    static struct bench bench = {.out = "bench-results", .counts_calls = true};
    int code;
    if (argc == 4 && strcmp(argv[1], "compare") == 0)
        return compare(argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "report") == 0)
        return report_again(argv[2]);
    find_places(&bench);
    contestants_find(bench.ours, bench.tools, bench.scripts);
    while ((code = getopt_long(argc, argv, "qr:o:lhV", longs, NULL)) != -1) {
        switch (code) {
        case 'q':
            bench.quick = true;
            break;
        case 'r':
            bench.rounds = (unsigned)strtoul(optarg, NULL, 10);
            if (bench.rounds == 0 || bench.rounds > 1000)
                return usage(stderr, 2);
            break;
        case 'o':
            bench.out = optarg;
            break;
        case 'O':
            bench.only = optarg;
            break;
        case 'C':
            bench.counts_calls = false;
            break;
        case 'l':
            return print_workloads();
        case 'p':
            return print_peers();
        case 'h':
            return usage(stdout, 0);
        case 'V':
            printf("triptych-bench %s\n", TRIPTYCH_VERSION);
            return fflush(stdout) == 0 ? 0 : 3;
        default:
            return usage(stderr, 2);
        }
    }
    if (bench.rounds == 0)
        bench.rounds = bench.quick ? 3 : 5;
    for (int i = optind; i < argc; i++) {
        if (workload_find(argv[i]) == NULL) {
            fprintf(stderr, "triptych-bench: there is no workload '%s'\n",
                    argv[i]);
            return usage(stderr, 2);
        }
    }
    return bench_run(&bench, argv + optind, argc - optind);
}
