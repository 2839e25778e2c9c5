/*
 * triptych-bench: the models, side by side, measured from outside.
 *
 *     triptych-bench [OPTION]... [WORKLOAD]...
 *     triptych-bench report DIR
 *     triptych-bench compare OLD NEW
 *
 * Here are its options and its commands; what measures is session. See
 * triptych-bench(1).
 */
#include "beside.h"
#include "content.h"
#include "contestant.h"
#include "machine.h"
#include "page.h"
#include "results.h"
#include "session.h"
#include "switch.h"
#include "table.h"
#include "workload.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

/* --- Who takes part ----------------------------------------------------- */

static char origin[PATH_MAX + 20];

static void find_all(void)
{
    char tools[PATH_MAX];
    char ours[PATH_MAX];
    char path[PATH_MAX + 40];
    beside_find(ours, tools);
    snprintf(origin, sizeof origin, "%s/triptych-origin", tools);
    snprintf(path, sizeof path, "%s/../share/triptych/peers", tools);
    contestants_find(ours, tools, path);
}

static int print_peers(void)
{
    find_all();
    for (size_t i = 0; i < contestant_count; i++) {
        const struct contestant *c = &contestants[i];
        const char *label = contestant_label(c->name);
        printf("%-20s %s%s%s\n", c->name,
               c->path[0] != '\0' ? c->path : "missing",
               label != c->name ? ": " : "", label != c->name ? label : "");
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

/* --- Measuring ---------------------------------------------------------- */

static int complain(const char *what, int error)
{
    fprintf(stderr, "triptych-bench: %s: %s\n", what, strerror(-error));
    return 3;
}

static bool is_wanted(const struct workload *workload, char **names, int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], workload->name) == 0)
            return true;
    }
    return count == 0;
}

/* From now on signals only say that it is time to end. */
static void catch_signals(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
}

static int measure_all(struct session *session, char **names, int count)
{
    int status = 0;
    int error = session_begin(session);
    if (error != 0)
        return complain("a directory for what is served", error);
    for (size_t i = 0; i < workload_count && !interrupted; i++) {
        const struct workload *workload = &workloads[i];
        error = is_wanted(workload, names, count)
                    ? session_measure(session, workload)
                    : 0;
        if (error != 0)
            status = complain(workload->name, error);
    }
    return status;
}

static int bench_run(struct session *session, char **names, int count)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/results.tsv", session->out);
    if ((mkdir(session->out, 0777) == -1 && errno != EEXIST) ||
        (session->file = fopen(path, "we")) == NULL)
        return complain(path, -errno);
    catch_signals(on_signal);
    (void)signal(SIGPIPE, SIG_IGN);
    int status = measure_all(session, names, count);
    /* What was measured is kept, also for those who press Ctrl-C twice;
     * gnuplot inherits this. */
    catch_signals(SIG_IGN);
    if (ferror(session->file) != 0 || fclose(session->file) != 0)
        status = complain(path, -EIO);
    session_end(session);
    if (write_report(session->out, &session->results) != 0)
        status = 3;
    results_free(&session->results);
    if (fflush(stdout) != 0)
        status = 3;
    return interrupted ? 128 + interrupted : status;
}

/* --- The other commands -------------------------------------------------- */

/* 0, or 3 after a message. */
static int read_results(struct results *results, const char *path)
{
    int error = results_read(results, path);
    if (error == -EINVAL) {
        fprintf(stderr, "triptych-bench: %s: not what triptych-bench writes\n",
                path);
        return 3;
    }
    return error != 0 ? complain(path, error) : 0;
}

