/* trial: one program does one task once. See trial.h. */
#include "trial.h"

#include "digest.h"
#include "measure.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What workloads with TO_READER read in a second. */
#define SLOW_READER 40e6

/* A run that takes longer, and this much for each request, is killed, and is a
 * failure. */
#define LIMIT_SECONDS 120
#define LIMIT_EACH    1e-3

#define KILL_MS       50

/* --- What was done ------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* By the nearest rank: the smallest value that so many of a thousand do not
 * exceed. In whole numbers, for .99 * 100 is a little more than 99. */
static double percentile(const double *sorted, size_t n, size_t of_1000)
{
    size_t rank = (n * of_1000 + 999) / 1000;
    return sorted[rank - 1];
}

static void take_latencies(double *latencies, size_t n, struct row *row)
{
    static const size_t parts[] = {500, 900, 990, 999};
    double total = 0;
    if (n == 0)
        return;
    qsort(latencies, n, sizeof *latencies, by_size);
    for (size_t i = 0; i < n; i++)
        total += latencies[i];
    row->values[C_MEAN] = total / (double)n;
    for (int i = 0; i < 4; i++)
        row->values[C_P50 + i] = percentile(latencies, n, parts[i]);
    row->values[C_MAX] = latencies[n - 1];
}

/* Reads a line of our reports; false if its request is not `ok`. */
static bool read_line(const char *line, double *bytes, double *latency)
{
    char result[30];
    double start;
    double done;
    if (sscanf(line,
               "%*s\t%*s\t%29s\t%*s\t%lf\t%*s\t%*s\t%*s\t%*s\t%lf\t%*s\t"
               "%*s\t%lf",
               result, bytes, &start, &done) != 4 ||
        strcmp(result, "ok") != 0)
        return false;
    *latency = done - start;
    return true;
}

/* Takes latencies and counts from one of our reports. */
static void read_report(const char *path, struct row *row)
{
    char line[16384];
    double *latencies = NULL;
    size_t n = 0;
    size_t size = 0;
    double total = 0;
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        double bytes;
        double latency;
        if (!read_line(line, &bytes, &latency))
            continue;
        if (n == size) {
            size = 2 * size + 1000;
            double *more = realloc(latencies, size * sizeof *latencies);
            if (more == NULL)
                break;
            latencies = more;
        }
        latencies[n++] = latency;
        total += bytes;
    }
    if (file != NULL)
        (void)fclose(file);
    row->values[C_OK] = (double)n;
    row->values[C_BYTES] = total;
    take_latencies(latencies, n, row);
    free(latencies);
}

/* Takes what others say of themselves. Most say nothing: for them the status
 * speaks, and the server's count. */
static void read_output(const char *name, const char *text, struct row *row)
{
    double *v = row->values;
    double count;
    double bytes;
    const char *at = strstr(text, " requests in");
    v[C_OK] = v[C_STATUS] == 0 ? v[C_REQUESTS] : 0;
    if (strcmp(name, "wrk") == 0) {
        /* It runs for a time, not for a number of requests. */
        v[C_WALL] = -1;
        while (at != NULL && at > text && at[-1] != '\n')
            at--;
        v[C_OK] = v[C_REQUESTS] = 0;
        if (at != NULL && sscanf(at, " %lf requests in", &count) == 1)
            v[C_OK] = v[C_REQUESTS] = count;
        at = strstr(text, "Non-2xx or 3xx responses: ");
        if (at != NULL && sscanf(at, "%*[^:]: %lf", &count) == 1)
            v[C_OK] -= count;
    } else if (strcmp(name, "h2load") == 0) {
        at = strstr(text, "status codes: ");
        v[C_OK] = 0;
        if (at != NULL && sscanf(at, "status codes: %lf 2xx", &count) == 1)
            v[C_OK] = count;
    } else if (sscanf(text, "%lf requests, %lf bytes", &count, &bytes) == 2) {
        v[C_OK] = count;
        v[C_BYTES] = bytes;
    }
}

/* How many files of the right size there are, and none of them half done. */
static double count_saved(const char *directory, unsigned long long size)
{
    double count = 0;
    struct dirent *entry;
    struct stat status;
    DIR *open_one = opendir(directory);
    if (open_one == NULL)
        return 0;
    while ((entry = readdir(open_one)) != NULL) {
        if (entry->d_name[0] != '.' &&
            fstatat(dirfd(open_one), entry->d_name, &status, 0) == 0 &&
            (unsigned long long)status.st_size == size)
            count++;
    }
    (void)closedir(open_one);
    return count;
}

