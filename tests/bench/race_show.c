/* race_show: from the server's start to the table. See race_show.h. */
#include "race_show.h"

#include "beside.h"
#include "practice.h"
#include "race_lane.h"
#include "race_record.h"
#include "race_screen.h"
#include "race_table.h"
#include "race_view.h"
#include "scratch.h"
#include "versus.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Fifteen frames a second; a line each second. */
#define FRAME_MS 66
#define LINE_MS  1000

struct race {
    const struct race_setting *setting;
    struct race_task task;
    struct race_lane lanes[MODELS];
    struct view view;
    struct screen screen;
    struct record record;
    bool draws; /* frames, on the terminal or for the record alone */
    bool on_terminal;
    int64_t begun_ms;
    int64_t frame_ms; /* when the next one is due */
    int64_t line_ms;

    pid_t origin; /* 0: none */
    char scratch[PATH_MAX];
    char fetchers[PATH_MAX];
    char list[PATH_MAX + 8];
};

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- Showing ------------------------------------------------------------ */

static void draw_frame(struct race *race)
{
    if (!race->draws || !screen_begin(&race->screen))
        return;
    view_draw(&race->screen, &race->view);
    screen_show(&race->screen);
}

static void print_line(const struct race *race)
{
    if (race->on_terminal)
        return;
    printf("%5.1f s ", (double)(now_ms() - race->begun_ms) / 1000);
    for (int i = 0; i < MODELS; i++) {
        const struct race_lane *lane = &race->lanes[i];
        const unsigned *counts = lane->tail.counts;
        printf("  %s %u/%u", lane->model, counts[DONE], lane->tail.requests);
        if (counts[FAILED] > 0)
            printf(" (%u failed)", counts[FAILED]);
    }
    (void)putchar('\n');
    (void)fflush(stdout);
}

static void print_end(const struct race *race, const struct race_lane *lane)
{
    if (race->on_terminal)
        return;
    printf("%s: %u of %u done, in %.2f s\n", lane->model,
           lane->tail.counts[DONE], lane->tail.requests, lane->measure.wall);
    (void)fflush(stdout);
}

/* Shows what is due. Returns how many milliseconds there are until something
 * is again. */
static int show_due(struct race *race)
{
    int64_t now = now_ms();
    if (now >= race->frame_ms) {
        draw_frame(race);
        race->frame_ms = now_ms() + FRAME_MS;
    }
    if (now >= race->line_ms) {
        print_line(race);
        race->line_ms = now + LINE_MS;
    }
    int64_t left = race->frame_ms - now_ms();
    return left > 0 ? (int)left : 0;
}

/* --- Running ------------------------------------------------------------ */

static bool some_run(const struct race *race)
{
    for (int i = 0; i < MODELS; i++) {
        if (race->lanes[i].phase == LANE_RUNNING)
            return true;
    }
    return false;
}

/* Waits for output, or for the next frame, and reads what there is. 0 or a
 * negative errno. */
static int wait_a_moment(struct race *race)
{
    struct pollfd fds[MODELS];
    int ms = show_due(race);
    int error = 0;
    for (int i = 0; i < MODELS; i++) {
        struct race_lane *lane = &race->lanes[i];
        fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
        if (lane->phase != LANE_RUNNING)
            continue;
        int due = lane_due(lane);
        ms = due < ms ? due : ms;
        if (watch_reads(&lane->watch))
            fds[i].fd = lane->watch.fd;
    }
    if (poll(fds, MODELS, ms) <= 0)
        return 0;
    for (int i = 0; i < MODELS && error == 0; i++) {
        if (fds[i].revents == 0)
            continue;
        error = lane_read(&race->lanes[i]);
        if (error == 0 && race->lanes[i].phase == LANE_ENDED)
            print_end(race, &race->lanes[i]);
    }
    return error;
}

/* Starts all, or one after the other, and returns when all have ended,
 * or were told to. 0 or a negative errno. */
static int run_all(struct race *race)
{
    const struct race_setting *setting = race->setting;
    int error = 0;
    race->begun_ms = now_ms();
    race->line_ms = race->begun_ms + LINE_MS;
    for (int i = 0; i < MODELS && error == 0; i++) {
        if (*setting->stop)
            return 0;
        error = lane_start(&race->lanes[i], &race->task);
        while (error == 0 && setting->turns && some_run(race) &&
               !*setting->stop)
            error = wait_a_moment(race);
    }
    while (error == 0 && some_run(race) && !*setting->stop)
        error = wait_a_moment(race);
    return error;
}

/* The last frame stands until a key is pressed, or its time is over. */
static void hold_last_frame(struct race *race)
{
    bool has_keys = race->on_terminal && isatty(STDIN_FILENO) == 1;
    int64_t end = now_ms() + (int64_t)(race->setting->hold * 1000);
    int64_t left = 0;
    race->view.is_over = true;
    race->view.waits = has_keys;
    if (race->draws)
        screen_settle(&race->screen);
    do {
        struct pollfd key = {.fd = has_keys ? STDIN_FILENO : -1,
                             .events = POLLIN};
        draw_frame(race);
        left = end - now_ms();
        if (left > FRAME_MS)
            left = FRAME_MS;
        if (left > 0 && poll(&key, 1, (int)left) > 0) {
            char c;
            (void)!read(STDIN_FILENO, &c, 1);
            return;
        }
    } while (left > 0 && !*race->setting->stop);
}