static int compare(const char *old_path, const char *new_path)
{
    struct results old;
    struct results new;
    if (read_results(&old, old_path) != 0)
        return 3;
    if (read_results(&new, new_path) != 0) {
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
    if (read_results(&results, path) != 0)
        return 3;
    int status = write_report(directory, &results);
    results_free(&results);
    return status;
}

/* --- The command line --------------------------------------------------- */

static int usage(FILE *out, int status)
{
    fputs(
        "Usage: triptych-bench [OPTION]... [WORKLOAD]...\n"
        "       triptych-bench report DIR\n"
        "       triptych-bench compare OLD.tsv NEW.tsv\n"
        "       triptych-bench switch [ROUNDS]\n"
        "Measure the four fetchers side by side: a table for each workload, "
        "and in the\ndirectory of --output each run in results.tsv and all of "
        "it in report.html.\n\n"
        "  -q, --quick        fewer requests, 3 rounds: two minutes\n"
        "  -r, --rounds N     rounds that count (5)\n"
        "  -n, --requests N   requests a run, whatever the workload says\n"
        "  -o, --output DIR   where the results go (bench-results)\n"
        "      --only NAME    this program alone, and the floor\n"
        "      --peer NAME=COMMAND  one more program, see the manual\n"
        "  -g, --growth       also 2 and 4 times as large: exponents\n"
        "      --no-calls     do not count system calls (strace)\n"
        "  -l, --list         print the workloads and what they show\n"
        "      --peers        print which programs are found, and which not\n"
        "  -h, --help         print this help\n"
        "  -V, --version      print the version\n",
        out);
    return status;
}

static bool read_number(const char *text, unsigned most, unsigned *value)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    *value = (unsigned)number;
    return *text >= '0' && *text <= '9' && *end == '\0' && number > 0 &&
           number <= most;
}

static int refuse(const char *what, const char *name)
{
    fprintf(stderr, "triptych-bench: %s '%s'\n", what, name);
    return usage(stderr, 2);
}

/* Takes one option. -1: go on; else the exit status. */
static int read_option(int code, struct session *session)
{
    switch (code) {
    case 'q':
        session->quick = true;
        return -1;
    case 'r':
        return read_number(optarg, 1000, &session->rounds)
                   ? -1
                   : refuse("not a number of rounds:", optarg);
    case 'n':
        return read_number(optarg, 10000000, &session->requests)
                   ? -1
                   : refuse("not a number of requests:", optarg);
    case 'o':
        session->out = optarg;
        return -1;
    case 'O':
        session->only = optarg;
        return contestant_known(optarg)
                   ? -1
                   : refuse("there is no program", optarg);
    case 'P':
        return contestant_add(optarg) ? -1
                                      : refuse("not NAME=COMMAND:", optarg);
    case 'g':
        session->growth = true;
        return -1;
    case 'C':
        session->counts_calls = false;
        return -1;
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

static int read_options(int argc, char **argv, struct session *session)
{
    static const struct option longs[] = {
        {"quick", no_argument, NULL, 'q'},
        {"rounds", required_argument, NULL, 'r'},
        {"requests", required_argument, NULL, 'n'},
        {"output", required_argument, NULL, 'o'},
        {"only", required_argument, NULL, 'O'},
        {"peer", required_argument, NULL, 'P'},
        {"growth", no_argument, NULL, 'g'},
        {"no-calls", no_argument, NULL, 'C'},
        {"list", no_argument, NULL, 'l'},
        {"peers", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0}};
    int status = -1;
    int code;
    while (status == -1 &&
           (code = getopt_long(argc, argv, "qr:n:o:glhV", longs, NULL)) != -1)
        status = read_option(code, session);
    return status;
}

/* The price of a hand-over in each model. */
static int measure_switches(const char *text)
{
    unsigned rounds = 99;
    char machine[600];
    if (text != NULL && !read_number(text, 1000, &rounds))
        return refuse("not a number of rounds:", text);
    machine_describe_shortly(machine, sizeof machine);
    printf("%s", machine);
    int error = switch_run(stdout, rounds);
    if (error != 0)
        fprintf(stderr, "triptych-bench: %s\n", strerror(-error));
    return error == 0 ? 0 : 3;
}

int main(int argc, char **argv)
{
    static struct session session = {.out = "bench-results",
                                     .counts_calls = true,
                                     .origin = origin,
                                     .stop = &interrupted};
    if (argc >= 2 && strcmp(argv[1], "compare") == 0)
        return argc == 4 ? compare(argv[2], argv[3]) : usage(stderr, 2);
    if (argc >= 2 && strcmp(argv[1], "report") == 0)
        return argc == 3 ? report_again(argv[2]) : usage(stderr, 2);
    if (argc >= 2 && strcmp(argv[1], "switch") == 0)
        return argc <= 3 ? measure_switches(argv[2]) : usage(stderr, 2);
    int status = read_options(argc, argv, &session);
    if (status != -1)
        return status;
    if (session.rounds == 0)
        session.rounds = session.quick ? 3 : 5;
    for (int i = optind; i < argc; i++) {
        if (workload_find(argv[i]) == NULL)
            return refuse("there is no workload", argv[i]);
    }
    find_all();
    content_init();
    return bench_run(&session, argv + optind, argc - optind);
}
