/*
 * triptych-race: the models side by side, while they run.
 *
 *     triptych-race [OPTION]... [WORKLOAD]
 *
 * Here are its options; the race is race_show. See triptych-race(1).
 */
#include "race_show.h"
#include "race_view.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUESTS_MOST 100000
#define JOBS_MOST     10000
#define SIZE_MOST     1000
#define HOLD_MOST     3600

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    stop = number;
}

/* A call that waits is interrupted, and not begun again. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static int usage(FILE *out, int status)
{
    fputs(
        "Usage: triptych-race [OPTION]... [WORKLOAD]\n"
        "Race the four fetchers on one screen: a lane for each, a tile for "
        "each\nrequest, and the table at the end. The workload is 'tail' "
        "unless you say so.\n\n"
        "  -t, --turns         one after the other, not all at once\n"
        "  -n, --requests N    requests each (what the workload says)\n"
        "  -j, --jobs N        in flight at once (what the workload says)\n"
        "  -p, --plain         lines, no screen; so it is without a terminal\n"
        "  -r, --record FILE   record it, for asciinema and its player\n"
        "  -s, --size WxH      the record's size without a terminal (80x24)\n"
        "  -k, --hold SECONDS  how long the end stands, or until a key (5)\n"
        "  -l, --list          print the workloads and what they show\n"
        "  -h, --help          print this help\n"
        "  -V, --version       print the version\n\n"
        "Ctrl-C ends it at any time. With NO_COLOR set it has no colours.\n",
        out);
    return status;
}

static int refuse(const char *what, const char *name)
{
    fprintf(stderr, "triptych-race: %s '%s'\n", what, name);
    return usage(stderr, 2);
}

static int print_workloads(void)
{
    for (size_t i = 0; i < race_work_count; i++) {
        const struct workload *workload = &race_works[i].workload;
        printf("%s\n  %s\n  %u requests, %u in flight\n", workload->name,
               workload->shows, workload->requests, workload->jobs[0]);
    }
    return fflush(stdout) == 0 ? 0 : 3;
}

static bool read_number(const char *text, unsigned most, unsigned *value)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    *value = (unsigned)number;
    return *text >= '0' && *text <= '9' && *end == '\0' && number > 0 &&
           number <= most;
}

static bool read_size(const char *text, struct race_setting *setting)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    unsigned long width = strtoul(text, &end, 10);
    if (*end != 'x' || end[1] < '0' || end[1] > '9')
        return false;
    unsigned long height = strtoul(end + 1, &end, 10);
    if (*end != '\0' || width < VIEW_WIDTH || width > SIZE_MOST ||
        height < VIEW_HEIGHT || height > SIZE_MOST)
        return false;
    setting->width = (int)width;
    setting->height = (int)height;
    return true;
}

static bool read_hold(const char *text, double *hold)
{
    char *end;
    *hold = strtod(text, &end);
    return *text >= '0' && *text <= '9' && *end == '\0' && *hold <= HOLD_MOST;
}

/* Takes one option. -1: go on; else the exit status. */
static int read_option(int code, struct race_setting *setting)
{
    switch (code) {
    case 't':
        setting->turns = true;
        return -1;
    case 'n':
        return read_number(optarg, REQUESTS_MOST, &setting->requests)
                   ? -1
                   : refuse("not a number of requests:", optarg);
    case 'j':
        return read_number(optarg, JOBS_MOST, &setting->jobs)
                   ? -1
                   : refuse("not a number in flight:", optarg);
    case 'p':
        setting->plain = true;
        return -1;
    case 'r':
        setting->record = optarg;
        return -1;
    case 's':
        return read_size(optarg, setting)
                   ? -1
                   : refuse("not a size from 76x16 on:", optarg);
    case 'k':
        return read_hold(optarg, &setting->hold)
                   ? -1
                   : refuse("not a number of seconds:", optarg);
    case 'l':
        return print_workloads();
    case 'h':
        return usage(stdout, 0);
    case 'V':
        printf("triptych-race %s\n", TRIPTYCH_VERSION);
        return fflush(stdout) == 0 ? 0 : 3;
    default:
        return usage(stderr, 2);
    }
}

static int read_options(int argc, char **argv, struct race_setting *setting)
{
    static const struct option longs[] = {
        {"turns", no_argument, NULL, 't'},
        {"requests", required_argument, NULL, 'n'},
        {"jobs", required_argument, NULL, 'j'},
        {"plain", no_argument, NULL, 'p'},
        {"record", required_argument, NULL, 'r'},
        {"size", required_argument, NULL, 's'},
        {"hold", required_argument, NULL, 'k'},
        {"list", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0}};
    int status = -1;
    int code;
    while (status == -1 && (code = getopt_long(argc, argv, "tn:j:pr:s:k:lhV",
                                               longs, NULL)) != -1)
        status = read_option(code, setting);
    return status;
}

int main(int argc, char **argv)
{
    struct race_setting setting = {.work = &race_works[0],
                                   .width = 80,
                                   .height = 24,
                                   .hold = 5,
                                   .stop = &stop};
    int status = read_options(argc, argv, &setting);
    if (status != -1)
        return status;
    if (optind < argc)
        setting.work = race_work_find(argv[optind]);
    if (setting.work == NULL)
        return refuse("there is no workload", argv[optind]);
    if (optind + 1 < argc)
        return refuse("one workload only, not also", argv[optind + 1]);
    if (setting.requests == 0)
        setting.requests = setting.work->workload.requests;
    if (setting.jobs == 0)
        setting.jobs = setting.work->workload.jobs[0];
    catch_signals();
    return race_show(&setting);
}
