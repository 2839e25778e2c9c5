/*
 * triptych-demo: the main job, four times, side by side.
 *
 * Starts the practice server on a free port, has each fetcher fetch the same
 * list - many small bodies, some slow answers, a few large bodies - with 32 in
 * flight, one fetcher after the other, checks every byte, and prints one
 * table.
 */
#include "beside.h"
#include "content.h"
#include "measure.h"
#include "practice.h"
#include "versus.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOBS "32"

/* --- The list ----------------------------------------------------------- */

struct kind {
    unsigned count;
    unsigned long long size;
    unsigned delay_ms;
    const char *what;
};

static const struct kind kinds[] = {
    {240, 4096, 0, "small"},
    {60, 4096, 150, "slow (150 ms)"},
    {6, 64ULL << 20, 0, "large (64 MiB)"},
};

#define KINDS (sizeof kinds / sizeof *kinds)

/* The kinds are mixed: of every 306 requests, each kind has its share all
 * along the list. Calls `each` for every request. */
static unsigned for_each_request(void (*each)(void *arg, unsigned id,
                                              const struct kind *kind),
                                 void *arg)
{
    unsigned total = 0;
    unsigned done[KINDS] = {0};
    for (size_t k = 0; k < KINDS; k++)
        total += kinds[k].count;
    for (unsigned id = 0; id < total; id++) {
        size_t behind = 0; /* the kind that lags furthest behind its share */
        double most = -1;
        for (size_t k = 0; k < KINDS; k++) {
            double share = (double)kinds[k].count * (id + 1) / total;
            if (done[k] < kinds[k].count && share - done[k] > most) {
                most = share - done[k];
                behind = k;
            }
        }
        done[behind]++;
        each(arg, id, &kinds[behind]);
    }
    return total;
}

struct list {
    FILE *file;
    const char *base;
};

static void write_line(void *arg, unsigned id, const struct kind *kind)
{
    struct list *list = arg;
    fprintf(list->file, "%sbytes/%llu?seed=%u", list->base, kind->size,
            id + 1);
    if (kind->delay_ms > 0)
        fprintf(list->file, "&delay=%u", kind->delay_ms);
    (void)putc('\n', list->file);
}

/* What all bodies together must come to. */
static void add_body(void *arg, unsigned id, const struct kind *kind)
{
    struct measure *wanted = arg;
    for (unsigned long long offset = 0; offset < kind->size;) {
        const char *at;
        size_t n =
            content_at(id + 1, offset, (size_t)(kind->size - offset), &at);
        measure_hash(&wanted->hash, &wanted->bytes, at, n);
        offset += n;
    }
}

/* --- The reading -------------------------------------------------------- */

/* Three sentences on what to look at. */
static void print_reading(const struct measure all[MODELS])
{
    const struct measure *threads = &all[0];
    const struct measure *processes = &all[1];
    const struct measure *evloop = &all[2];
    printf("\n"
           "  1. Look at the switches: %u threads went to sleep %ld times and "
           "%u\n     processes %ld times, each for a connection of its own, "
           "while the one\n     loop waited for all of them at once and "
           "slept %ld times.\n",
           threads->threads, threads->voluntary, processes->processes,
           processes->voluntary, evloop->voluntary);
    printf("     The coroutines read like threads, and slept %ld times: they "
           "wait as the\n     loop does.\n",
           all[3].voluntary);
    printf("  2. Look at the memory: a process takes %.0f KiB here, a thread "
           "%.0f KiB, and\n     the loop's requests share one stack; but all "
           "four stay small beside the\n     %.0f MB that went through them: "
           "what cannot be handed on is not read yet.\n",
           (double)processes->peak_pss / 1024 / processes->processes,
           (double)threads->peak_pss / 1024 / threads->threads,
           (double)evloop->bytes / 1e6);
    printf("  3. Look at the system CPU: with processes every byte of a body "
           "also goes\n     through a pipe to the parent (%.2f s, against "
           "%.2f s with threads), the\n     price of workers that can crash "
           "without taking the others with them.\n\n",
           processes->system, threads->system);
}

/* --- The demo ----------------------------------------------------------- */

