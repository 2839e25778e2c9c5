/* held: memory while all requests wait. See held.h. */
#include "held.h"

#include "family.h"
#include "measure.h"
#include "practice.h"
#include "table.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* So long all its requests may take to arrive. */
#define PATIENCE_S 100

/* So often the server is asked how many there are ... */
#define ASK_MS 20

/* ... and so often in a row no more may be there: then no more come. */
#define IN_VAIN 500

/* Descriptors that a program has beside those of its requests. */
#define SPARE 100

/* Of the requests so many can be held: processes need most descriptors, two
 * for each worker's pipes, and all programs are asked the same. */
static unsigned may_hold(unsigned requests)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
        limit.rlim_cur < 2 * (rlim_t)requests + SPARE)
        requests = limit.rlim_cur > SPARE
                       ? (unsigned)(limit.rlim_cur - SPARE) / 2
                       : 1;
    return requests;
}

static void take(pid_t pid, struct row *row)
{
    struct family family;
    struct weight weight;
    double *v = row->values;
    double each = (double)family_socket_size();
    family_look(pid, &family);
    family_weigh(pid, &weight);
    v[C_PSS] = (double)family.pss;
    v[C_THREADS] = family.threads;
    v[C_PROCESSES] = family.processes;
    v[C_FDS] = family.descriptors;
    v[C_STACKS] = (double)weight.kernel_stacks;
    v[C_TABLES] = (double)weight.page_tables;
    v[C_SOCKETS] = each > 0 ? (double)weight.sockets * each : -1;
}

/* True once all are there. Ends the program when no more come. */
static bool are_there(struct watch *watch, const struct task *task,
                      const struct server *server, double *most,
                      unsigned *in_vain)
{
    double there = server_in_flight(server);
    *in_vain = there > *most ? 0 : *in_vain + 1;
    if (there > *most)
        *most = there;
    if (*in_vain == IN_VAIN)
        watch_kill(watch);
    return there >= task->requests;
}

/* Not all could be held: says so, and what the program itself said first. */
static void tell_shortfall(const char *name, const struct task *task,
                           double most, const char *errors)
{
    char line[300] = "";
    FILE *file = fopen(errors, "re");
    if (file != NULL && fgets(line, sizeof line, file) != NULL)
        line[strcspn(line, "\n")] = '\0';
    if (file != NULL)
        (void)fclose(file);
    progress_tell("%s of %s: only %.0f of %u requests could be held%s%s", name,
                  task->workload->name, most, task->requests,
                  line[0] != '\0' ? "; " : "", line);
}

/* Runs it to its end; takes its figures on the way. */
static void run(const char *name, struct command *command,
                const struct task *task, const struct surroundings *around,
                struct row *row)
{
    char errors[PATH_MAX];
    struct measure_setting setting = {.first_core = around->cores.client_first,
                                      .core_count = around->cores.client_count,
                                      .errors = errors,
                                      .own_group = true,
                                      .unseen = true,
                                      .limit = PATIENCE_S,
                                      .stop = around->stop};
    struct measure measured;
    struct watch watch;
    char path[100];
    double most = 0;
    unsigned in_vain = 0;
    bool taken = false;
    bool more = true;
    snprintf(errors, sizeof errors, "%s/errors", around->scratch);
    if (watch_begin(&watch, command->argv, &setting, &measured) != 0)
        return;
    while (more) {
        struct pollfd poll_fd = {.fd = watch.fd, .events = POLLIN};
        (void)watch_due(&watch);
        if (poll(&poll_fd, 1, ASK_MS) > 0) {
            more = watch_read(&watch);
        } else if (!taken &&
                   are_there(&watch, task, around->server, &most, &in_vain)) {
            take(watch.pid, row);
            snprintf(path, sizeof path, "/%s", task->workload->path);
            server_ask(around->server, path);
            taken = true;
        }
    }
    (void)watch_end(&watch);
    if (!taken && !*around->stop)
        tell_shortfall(name, task, most, errors);
}

/* By a server of its own: of a program that was ended some requests have been
 * counted at the barrier, and would open it too early for the next one. */
static void run_apart(const struct contestant *c, const struct task *task,
                      const struct surroundings *whole, struct row *row)
{
    static struct command command;
    struct measure_setting setting = {.first_core = whole->cores.server_first,
                                      .core_count = whole->cores.server_count,
                                      .own_group = true};
    struct server server = {0};
    struct surroundings around = *whole;
    around.server = &server;
    if (practice_start(whole->origin, NULL, &setting, &server.pid, server.base,
                       sizeof server.base) != 0)
        return;
    if (workload_write_list(task->workload, task->requests, server.base,
                            around.scratch, task->list) == 0 &&
        contestant_write_list(c, task) == 0) {
        contestant_command(c, task, &command);
        run(c->name, &command, task, &around, row);
    }
    server_stop(&server);
}

void held_weigh(const struct contestant *c, const struct task *whole,
                const struct surroundings *around, struct row *row)
{
    static const enum column columns[] = {C_PSS, C_THREADS, C_PROCESSES,
                                          C_FDS};
    char path[100];
    struct workload workload = *whole->workload;
    struct task task = *whole;
    if (task.requests > task.jobs)
        task.requests = task.jobs;
    task.requests = may_hold(task.requests);
    snprintf(path, sizeof path,
             "bytes/100?barrier=%u&seed=", task.requests + 1);
    workload.path = path;
    task.workload = &workload;
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        row->values[columns[i]] = -1;
    run_apart(c, &task, around, row);
}
