/* outside: the fetcher, run as a user would run it. See outside.h. */
#include "outside.h"

#include "lab.h"
#include "loop.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS 40

/* Beyond this nothing is going to happen any more: every run has time limits
 * of its own, which are shorter. */
#define PATIENCE_MS 20000

struct fetcher fetcher;

/* --- Programs ------------------------------------------------------------- */

/* Starts a program of LAB_BIN's, with `output` as its standard output (-1: a
 * file) and its messages in a file. It ends with the test at the latest. */
static pid_t start(const char *name, char **argv, int output)
{
    char path[1000], errors[100];
    const char *folder = getenv("LAB_BIN");
    (void)snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : ".",
                   name);
    if (output == -1)
        output = open("output", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    (void)snprintf(errors, sizeof errors, "%s.messages", name);
    int said = open(errors, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    if (dup2(output, STDOUT_FILENO) != -1 && dup2(said, STDERR_FILENO) != -1)
        (void)execv(path, argv);
    _exit(127);
}

void fetcher_start(bool piped, ...)
{
    char *argv[ARGUMENTS] = {(char *)"fetch-evloop", (char *)"-q",
                             (char *)"--report=report.tsv"};
    int ends[2] = {-1, -1};
    size_t n = 3;
    va_list more;
    va_start(more, piped);
    while (n < ARGUMENTS - 1 && (argv[n] = va_arg(more, char *)) != NULL)
        n++;
    va_end(more);
    (void)unlink("report.tsv");
    if (piped && (pipe2(ends, O_CLOEXEC) == -1 ||
                  fcntl(ends[1], F_SETPIPE_SZ, 4096) == -1))
        lab_broken("no pipe: %s", strerror(errno));
    fetcher = (struct fetcher){.output = ends[0]};
    fetcher.pid = start("fetch-evloop", argv, ends[1]);
    if (fetcher.pid == -1)
        lab_broken("cannot start fetch-evloop: %s", strerror(errno));
    if (ends[1] != -1)
        (void)close(ends[1]);
    fetcher.exited = pidfd_open(fetcher.pid, 0);
    if (fetcher.exited == -1)
        lab_broken("pidfd_open: %s", strerror(errno));
}

static void read_messages(void)
{
    int fd = open("fetch-evloop.messages", O_RDONLY | O_CLOEXEC);
    ssize_t n =
        fd == -1 ? 0 : read(fd, fetcher.messages, sizeof fetcher.messages - 1);
    fetcher.messages[n > 0 ? n : 0] = '\0';
    if (fd != -1)
        (void)close(fd);
    /* A sanitizer's report: its first line is what matters. */
    char *report = strstr(fetcher.messages, "ERROR: AddressSanitizer");
    if (report != NULL) {
        report[strcspn(report, "\n")] = '\0';
        memmove(fetcher.messages, report, strlen(report) + 1);
    }
    if (strlen(fetcher.messages) > 300)
        fetcher.messages[300] = '\0';
    fetcher.messages[strcspn(fetcher.messages, "\n")] = '\0';
}

static void reap(void)
{
    int status;
    if (fetcher.pid == 0)
        return;
    while (waitpid(fetcher.pid, &status, 0) == -1) {
        if (errno != EINTR)
            lab_broken("waitpid: %s", strerror(errno));
    }
    fetcher.pid = 0;
    fetcher.status =
        WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    read_messages();
}

/* For how long its threads have run, and stood in line for a processor. */
static unsigned long long age(void)
{
    unsigned long long all = 0, ran, waited;
    char path[320];
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)fetcher.pid);
    DIR *threads = opendir(path);
    struct dirent *one;
    while (threads != NULL && (one = readdir(threads)) != NULL) {
        (void)snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat",
                       (int)fetcher.pid, one->d_name);
        FILE *file = fopen(path, "re");
        if (file == NULL)
            continue;
        if (fscanf(file, "%llu %llu", &ran, &waited) == 2)
            all += ran + waited;
        (void)fclose(file);
    }
    if (threads != NULL)
        (void)closedir(threads);
    return all;
}

/* Waits until `fd` (-1: none) is ready, or the fetcher has ended: then false.
 * On a busy machine it may take its time; but who sleeps does not grow older.
 */
static bool wait_for(int fd, const struct hint *hint)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
                           {.fd = fetcher.exited, .events = POLLIN}};
    unsigned long long before, now = age();
    int n;
    do {
        before = now;
        n = poll(fds, 2, PATIENCE_MS);
        now = age();
    } while (n == 0 && now != before);
    lab_check(n != 0, hint->means, hint->look,
              "fetch-evloop stands still: nothing has come from it for %d "
              "seconds, and it has not ended",
              PATIENCE_MS / 1000);
    if (n == -1)
        lab_broken("poll: %s", strerror(errno));
    return fds[0].revents != 0;
}

void fetcher_wait(const struct hint *hint)
{
    (void)wait_for(-1, hint);
    reap();
}

