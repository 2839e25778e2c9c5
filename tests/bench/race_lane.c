/* race_lane: one of the four in a race. See race_lane.h. */
#include "race_lane.h"

#include "contestant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* So often it is looked at: more could not be read, and costs. */
#define LOOK_MS 250

static double seconds_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A file of this lane's. */
static void name_file(const struct race_lane *lane,
                      const struct race_task *task, const char *what,
                      char path[PATH_MAX])
{
    int n =
        snprintf(path, PATH_MAX, "%s/%s-%s", task->scratch, what, lane->model);
    if (n >= PATH_MAX)
        path[0] = '\0'; /* which cannot be opened */
}

int lane_open(struct race_lane *lane, const char *model,
              const struct race_task *task)
{
    const struct race_work *work = task->work;
    char trace[PATH_MAX];
    *lane = (struct race_lane){.model = model, .tail.fd = -1};
    name_file(lane, task, "trace", trace);
    name_file(lane, task, "errors", lane->errors);
    lane->setting = (struct measure_setting){
        .rate = work->rate,
        .kill_ms = work->workload.kills ? work->kill_ms : 0,
        .has_workers = strcmp(model, "processes") == 0,
        .look_ms = LOOK_MS,
        .errors = lane->errors,
        .own_group = true};
    return tail_open(&lane->tail, trace, task->requests, task->jobs);
}

int lane_start(struct race_lane *lane, const struct race_task *task)
{
    static struct command command;
    static struct contestant fetcher;
    char report[PATH_MAX];
    char directory[PATH_MAX];
    name_file(lane, task, "report", report);
    name_file(lane, task, "saved", directory);
    fetcher =
        (struct contestant){.name = lane->model, .kind = OURS, .program = ""};
    int n = snprintf(fetcher.path, PATH_MAX, "%s/fetch-%s", task->fetchers,
                     lane->model);
    if (n >= PATH_MAX)
        return -ENAMETOOLONG;
    struct task particulars = {.workload = &task->work->workload,
                               .jobs = task->jobs,
                               .requests = task->requests,
                               .list = task->list,
                               .directory = directory,
                               .report = report,
                               .trace = lane->tail.path};
    contestant_command(&fetcher, &particulars, &command);
    int error = watch_begin(&lane->watch, command.argv, &lane->setting,
                            &lane->measure);
    if (error == 0)
        lane->phase = LANE_RUNNING;
    return error;
}

double lane_seconds(const struct race_lane *lane)
{
    if (lane->phase == LANE_RUNNING)
        return seconds_now() - lane->watch.begun;
    return lane->phase == LANE_ENDED ? lane->measure.wall : 0;
}

/* Threads that have ended are not counted any more until the end of all. */
static void look_at_switches(struct race_lane *lane)
{
    double now = seconds_now();
    if (now < lane->next_switches)
        return;
    unsigned long switches = family_switches(lane->watch.pid);
    if (switches > lane->switches)
        lane->switches = switches;
    double took = seconds_now() - now;
    double pause = LOOK_MS / 1000.0;
    lane->next_switches = now + took + (pause > 20 * took ? pause : 20 * took);
}

int lane_due(struct race_lane *lane)
{
    look_at_switches(lane);
    tail_read(&lane->tail);
    return watch_due(&lane->watch);
}

static int lane_end(struct race_lane *lane)
{
    struct measure *measure = &lane->measure;
    int error = watch_end(&lane->watch);
    lane->phase = LANE_ENDED;
    tail_end(&lane->tail);
    measure->bytes = lane->tail.bytes;
    lane->switches =
        (unsigned long)(measure->voluntary + measure->involuntary);
    return error;
}

int lane_read(struct race_lane *lane)
{
    return watch_read(&lane->watch) ? 0 : lane_end(lane);
}

void lane_kill(struct race_lane *lane)
{
    if (lane->phase == LANE_RUNNING)
        watch_kill(&lane->watch);
}

bool lane_failed(const struct race_lane *lane)
{
    return lane->phase == LANE_ENDED &&
           (lane->measure.status != 0 ||
            lane->tail.counts[DONE] != lane->tail.requests);
}

void lane_complaint(const struct race_lane *lane, char *line, size_t size)
{
    FILE *file = fopen(lane->errors, "re");
    line[0] = '\0';
    if (file == NULL)
        return;
    if (fgets(line, (int)size, file) != NULL)
        line[strcspn(line, "\n")] = '\0';
    (void)fclose(file);
}

void lane_close(struct race_lane *lane)
{
    if (lane->phase == LANE_RUNNING) {
        lane_kill(lane);
        (void)lane_end(lane);
    }
    tail_close(&lane->tail);
}
