/*
 * triptych-drain: what back-pressure does to memory.
 *
 * Sixteen large bodies are fetched into a consumer that reads 20 MB/s, by each
 * of the four fetchers with its watermarks and without (--high-water none),
 * all eight at once. The memory of each is sampled, and so is, apart from that,
 * the stash of one stream of evloop/stream between its marks. Both series go
 * to files for a plot; the peaks, beside the bound that they are to keep, to
 * standard output.
 */
#include "beside.h"
#include "content.h"
#include "family.h"
#include "measure.h"
#include "practice.h"
#include "teeth.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SOURCES 16
#define JOBS    "16"

#define KIB     ((size_t)1024)
#define MIB     ((double)(KIB * KIB))

/* The marks' default, and what is read at once. */
#define HIGH      (64 * KIB)
#define CHUNK     (64 * KIB)

#define SAMPLE_MS 200
#define STEP_MS   5
#define PIECE     (64 * KIB)
#define PIPE_SIZE (1024 * 1024)

/* How long all are looked at before any has something to hold. */
#define REST_S 1.5

struct setting {
    const char *directory; /* of the fetchers */
    const char *origin;
    const char *out; /* where the series go */
    uint64_t size;   /* of each source, bytes */
    double rate;     /* of the consumer, bytes/s */
};

/* One fetcher, and its consumer. */
struct lane {
    const char *model;
    bool bounded; /* with watermarks */
    pid_t pid;    /* 0: it has ended */
    int fd;       /* its standard output; -1: at its end */
    uint64_t bytes;
    uint64_t hash;
    size_t rest; /* its memory before any body came */
    size_t peak;
    bool failed;
};

static struct lane lanes[] = {
    {.model = "threads", .bounded = true},
    {.model = "processes", .bounded = true},
    {.model = "evloop", .bounded = true},
    {.model = "coroutines", .bounded = true},
    {.model = "threads"},
    {.model = "processes"},
    {.model = "evloop"},
    {.model = "coroutines"},
};

#define LANES (sizeof lanes / sizeof *lanes)

static double seconds_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- Starting ----------------------------------------------------------- */

/* All sources answer at the same time, a moment after they were asked: until
 * then one sees what the programs take by themselves. */
static int write_list(const struct setting *setting, const char *base,
                      const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return -errno;
    for (int i = 0; i < SOURCES; i++)
        fprintf(file, "%sbytes/%llu?seed=%d&delay=%.0f\n", base,
                (unsigned long long)setting->size, i + 1, REST_S * 1000);
    return fclose(file) == 0 ? 0 : -errno;
}

static int start_lane(const struct setting *setting, struct lane *lane,
                      const char *list)
{
    char path[PATH_MAX + 20];
    snprintf(path, sizeof path, "%s/fetch-%s", setting->directory,
             lane->model);
    char *const argv[] = {path,
                          (char *)"-q",
                          (char *)"-j" JOBS,
                          (char *)"-t3600",
                          (char *)"-i-",
                          (char *)"--high-water",
                          (char *)(lane->bounded ? "64K" : "none"),
                          NULL};
    struct measure_setting from = {.input = list};
    int error = measure_start(argv, &from, &lane->pid, &lane->fd);
    if (error != 0)
        return error;
    /* We look at it every few milliseconds only: room for what comes at that
     * rate in between. (It is the kernel's memory, not the fetcher's.) */
    (void)fcntl(lane->fd, F_SETPIPE_SZ, PIPE_SIZE);
    return fcntl(lane->fd, F_SETFL, O_NONBLOCK) == -1 ? -errno : 0;
}

/* --- The consumers ------------------------------------------------------ */

/* Reads from a lane until it has what its rate allows by now. */
static void consume(struct lane *lane, double allowed)
{
    static char piece[PIECE];
    while (lane->fd != -1 && (double)lane->bytes < allowed) {
        ssize_t n = read(lane->fd, piece, sizeof piece);
        if (n > 0) {
            measure_hash(&lane->hash, &lane->bytes, piece, (size_t)n);
        } else if (n == 0 || errno != EAGAIN) {
            (void)close(lane->fd);
            lane->fd = -1;
        } else {
            return;
        }
    }
}

