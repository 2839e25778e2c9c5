/* session: workloads are measured, round after round. See session.h. */
#include "session.h"

#include "contestant.h"
#include "growth.h"
#include "held.h"
#include "scratch.h"
#include "server.h"
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* For the counting of system calls, and for the waterfalls, which could not
 * be read with more. */
#define FEW_CALLS  500
#define FEW_TRACED 400
#define TRACE_JOBS 8

/* A workload's paths in the scratch directory. */
struct paths {
    char list[PATH_MAX];
    char special[PATH_MAX];
    char saved[PATH_MAX];
    char report[PATH_MAX];
    char upload[PATH_MAX];
};

/* --- One round ---------------------------------------------------------- */

static bool takes_part(const struct session *session,
                       const struct contestant *c,
                       const struct workload *workload, unsigned jobs)
{
    if (c->path[0] == '\0' || !contestant_can(c, workload, jobs))
        return false;
    return session->only == NULL || c->kind == FLOOR ||
           strcmp(session->only, c->name) == 0;
}

static void keep(struct session *session, const struct row *row)
{
    if (results_add(&session->results, row) != 0)
        return;
    results_write_row(session->file, row);
    (void)fflush(session->file);
}

static int write_lists(const struct session *session,
                       const struct contestant *c, const struct task *task)
{
    int error = workload_write_list(task->workload, task->requests,
                                    session->around.server->base,
                                    session->scratch, task->list);
    return error != 0 ? error : contestant_write_list(c, task);
}

/* One program's run in a round. */
static void run_one(struct session *session, const struct contestant *c,
                    const struct task *whole, const char *name, unsigned round)
{
    struct task task = *whole;
    struct row row;
    task.requests = contestant_requests(c, whole);
    scratch_remove(task.directory);
    (void)mkdir(task.directory, 0755);
    int error = write_lists(session, c, &task);
    if (error == 0)
        error = trial_run(c, &task, &session->around, &row);
    if (*session->stop)
        return;
    if (error != 0) {
        progress_tell("%s: %s", c->path, strerror(-error));
        return;
    }
    row.round = round;
    snprintf(row.workload, sizeof row.workload, "%s", name);
    if (round > 0 && row_failed(&row) && !task.workload->kills)
        progress_tell("%s at %s: status %.0f, %.0f of %.0f requests ok",
                      c->name, name, row.values[C_STATUS], row.values[C_OK],
                      row.values[C_REQUESTS]);
    bool counts = session->counts_calls && round == session->rounds &&
                  c->kind == OURS && workload_counts_calls(task.workload);
    if (counts && task.requests > FEW_CALLS)
        task.requests = FEW_CALLS;
    if (counts && write_lists(session, c, &task) == 0)
        row.values[C_CALLS] = trial_calls(c, &task, &session->around);
    if (round > 0 && task.workload->holds && !row_failed(&row))
        held_weigh(c, &task, &session->around, &row);
    if (round > 0 && !*session->stop)
        keep(session, &row);
}

static void run_round(struct session *session, const struct task *task,
                      const char *name, unsigned round)
{
    for (size_t i = 0; i < contestant_count && !*session->stop; i++) {
        const struct contestant *c = &contestants[i];
        bool grown = name != task->workload->name;
        if (!takes_part(session, c, task->workload, task->jobs) ||
            (grown && c->kind != OURS))
            continue;
        progress_show(name, task->jobs, c->name, round, session->rounds);
        run_one(session, c, task, name, round);
    }
}

/* --- One workload ------------------------------------------------------- */

