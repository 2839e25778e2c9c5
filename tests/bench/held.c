/* held: memory while all requests wait. See held.h. */
#include "held.h"

#include "family.h"
#include "measure.h"

#include <poll.h>
#include <stdio.h>

/* So long all its requests may take to arrive. */
#define PATIENCE_S 100

/* So often the server is asked how many there are. */
#define ASK_MS 20

/* What a request asks for: a barrier of its own for each run. */
static void make_path(char *path, size_t size, unsigned requests)
{
    static unsigned key;
    snprintf(path, size, "bytes/100?barrier=%u&key=%u&seed=", requests + 1,
             key++);
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

/* Runs it to its end; takes its figures on the way. */
static void run(struct command *command, const struct task *task,
                const struct surroundings *around, struct row *row)
{
    struct measure_setting setting = {.first_core = around->cores.client_first,
                                      .core_count = around->cores.client_count,
                                      .errors = "/dev/null",
                                      .own_group = true,
                                      .unseen = true,
                                      .limit = PATIENCE_S,
                                      .stop = around->stop};
    struct measure measured;
    struct watch watch;
    char path[100];
    bool taken = false;
    bool more = true;
    if (watch_begin(&watch, command->argv, &setting, &measured) != 0)
        return;
    while (more) {
        struct pollfd poll_fd = {.fd = watch.fd, .events = POLLIN};
        (void)watch_due(&watch);
        if (poll(&poll_fd, 1, ASK_MS) > 0) {
            more = watch_read(&watch);
        } else if (!taken &&
                   server_in_flight(around->server) >= task->requests) {
            take(watch.pid, row);
            snprintf(path, sizeof path, "/%s", task->workload->path);
            server_ask(around->server, path);
            taken = true;
        }
    }
    (void)watch_end(&watch);
}

void held_weigh(const struct contestant *c, const struct task *whole,
                const struct surroundings *around, struct row *row)
{
    static struct command command;
    static const enum column columns[] = {C_PSS, C_THREADS, C_PROCESSES,
                                          C_FDS};
    char path[100];
    struct workload workload = *whole->workload;
    struct task task = *whole;
    if (task.requests > task.jobs)
        task.requests = task.jobs;
    make_path(path, sizeof path, task.requests);
    workload.path = path;
    task.workload = &workload;
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        row->values[columns[i]] = -1;
    if (workload_write_list(&workload, task.requests, around->server->base,
                            around->scratch, task.list) != 0 ||
        contestant_write_list(c, &task) != 0)
        return;
    contestant_command(c, &task, &command);
    run(&command, &task, around, row);
}