static void reap(struct lane *lane)
{
    int status;
    if (lane->pid == 0 || lane->fd != -1 ||
        waitpid(lane->pid, &status, 0) == -1)
        return;
    lane->pid = 0;
    lane->failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void sample(struct lane *lane, size_t number, double time, FILE *series)
{
    size_t memory = lane->pid != 0 ? family_memory(lane->pid) : 0;
    if (memory == 0)
        return;
    if (time < REST_S * 0.9)
        lane->rest = memory;
    if (lane->peak < memory)
        lane->peak = memory;
    fprintf(series, "%zu\t%.2f\t%.3f\n", number, time, (double)memory / MIB);
}

static void show_progress(double time, double expected)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r  %.0f of about %.0f s ", time, expected);
}

/* Lets all lanes run to their end, side by side. */
static void follow(const struct setting *setting, FILE *series)
{
    double begun = seconds_now();
    double next = 0;
    double expected = REST_S + (double)setting->size * SOURCES / setting->rate;
    bool running = true;
    while (running) {
        double time = seconds_now() - begun;
        bool due = time >= next;
        if (due) {
            next = time + SAMPLE_MS / 1000.0;
            show_progress(time, expected);
        }
        running = false;
        for (size_t i = 0; i < LANES; i++) {
            if (due)
                sample(&lanes[i], i, time, series);
            consume(&lanes[i], (time - REST_S) * setting->rate);
            reap(&lanes[i]);
            running |= lanes[i].pid != 0;
        }
        (void)poll(NULL, 0, STEP_MS);
    }
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%30s\r", "");
}

/* --- The table ---------------------------------------------------------- */

/* Body bytes in user space when the consumer stalls, at most. */
static size_t bound(const char *model)
{
    if (strcmp(model, "processes") == 0)
        return SOURCES * CHUNK + CHUNK; /* the marks are in the pipes */
    return SOURCES * (HIGH + CHUNK) + CHUNK;
}

static bool print_table(const struct setting *setting, uint64_t hash)
{
    bool good = true;
    printf("  %-10s  %-10s %10s %10s %10s %10s\n", "", "", "at rest", "peak",
           "held", "bound");
    printf("  %-10s  %-10s %10s %10s %10s %10s\n", "model", "high-water",
           "MiB", "MiB", "MiB", "MiB");
    for (size_t i = 0; i < LANES; i++) {
        const struct lane *lane = &lanes[i];
        double held = (double)lane->peak - (double)lane->rest;
        char limit[32] = "none";
        if (lane->bounded)
            snprintf(limit, sizeof limit, "%.2f",
                     (double)bound(lane->model) / MIB);
        printf("  %-10s  %-10s %10.2f %10.2f %10.2f %10s%s\n", lane->model,
               lane->bounded ? "64K" : "none", (double)lane->rest / MIB,
               (double)lane->peak / MIB, held / MIB, limit,
               lane->failed || lane->bytes != setting->size * SOURCES ||
                       lane->hash != hash
                   ? "  FAILED"
                   : "");
        good &= !lane->failed && lane->hash == hash;
    }
    return good;
}

static void print_reading(void)
{
    printf(
        "\n"
        "  Held is what the bodies made the memory grow by. The bound is\n"
        "  for bodies alone: jobs x (high-water + a chunk) + a chunk; with\n"
        "  processes, whose high mark is in the pipes, jobs x a chunk + a\n"
        "  chunk. What held shows above it is memory that the work itself\n"
        "  touched for the first time, stacks and tables; what it does not\n"
        "  do is grow with the data, as it does without the marks.\n\n");
}

/* --- All of it ---------------------------------------------------------- */

/* What all bodies together must come to. */
static uint64_t wanted_hash(const struct setting *setting)
{
    uint64_t hash = 0;
    uint64_t length = 0;
    content_init();
    for (unsigned i = 0; i < SOURCES; i++) {
        for (uint64_t offset = 0; offset < setting->size;) {
            const char *at;
            size_t n = content_at(i + 1, offset,
                                  (size_t)(setting->size - offset), &at);
            measure_hash(&hash, &length, at, n);
            offset += n;
        }
    }
    return hash;
}