/* One run of each model with its trace, for the waterfall. */
static void record_traces(struct session *session, const struct task *whole)
{
    static char path[PATH_MAX];
    struct task task = *whole;
    task.jobs = TRACE_JOBS;
    task.requests = FEW_TRACED;
    task.trace = path;
    for (size_t i = 0; i < contestant_count && !*session->stop; i++) {
        const struct contestant *c = &contestants[i];
        struct row row;
        if (c->kind != OURS ||
            !takes_part(session, c, task.workload, task.jobs))
            continue;
        snprintf(path, sizeof path, "%s/trace-%s.json", session->out, c->name);
        if (write_lists(session, c, &task) == 0)
            (void)trial_run(c, &task, &session->around, &row);
        if (*session->stop)
            (void)unlink(path); /* cut short */
    }
}

static void find_paths(const struct session *session, struct paths *paths)
{
    const char *scratch = session->scratch;
    snprintf(paths->list, PATH_MAX, "%s/list", scratch);
    snprintf(paths->special, PATH_MAX, "%s/special", scratch);
    snprintf(paths->saved, PATH_MAX, "%s/saved", scratch);
    snprintf(paths->report, PATH_MAX, "%s/report", scratch);
    snprintf(paths->upload, PATH_MAX, "%s/upload", scratch);
}

static unsigned requests_of(const struct session *session,
                            const struct workload *workload, unsigned jobs)
{
    return session->requests != 0
               ? session->requests
               : workload_requests(workload, jobs, session->quick);
}

/* All rounds with so many in flight, under that name. */
static void measure_jobs(struct session *session,
                         const struct workload *workload, const char *name,
                         unsigned jobs, unsigned requests)
{
    static struct paths paths;
    find_paths(session, &paths);
    struct task task = {.workload = workload,
                        .jobs = jobs,
                        .list = paths.list,
                        .special_list = paths.special,
                        .directory = paths.saved,
                        .report = paths.report,
                        .upload = paths.upload};
    /* Where each answer takes a second there is little to warm up, and --quick
     * is to be quick. */
    unsigned first = session->quick && workload->delay_ms >= 1000 ? 1 : 0;
    for (unsigned round = first; round <= session->rounds && !*session->stop;
         round++) {
        task.requests = round > 0 ? requests : workload_warm_up(requests);
        run_round(session, &task, name, round);
    }
    if (name == workload->name && workload->slow_every != 0 && !*session->stop)
        record_traces(session, &task);
}

/* The same, larger and larger. */
static void measure_growth(struct session *session,
                           const struct workload *workload)
{
    unsigned jobs = growth_jobs(workload, session->quick);
    unsigned requests = jobs > 0 ? requests_of(session, workload, jobs) : 0;
    for (int i = 0; jobs > 0 && i < GROWTHS * GROWTH_FACTORS; i++) {
        enum growth growth = (enum growth)(i / GROWTH_FACTORS);
        unsigned factor = growth_factors[i % GROWTH_FACTORS];
        bool more_jobs = growth == BY_JOBS;
        char name[40];
        if (!growth_can(workload, growth, jobs, factor))
            continue;
        growth_name(workload->name, growth, factor, name, sizeof name);
        measure_jobs(session, workload, name, more_jobs ? jobs * factor : jobs,
                     more_jobs ? requests : requests * factor);
    }
}

int session_measure(struct session *session, const struct workload *workload)
{
    const struct surroundings *around = &session->around;
    struct measure_setting setting = {.first_core = around->cores.server_first,
                                      .core_count = around->cores.server_count,
                                      .own_group = true};
    struct server server;
    int error = workload_prepare(workload, session->scratch);
    if (error == 0)
        error = server_start(&server, workload, session->origin,
                             session->scratch, &setting);
    if (error != 0)
        return *session->stop ? 0 : error;
    session->around.server = &server;
    for (int i = 0; workload->jobs[i] != 0 && !*session->stop; i++) {
        unsigned jobs = workload->jobs[i];
        if (!session->quick || workload->quick_jobs == 0 ||
            jobs <= workload->quick_jobs)
            measure_jobs(session, workload, workload->name, jobs,
                         requests_of(session, workload, jobs));
    }
    if (session->growth)
        measure_growth(session, workload);
    session->around.server = NULL;
    server_stop(&server);
    progress_clear();
    table_print(stdout, &session->results, workload);
    return 0;
}

