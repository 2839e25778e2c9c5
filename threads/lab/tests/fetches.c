/*
 * fetch-threads with your queue and your pool in it, as a user runs it: many
 * requests to the practice server, and a look at the report.
 */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT 40

static char url[100]; /* http://127.0.0.1:PORT */
static pid_t origin;

/* Runs a program of LAB_BIN, with a pipe as its standard output if `out` is
 * not NULL. */
static pid_t run(const char *name, char *const *argv, int *out)
{
    char path[4096];
    const char *bin = getenv("LAB_BIN");
    int ends[2];
    (void)snprintf(path, sizeof path, "%s/%s", bin != NULL ? bin : ".", name);
    if (out != NULL && pipe(ends) == -1)
        lab_broken("pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child == -1)
        lab_broken("fork: %s", strerror(errno));
    if (child == 0) {
        if (out != NULL)
            (void)dup2(ends[1], STDOUT_FILENO);
        (void)execv(path, argv);
        _exit(127);
    }
    if (out != NULL) {
        (void)close(ends[1]);
        *out = ends[0];
    }
    return child;
}

static void start_origin(void)
{
    static char *const argv[] = {"triptych-origin", "-p", "0", NULL};
    int out;
    origin = run("triptych-origin", argv, &out);
    FILE *said = fdopen(out, "r");
    if (said == NULL || fgets(url, sizeof url, said) == NULL)
        lab_broken("the practice server does not start");
    url[strcspn(url, "\n")] = '\0';
    url[strlen(url) - 1] = '\0'; /* the slash */
    /* The pipe stays open: the server may say more. */
}

/* Fetches what the list names; the exit status. */
static int fetch(const char *list, const char *jobs)
{
    char *const argv[] = {"fetch-threads", "-q", "-n",         "-i",
                          (char *)list,    "-j", (char *)jobs, "--report",
                          "report",        NULL};
    int status;
    lab_doing("waiting for fetch-threads to end",
              "a worker sleeps for ever, or the main thread waits for one",
              "pool_finish, pool_wait, queue_close: who tells whom");
    pid_t child = run("fetch-threads", argv, NULL);
    if (waitpid(child, &status, 0) == -1)
        lab_broken("waitpid: %s", strerror(errno));
    lab_check(WIFEXITED(status),
              "the program crashed: a thread uses what is gone",
              "what thread_main is given, and pool_free",
              "fetch-threads was killed by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

/* Lines of the report whose result is ok. */
static int count_ok(void)
{
    char line[4096];
    int ok = 0;
    FILE *report = fopen("report", "r");
    lab_check(report != NULL, "the program ended before its end",
              "the model's main thread: pool_submit, pool_finish",
              "fetch-threads wrote no report");
    while (fgets(line, sizeof line, report) != NULL)
        ok += strstr(line, "\tok\t") != NULL;
    (void)fclose(report);
    return ok;
}

static void write_list(int count, const char *path)
{
    FILE *list = fopen("list", "w");
    if (list == NULL)
        lab_broken("list: %s", strerror(errno));
    for (int i = 0; i < count; i++)
        (void)fprintf(list, "%s%s\n", url, path);
    (void)fclose(list);
}

static void expect(int count, const char *path, const char *jobs,
                   const char *means, const char *look)
{
    start_origin();
    write_list(count, path);
    int status = fetch("list", jobs);
    int ok = count_ok();
    (void)kill(origin, SIGTERM);
    lab_check(status == 0 && ok == count, means, look,
              "of %d requests %d are ok; the exit status is %d", count, ok,
              status);
}

static void fetches_all(void)
{
    expect(COUNT, "/bytes/3000", "8",
           "requests get lost between the main thread and the workers",
           "thread_main's loop, and what pool_submit returns");
}

static void fetches_at_once(void)
{
    expect(16, "/bytes/10?barrier=8", "8",
           "the server answers when eight requests are waiting, and there "
           "never were eight",
           "thread_main: what is locked during the work; pool_submit: when it "
           "makes a thread");
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"fetches_all", fetches_all},
        {"fetches_at_once", fetches_at_once},
        {0}};
    return lab_main(tests);
}