static int run_lanes(const struct setting *setting, const char *base)
{
    char list[4096];
    char path[4096];
    snprintf(list, sizeof list, "%s/list.txt", setting->out);
    snprintf(path, sizeof path, "%s/memory.tsv", setting->out);
    int error = write_list(setting, base, list);
    FILE *series = error == 0 ? fopen(path, "w") : NULL;
    if (series == NULL) {
        fprintf(stderr, "triptych-drain: %s: %s\n", path,
                strerror(error != 0 ? -error : errno));
        return 3;
    }
    for (size_t i = 0; i < LANES && error == 0; i++)
        error = start_lane(setting, &lanes[i], list);
    if (error != 0)
        fprintf(stderr, "triptych-drain: %s\n", strerror(-error));
    follow(setting, series);
    return fclose(series) == 0 && error == 0 ? 0 : 3;
}

static int drain(const struct setting *setting)
{
    char base[100];
    pid_t origin;
    printf("\n  %d sources of %.0f MiB each, into consumers of %.0f MB/s, "
           "%s in flight:\n\n",
           SOURCES, (double)setting->size / MIB, setting->rate / 1e6, JOBS);
    (void)fflush(stdout);
    int error = practice_start(setting->origin, NULL, NULL, &origin, base,
                               sizeof base);
    if (error != 0) {
        fprintf(stderr, "triptych-drain: %s: %s\n", setting->origin,
                strerror(-error));
        return 3;
    }
    int status = run_lanes(setting, base);
    practice_stop(origin);
    if (status == 0) {
        char path[4096];
        snprintf(path, sizeof path, "%s/teeth.tsv", setting->out);
        error = teeth_record(path);
        if (error != 0)
            fprintf(stderr, "triptych-drain: %s: %s\n", path,
                    strerror(-error));
        status =
            error == 0 && print_table(setting, wanted_hash(setting)) ? 0 : 1;
    }
    if (status == 0)
        print_reading();
    return status;
}

/* --- The command line --------------------------------------------------- */

static int usage(FILE *out, int status)
{
    fprintf(out,
            "Usage: triptych-drain [OPTION]... [DIRECTORY ORIGIN] OUT\n"
            "Fetch 16 sources into slow consumers, with the four fetchers of "
            "DIRECTORY, with\nwatermarks and without, from the practice "
            "server ORIGIN; without these two, from\nand with the programs "
            "beside this one. Print the peaks of memory; write the "
            "series\nas OUT/memory.tsv and OUT/teeth.tsv.\n\n"
            "      --size MIB     of each source (64)\n"
            "      --rate MB/S    of each consumer (20)\n"
            "  -h, --help         print this help\n"
            "  -V, --version      print the version\n");
    return status;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"size", required_argument, NULL, 's'},
        {"rate", required_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0}};
    char directory[PATH_MAX];
    char tools[PATH_MAX];
    char origin[PATH_MAX + 40];
    struct setting setting = {.size = 64 << 20, .rate = 20e6};
    int code;
    while ((code = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
        double value = optarg != NULL ? strtod(optarg, NULL) : 0;
        if (code == 'h')
            return usage(stdout, 0);
        if (code == 'V')
            return puts("triptych-drain " TRIPTYCH_VERSION) >= 0 ? 0 : 3;
        if (code == '?' || !(value >= 0.01 && value <= 1e5))
            return usage(stderr, 2);
        if (code == 's')
            setting.size = (uint64_t)(value * MIB);
        else
            setting.rate = value * 1e6;
    }
    if (argc - optind != 1 && argc - optind != 3)
        return usage(stderr, 2);
    beside_find(directory, tools);
    snprintf(origin, sizeof origin, "%s/triptych-origin", tools);
    bool named = argc - optind == 3;
    setting.directory = named ? argv[optind] : directory;
    setting.origin = named ? argv[optind + 1] : origin;
    setting.out = argv[argc - 1];
    (void)signal(SIGPIPE, SIG_IGN);
    int status = drain(&setting);
    return fflush(stdout) == 0 ? status : 3;
}