/* --- The whole ---------------------------------------------------------- */

static void add_note(char *machine, size_t size, const char *key,
                     const char *note)
{
    size_t held = strlen(machine);
    snprintf(machine + held, size - held, "# %s: %s\n", key, note);
}

static void name_the_servers(char *machine, size_t size)
{
    for (size_t i = 0; i < workload_count; i++) {
        char key[60];
        snprintf(key, sizeof key, RESULTS_SERVER "%s", workloads[i].name);
        add_note(machine, size, key, server_name(&workloads[i]));
    }
}

/* The first line that a program says of its version. */
static void name_the_version(char *machine, size_t size,
                             const struct contestant *c)
{
    static struct measure measured;
    char *argv[] = {(char *)c->path, (char *)"--version", NULL};
    struct measure_setting setting = {.errors = "/dev/null", .limit = 5};
    if (measure_run(argv, &setting, &measured) != 0)
        return;
    measured.text[strcspn(measured.text, "\n")] = '\0';
    measured.text[200] = '\0';
    add_note(machine, size, c->name, measured.text);
}

/* How each peer is asked: nothing but what is needed for the same task; else
 * as it comes. */
static void name_the_commands(char *machine, size_t size)
{
    static struct command command;
    struct workload plain = {.destination = TO_NOWHERE};
    struct workload saved = {.destination = TO_FILES};
    for (size_t i = 0; i < contestant_count; i++) {
        const struct contestant *c = &contestants[i];
        char key[60];
        char line[1000] = "";
        struct task task = {.workload = c->only_saves ? &saved : &plain,
                            .jobs = 64,
                            .requests = 1280,
                            .list = "LIST",
                            .special_list = "LIST",
                            .directory = "DIR"};
        if (c->kind != PEER || c->path[0] == '\0')
            continue;
        if (c->like != NULL)
            name_the_version(machine, size, c);
        contestant_command(c, &task, &command);
        for (size_t word = 0; word < command.count; word++)
            snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s",
                     word > 0 ? " " : "", command.argv[word]);
        snprintf(key, sizeof key, "%s is asked", c->name);
        add_note(machine, size, key, line);
    }
}

static void name_the_missing(char *machine, size_t size)
{
    if (!server_has_nginx())
        add_note(machine, size, "missing",
                 "nginx (triptych-origin is asked instead)");
    if (!trial_has_strace())
        add_note(machine, size, "missing",
                 "strace (system calls are not counted)");
    for (size_t i = 0; i < contestant_count; i++) {
        const struct contestant *c = &contestants[i];
        if (c->path[0] == '\0')
            add_note(machine, size, "missing",
                     c->digests_only ? c->program : c->name);
    }
}

int session_begin(struct session *session)
{
    char *machine = session->results.machine;
    size_t size = sizeof session->results.machine;
    char trace[PATH_MAX];
    int error = scratch_make("triptych-bench", session->scratch,
                             sizeof session->scratch);
    if (error != 0)
        return error;
    for (size_t i = 0; i < contestant_count; i++) {
        snprintf(trace, sizeof trace, "%s/trace-%s.json", session->out,
                 contestants[i].name);
        (void)unlink(trace); /* of another benchmark */
    }
    int own_network = machine_prepare();
    session->around.cores = machine_cores();
    session->around.origin = session->origin;
    session->around.scratch = session->scratch;
    session->around.stop = session->stop;
    machine_describe(machine, size, own_network, &session->around.cores);
    name_the_servers(machine, size);
    name_the_missing(machine, size);
    name_the_commands(machine, size);
    results_write_head(session->file, machine);
    (void)fflush(session->file);
    fputs(machine, stdout);
    (void)fflush(stdout);
    return 0;
}

void session_end(struct session *session)
{
    if (session->scratch[0] != '\0')
        scratch_remove(session->scratch);
    session->scratch[0] = '\0';
}