static bool colours;

static int race(const char *directory, const char *list, unsigned total,
                const struct measure *wanted, struct measure all[MODELS])
{
    for (int i = 0; i < MODELS; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/fetch-%s", directory,
                 versus_models[i]);
        char *const argv[] = {path,         (char *)"-q", (char *)"-j",
                              (char *)JOBS, (char *)"-i", (char *)"-",
                              NULL};
        struct measure_setting setting = {.input = list};
        printf("  fetch-%-11s %u URLs, %s in flight ... ", versus_models[i],
               total, JOBS);
        (void)fflush(stdout);
        int error = measure_run(argv, &setting, &all[i]);
        if (error != 0) {
            printf("%s%s\n", "could not be run: ", strerror(-error));
            return 1;
        }
        if (all[i].status != 0 || all[i].bytes != wanted->bytes ||
            all[i].hash != wanted->hash) {
            printf("FAILED: status %d, %llu of %llu bytes\n", all[i].status,
                   (unsigned long long)all[i].bytes,
                   (unsigned long long)wanted->bytes);
            return 1;
        }
        printf("%.2f s, every byte as it should be\n", all[i].wall);
    }
    return 0;
}

static int demo(const char *directory, const char *origin)
{
    struct measure wanted = {0};
    struct measure all[MODELS];
    char base[100];
    char list_path[] = P_tmpdir "/triptych-demo-XXXXXX";
    pid_t pid = -1;
    int error = practice_start(origin, NULL, NULL, &pid, base, sizeof base);
    if (error != 0) {
        fprintf(stderr, "triptych-demo: %s: %s\n", origin, strerror(-error));
        return 3;
    }
    int fd = mkstemp(list_path);
    struct list list = {fd != -1 ? fdopen(fd, "w") : NULL, base};
    int status = 3;
    if (list.file != NULL) {
        unsigned total = for_each_request(write_line, &list);
        bool written = fclose(list.file) == 0;
        content_init();
        (void)for_each_request(add_body, &wanted);
        printf("\n  The same list, fetched four ways from %s:\n  ", base);
        for (size_t k = 0; k < KINDS; k++)
            printf("%u %s%s", kinds[k].count, kinds[k].what,
                   k + 1 < KINDS ? ", " : "\n\n");
        status = written ? race(directory, list_path, total, &wanted, all) : 3;
        if (status == 0) {
            struct versus versus = {.all = all, .total = total};
            for (int i = 0; i < MODELS; i++)
                versus.done[i] = total; /* or the race would have failed */
            versus_print(stdout, &versus, colours);
            print_reading(all);
        }
    }
    (void)unlink(list_path);
    practice_stop(pid);
    return status;
}

static int usage(FILE *out, int status)
{
    fprintf(out, "Usage: triptych-demo [DIRECTORY ORIGIN]\n"
                 "Races the four fetchers of DIRECTORY against the practice "
                 "server, which is the\nprogram ORIGIN; without them, those "
                 "beside this program.\n\n"
                 "  --list URL  print the list, as for the server at URL\n"
                 "  --help      print this help\n"
                 "  --version   print the version\n");
    return status;
}

int main(int argc, char **argv)
{
    char directory[PATH_MAX];
    char tools[PATH_MAX];
    char origin[PATH_MAX + 40];
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout, 0);
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("triptych-demo " TRIPTYCH_VERSION) >= 0 ? 0 : 3;
    if (argc == 3 && strcmp(argv[1], "--list") == 0) {
        struct list list = {stdout, argv[2]};
        (void)for_each_request(write_line, &list);
        return fflush(stdout) == 0 ? 0 : 3;
    }
    if ((argc != 1 && argc != 3) || (argc == 3 && argv[1][0] == '-'))
        return usage(stderr, 2);
    beside_find(directory, tools);
    snprintf(origin, sizeof origin, "%s/triptych-origin", tools);
    colours = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
    (void)signal(SIGPIPE, SIG_IGN);
    int status = argc == 3 ? demo(argv[1], argv[2]) : demo(directory, origin);
    return fflush(stdout) == 0 ? status : 3;
}