/* --- Before and after --------------------------------------------------- */

/* Where a signal is the cause there is nothing to complain about. */
static int complain(const struct race *race, const char *what, int error)
{
    if (*race->setting->stop == 0)
        fprintf(stderr, "triptych-race: %s: %s\n", what, strerror(-error));
    return 3;
}

/* As many connections as are asked for. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The server, the list of URLs, the lanes. 0, or 3 after a message. */
static int prepare(struct race *race)
{
    const struct race_setting *setting = race->setting;
    struct measure_setting server = {.own_group = true};
    char tools[PATH_MAX];
    char origin[PATH_MAX + 20];
    char base[100];
    raise_limit();
    int error =
        scratch_make("triptych-race", race->scratch, sizeof race->scratch);
    if (error != 0)
        return complain(race, "a directory for what is traced", error);
    beside_find(race->fetchers, tools);
    snprintf(origin, sizeof origin, "%s/triptych-origin", tools);
    error = practice_start(origin, NULL, &server, &race->origin, base,
                           sizeof base);
    if (error != 0) {
        race->origin = 0;
        return complain(race, origin, error);
    }
    snprintf(race->list, sizeof race->list, "%s/list", race->scratch);
    race->task = (struct race_task){.work = setting->work,
                                    .requests = setting->requests,
                                    .jobs = setting->jobs,
                                    .fetchers = race->fetchers,
                                    .list = race->list,
                                    .scratch = race->scratch};
    error = workload_write_list(&setting->work->workload, setting->requests,
                                base, race->scratch, race->list);
    for (int i = 0; i < MODELS && error == 0; i++)
        error = lane_open(&race->lanes[i], versus_models[i], &race->task);
    return error == 0 ? 0 : complain(race, race->scratch, error);
}

/* The terminal, or none, and the record, or none. 0, or 3 after a message. */
static int open_screen(struct race *race)
{
    const struct race_setting *setting = race->setting;
    const char *term = getenv("TERM");
    int width = setting->width;
    int height = setting->height;
    char title[100];
    race->on_terminal = !setting->plain && term != NULL && *term != '\0' &&
                        strcmp(term, "dumb") != 0 &&
                        screen_size(&width, &height);
    race->draws = race->on_terminal || setting->record != NULL;
    race->record.fd = -1;
    snprintf(title, sizeof title, "triptych-race: %s",
             setting->work->workload.name);
    int error =
        setting->record != NULL
            ? record_open(&race->record, setting->record, width, height, title)
            : 0;
    if (error != 0)
        return complain(race, setting->record, error);
    if (race->draws)
        error = screen_open(&race->screen, &race->record, race->on_terminal,
                            width, height);
    return error == 0 ? 0 : complain(race, "the terminal", error);
}

static void finish(struct race *race)
{
    for (int i = 0; i < MODELS; i++)
        lane_close(&race->lanes[i]);
    if (race->origin != 0)
        practice_stop(race->origin);
    if (race->scratch[0] != '\0')
        scratch_remove(race->scratch);
}

/* What came of it. */
static int judge(const struct race *race)
{
    for (int i = 0; i < MODELS; i++) {
        if (lane_failed(&race->lanes[i]) &&
            !race->setting->work->workload.kills)
            return 1;
    }
    return 0;
}

static void print_table(struct race *race)
{
    bool colours = screen_palette() != MONO;
    struct race_table table = {.task = &race->task,
                               .lanes = race->lanes,
                               .own_cpu = race_table_own_cpu()};
    race_table_record(&race->record, &table, colours);
    race_table_print(stdout, &table, colours && isatty(STDOUT_FILENO) == 1);
}

/* Runs it, and prints the table. The terminal is ours in between only. */
static int run_and_show(struct race *race)
{
    const struct race_setting *setting = race->setting;
    int status = open_screen(race);
    if (status != 0)
        return status;
    int error = run_all(race);
    if (error == 0 && !*setting->stop)
        hold_last_frame(race);
    screen_close(&race->screen);
    if (error != 0)
        status = complain(race, "a fetcher", error);
    if (status == 0 && !*setting->stop) {
        print_table(race);
        status = fflush(stdout) == 0 ? judge(race) : 3;
    }
    error = record_close(&race->record);
    return error == 0 ? status : complain(race, setting->record, error);
}

int race_show(const struct race_setting *setting)
{
    static struct race race;
    race = (struct race){.setting = setting, .record = {.fd = -1}};
    race.view = (struct view){
        .task = &race.task, .lanes = race.lanes, .turns = setting->turns};
    for (int i = 0; i < MODELS; i++)
        race.lanes[i].tail.fd = -1;
    int status = prepare(&race);
    if (status == 0 && !*setting->stop)
        status = run_and_show(&race);
    finish(&race);
    return *setting->stop ? 128 + *setting->stop : status;
}