static void fill_in(const struct task *task, const struct measure *measured,
                    struct row *row)
{
    double *v = row->values;
    for (int i = 0; i < COLUMNS; i++)
        v[i] = -1;
    v[C_STATUS] = measured->status;
    v[C_REQUESTS] = task->requests;
    v[C_WALL] = measured->wall;
    if (task->workload->delay_ms > 0)
        v[C_IDEAL] =
            workload_ideal(task->workload, task->requests, task->jobs);
    v[C_USER] = measured->user;
    v[C_SYSTEM] = measured->system;
    /* As it will be read from its row: in whole microseconds. */
    v[C_CPU] = round((measured->user + measured->system) * 1e6) / 1e6;
    v[C_PSS] = (double)measured->peak_pss;
    v[C_THREADS] = measured->threads;
    v[C_PROCESSES] = measured->processes;
    v[C_FDS] = measured->descriptors;
    v[C_VOLUNTARY] = (double)measured->voluntary;
    v[C_INVOLUNTARY] = (double)measured->involuntary;
}

/* What was done, from whoever knows it best. */
static void judge(const struct contestant *c, const struct task *task,
                  const struct measure *measured, const char *errors,
                  double served, struct row *row)
{
    double *v = row->values;
    const struct workload *workload = task->workload;
    if (c->kind == OURS)
        read_report(task->report, row);
    else
        read_output(contestant_like(c), measured->text, row);
    if (workload->destination == TO_FILES)
        v[C_OK] = count_saved(task->directory, workload->size);
    if (workload->digests) {
        double digests = digest_count(errors, workload, task->requests);
        v[C_OK] = digests < v[C_OK] ? digests : v[C_OK];
    }
    v[C_SERVED] = served;
    if (served >= 0 && served < v[C_OK])
        v[C_OK] = served;
    if (v[C_BYTES] < 0 || workload->uploads ||
        workload->destination == TO_FILES)
        v[C_BYTES] = v[C_OK] * (double)workload->size;
    v[C_RATE] = v[C_OK] / measured->wall;
    v[C_MBPS] = v[C_BYTES] / 1e6 / measured->wall;
}

/* --- One run ------------------------------------------------------------ */

int trial_run(const struct contestant *c, const struct task *task,
              const struct surroundings *around, struct row *row)
{
    static struct command command;
    char errors[PATH_MAX] = "/dev/null";
    struct measure measured;
    const struct workload *workload = task->workload;
    if (workload->digests)
        snprintf(errors, sizeof errors, "%s/digests", around->scratch);
    (void)unlink(task->report);
    contestant_command(c, task, &command);
    struct measure_setting setting = {
        .input = command.reads_input ? task->list : NULL,
        .rate = workload->destination == TO_READER ? SLOW_READER : 0,
        .kill_ms = workload->kills ? KILL_MS : 0,
        .has_workers = c->has_workers,
        .limit = LIMIT_SECONDS + task->requests * LIMIT_EACH,
        .first_core = around->cores.client_first,
        .core_count = around->cores.client_count,
        .errors = errors,
        .own_group = true,
        .unseen = workload->holds,
        .stop = around->stop};
    double before = server_count(around->server);
    int error = measure_run(command.argv, &setting, &measured);
    if (error != 0)
        return error;
    /* The question itself is counted, too. */
    double served =
        before >= 0 ? server_count(around->server) - before - 1 : -1;
    *row = (struct row){.jobs = task->jobs};
    snprintf(row->workload, sizeof row->workload, "%s", workload->name);
    snprintf(row->program, sizeof row->program, "%s", c->name);
    fill_in(task, &measured, row);
    judge(c, task, &measured, errors, served, row);
    return 0;
}

static const char strace[] = "/usr/bin/strace";

bool trial_has_strace(void)
{
    return access(strace, X_OK) == 0;
}

static double read_total(const char *path)
{
    char line[200];
    double total = -1;
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        double count;
        if (strstr(line, " total") != NULL &&
            sscanf(line, "%*s %*s %*s %lf", &count) == 1)
            total = count;
    }
    if (file != NULL)
        (void)fclose(file);
    return total;
}

double trial_calls(const struct contestant *c, const struct task *task,
                   const struct surroundings *around)
{
    static struct command command;
    static char path[PATH_MAX];
    char *argv[ARGUMENTS_MOST + 8] = {
        (char *)strace, (char *)"-f", (char *)"-qq", (char *)"-c",
        (char *)"-o",   path,         NULL};
    struct measure measured;
    if (!trial_has_strace())
        return -1;
    snprintf(path, sizeof path, "%s/calls", around->scratch);
    contestant_command(c, task, &command);
    for (size_t i = 0; i <= command.count; i++)
        argv[6 + i] = command.argv[i];
    struct measure_setting setting = {.limit = LIMIT_SECONDS,
                                      .errors = "/dev/null",
                                      .own_group = true,
                                      .stop = around->stop};
    if (measure_run(argv, &setting, &measured) != 0 || measured.status != 0)
        return -1;
    double total = read_total(path);
    return total >= 0 ? total / task->requests : -1;
}