size_t fetcher_read(char *bytes, size_t size, const struct hint *hint)
{
    size_t done = 0;
    while (done < size) {
        (void)wait_for(fetcher.output, hint);
        ssize_t n = read(fetcher.output, bytes + done, size - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return done;
}

/* --- What it said --------------------------------------------------------- */

/* The number of this field in the line, or -1; or the field of this number. */
static int find(const char *line, const char *name, int number, char *out,
                size_t size)
{
    for (int i = 0;; i++) {
        size_t n = strcspn(line, "\t\n");
        if (name != NULL && n == strlen(name) && memcmp(line, name, n) == 0)
            return i;
        if (name == NULL && i == number) {
            (void)snprintf(out, size, "%.*s", (int)n, line);
            return i;
        }
        if (line[n] != '\t')
            return -1;
        line += n + 1;
    }
}

const char *fetcher_said(unsigned id, const char *column)
{
    static char field[200];
    char line[4000] = "";
    int number = -1;
    FILE *file = fopen("report.tsv", "re");
    field[0] = '\0';
    for (unsigned i = 0; file != NULL && i <= id + 1; i++) {
        if (fgets(line, sizeof line, file) == NULL)
            break;
        if (i == 0)
            number = find(line, column, 0, NULL, 0);
        else if (i == id + 1)
            (void)find(line, NULL, number, field, sizeof field);
    }
    if (file != NULL)
        (void)fclose(file);
    return field;
}

void fetcher_expect(unsigned id, const char *result, const struct hint *hint)
{
    char said[200];
    (void)snprintf(said, sizeof said, "%s", fetcher_said(id, "result"));
    lab_check(strcmp(said, result) == 0, hint->means, hint->look,
              "the report says '%s' of request %u, not '%s'; fetch-evloop's "
              "exit status is %d, its messages: %s",
              said, id, result, fetcher.status, fetcher.messages);
}

void fetcher_expect_status(int status, const struct hint *hint)
{
    lab_check(fetcher.status == status, hint->means, hint->look,
              "fetch-evloop's exit status is %d%s, not %d; its messages: %s",
              fetcher.status, fetcher.status >= 128 ? " (a signal)" : "",
              status, fetcher.messages);
}

/* --- Servers -------------------------------------------------------------- */

static _Noreturn void ended_early(const char *what, const struct hint *hint)
{
    char first[100];
    reap();
    (void)snprintf(first, sizeof first, "%s", fetcher_said(0, "result"));
    lab_fail(hint->means, hint->look,
             "fetch-evloop ended, with exit status %d, before it %s; the "
             "report says '%s' of request 0, its messages: %s",
             fetcher.status, what, first, fetcher.messages);
}

int fetcher_accept(int listener, const struct hint *hint)
{
    if (!wait_for(listener, hint))
        ended_early("connected to the server", hint);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd == -1)
        lab_broken("accept: %s", strerror(errno));
    return fd;
}

const char *fetcher_asks(int fd, const struct hint *hint)
{
    static char request[4096];
    for (size_t n = 0; n < sizeof request - 1;) {
        if (!wait_for(fd, hint))
            ended_early("sent its request", hint);
        ssize_t got = recv(fd, request + n, sizeof request - 1 - n, 0);
        if (got <= 0)
            return NULL;
        n += (size_t)got;
        request[n] = '\0';
        if (strstr(request, "\r\n\r\n") != NULL)
            return request;
    }
    lab_broken("a request of more than 4 KiB");
}

struct left {
    unsigned port; /* of the fetcher's end */
    unsigned peer; /* ... and of ours */
    size_t rest;
};

/* The kernel says how much of what has come is still in a socket. */
static bool has_read(void *context)
{
    const struct left *left = context;
    unsigned local, peer, waiting;
    char line[300];
    bool few = false;
    FILE *table = fopen("/proc/net/tcp", "re");
    if (table == NULL)
        lab_broken("/proc/net/tcp: %s", strerror(errno));
    while (fgets(line, sizeof line, table) != NULL)
        if (sscanf(line, "%*d: %*8x:%x %*8x:%x %*x %*x:%x", &local, &peer,
                   &waiting) == 3 &&
            local == left->port && peer == left->peer)
            few = waiting <= left->rest;
    (void)fclose(table);
    return few;
}

bool fetcher_has_read(int fd, size_t rest)
{
    struct sockaddr_in its, our;
    socklen_t size = sizeof its, same = sizeof our;
    if (getpeername(fd, (struct sockaddr *)&its, &size) == -1 ||
        getsockname(fd, (struct sockaddr *)&our, &same) == -1)
        lab_broken("no address of a connection: %s", strerror(errno));
    struct left left = {ntohs(its.sin_port), ntohs(our.sin_port), rest};
    wait_arrived(fd);
    return lab_eventually(has_read, &left);
}

/* --- The practice server -------------------------------------------------- */

static char origin[100];

const char *origin_start(void)
{
    char *argv[] = {(char *)"triptych-origin", (char *)"--port=0", NULL};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == -1)
        lab_broken("no pipe: %s", strerror(errno));
    if (start("triptych-origin", argv, ends[1]) == -1)
        lab_broken("cannot start triptych-origin: %s", strerror(errno));
    (void)close(ends[1]);
    FILE *file = fdopen(ends[0], "re");
    if (file == NULL || fgets(origin, sizeof origin, file) == NULL)
        lab_broken("triptych-origin does not say where it is");
    origin[strcspn(origin, "\n")] = '\0';
    size_t n = strlen(origin);
    if (n > 0 && origin[n - 1] == '/')
        origin[n - 1] = '\0';
    return origin; /* the pipe stays open: it has more to say */
}

long origin_count(const char *name)
{
    static const char request[] = "GET /stats HTTP/1.1\r\nHost: x\r\n"
                                  "Connection: close\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char answer[4000];
    size_t n = 0;
    ssize_t got;
    address.sin_port =
        htons((uint16_t)strtoul(strrchr(origin, ':') + 1, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) == -1)
        lab_broken("triptych-origin is gone");
    send_all(fd, request, sizeof request - 1);
    while ((got = recv(fd, answer + n, sizeof answer - 1 - n, 0)) > 0)
        n += (size_t)got;
    (void)close(fd);
    answer[n] = '\0';
    char *at = strstr(answer, name);
    at = at != NULL ? strpbrk(at, "0123456789") : NULL;
    if (at == NULL)
        lab_broken("/stats has no '%s'", name);
    return strtol(at, NULL, 10);
}
