/* fetching: the program, and a server for it. See fetching.h. */
#include "fetching.h"

#include "lab.h"
#include "look.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTIONS 200
#define WORDS       100
#define TEXT        400000

static struct {
    int listener;
    unsigned port;
    struct connection connections[CONNECTIONS];
    int count;
    int requests;
    bool obliges;
} server = {.listener = -1};

static struct {
    pid_t pid;
    int status;
    bool ended;
    int output;
    int errors;
    int report;
} program;

/* --- The server ---------------------------------------------------------- */

static void open_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    (void)signal(SIGPIPE, SIG_IGN);
    server.listener =
        socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server.listener == -1 ||
        bind(server.listener, (struct sockaddr *)&address, length) == -1 ||
        listen(server.listener, 128) == -1 ||
        getsockname(server.listener, (struct sockaddr *)&address, &length) ==
            -1)
        lab_broken("no server on loopback: %s", strerror(errno));
    server.port = ntohs(address.sin_port);
}

static void close_connection(struct connection *c)
{
    (void)close(c->fd);
    c->fd = -1;
    c->path[0] = '\0';
    bytes_free(&c->out);
}

static void accept_all(void)
{
    int fd;
    while ((fd = accept4(server.listener, NULL, NULL,
                         SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
        if (server.count == CONNECTIONS)
            lab_fail(
                "far more connections than requests were given", "the program",
                "the program has connected more than %d times", CONNECTIONS);
        server.connections[server.count++] = (struct connection){.fd = fd};
    }
}

static void flush_out(struct connection *c)
{
    while (c->fd != -1 && c->out.length > 0) {
        ssize_t n = send(c->fd, c->out.data, c->out.length, MSG_NOSIGNAL);
        if (n == -1 && errno == EAGAIN)
            return;
        if (n <= 0)
            close_connection(c);
        else
            bytes_drop(&c->out, (size_t)n);
    }
}

static void read_head(struct connection *c)
{
    while (c->fd != -1 && c->length < sizeof c->head - 1) {
        ssize_t n = recv(c->fd, c->head + c->length,
                         sizeof c->head - 1 - c->length, 0);
        if (n == -1 && errno == EAGAIN)
            return;
        if (n <= 0) {
            close_connection(c);
            return;
        }
        c->length += (size_t)n;
        c->head[c->length] = '\0';
        if (c->path[0] == '\0' && strstr(c->head, "\r\n\r\n") != NULL &&
            sscanf(c->head, "GET %199s", c->path) == 1) {
            c->taken = false;
            server.requests++;
        }
    }
}

/* Does what can be done without waiting. */
static void pump(void)
{
    accept_all();
    for (int i = 0; i < server.count; i++) {
        struct connection *c = &server.connections[i];
        read_head(c);
        if (server.obliges && c->fd != -1 && c->path[0] != '\0' && !c->taken)
            server_answer(c, "again");
        flush_out(c);
    }
}

void server_send(struct connection *c, const char *bytes, size_t n)
{
    if (bytes_append(&c->out, bytes, n) != 0)
        lab_broken("no memory");
    flush_out(c);
}

void server_answer(struct connection *c, const char *body)
{
    char head[100];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                     strlen(body));
    c->path[0] = '\0'; /* the next request may come */
    c->length = 0;
    server_send(c, head, (size_t)n);
    server_send(c, body, strlen(body));
}

int server_requests(void)
{
    pump();
    return server.requests;
}

void server_oblige(void)
{
    server.obliges = true;
}

/* --- Waiting ------------------------------------------------------------- */

struct wanted {
    const char *path; /* NULL: any */
    struct connection *found;
};

static bool has_ended(void)
{
    if (!program.ended &&
        waitpid(program.pid, &program.status, WNOHANG) == program.pid)
        program.ended = true;
    return program.ended;
}

static bool was_asked(void *context)
{
    struct wanted *wanted = context;
    pump();
    for (int i = 0; i < server.count && wanted->found == NULL; i++) {
        struct connection *c = &server.connections[i];
        if (c->fd != -1 && c->path[0] != '\0' && !c->taken &&
            (wanted->path == NULL || strcmp(c->path, wanted->path) == 0))
            wanted->found = c;
    }
    return wanted->found != NULL || has_ended();
}

/* In words: how it ended, or what it is doing, and what it said. */
static const char *how_it_stands(void)
{
    static char text[1400];
    const char *errors = program_errors();
    size_t length = strlen(errors);
    const char *tail = length > 500 ? errors + length - 500 : errors;
    if (!has_ended())
        snprintf(text, sizeof text, "%s", look_words(program.pid));
    else if (WIFSIGNALED(program.status))
        snprintf(text, sizeof text, "the program was killed by signal %d (%s)",
                 WTERMSIG(program.status),
                 strsignal(WTERMSIG(program.status)));
    else
        snprintf(text, sizeof text, "the program ended with status %d",
                 WEXITSTATUS(program.status));
    length = strlen(text);
    if (*tail != '\0')
        snprintf(text + length, sizeof text - length, "; it said: %s", tail);
    return text;
}

struct connection *server_expect(const char *path, const struct hint *hint)
{
    struct wanted wanted = {.path = path};
    enum look look = look_until(program.pid, was_asked, &wanted);
    lab_check(wanted.found != NULL, hint->means, hint->look,
              "no request%s%s comes%s: %s", path != NULL ? " for " : "",
              path != NULL ? path : "",
              look == LOOK_BUSY ? ", and the program spins" : "",
              how_it_stands());
    wanted.found->taken = true;
    return wanted.found;
}

struct connection *server_next(const struct hint *hint)
{
    return server_expect(NULL, hint);
}

struct condition {
    bool (*reached)(void *context);
    void *context;
    bool is;
};

static bool reached_or_ended(void *context)
{
    struct condition *condition = context;
    pump();
    condition->is = condition->reached(condition->context);
    return condition->is || has_ended();
}

void program_until(bool (*reached)(void *context), void *context,
                   const char *what, const struct hint *hint)
{
    struct condition condition = {reached, context, false};
    (void)look_until(program.pid, reached_or_ended, &condition);
    lab_check(condition.is, hint->means, hint->look, "%s: in vain: %s", what,
              how_it_stands());
}

/* --- The program --------------------------------------------------------- */

static int make_memory(const char *name)
{
    int fd = memfd_create(name, 0);
    if (fd == -1)
        lab_broken("memfd_create: %s", strerror(errno));
    return fd;
}

static _Noreturn void become(char **words, int input)
{
    char path[1000];
    const char *bin = getenv("LAB_BIN");
    snprintf(path, sizeof path, "%s/fetch-processes", bin != NULL ? bin : ".");
    if (input == -1)
        input = open("/dev/null", O_RDONLY);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(input, STDIN_FILENO);
    (void)dup2(program.output, STDOUT_FILENO);
    (void)dup2(program.errors, STDERR_FILENO);
    (void)close(program.output);
    (void)close(program.errors);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)execv(path, words);
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    _exit(127);
}

void program_start(const char *const *words, int *input)
{
    static char urls[WORDS][300];
    static char report[60];
    static char *all[WORDS + 5] = {"fetch-processes", "-q", "--report",
                                   report};
    int ends[2] = {-1, -1};
    open_server();
    program.output = make_memory("output");
    program.errors = make_memory("errors");
    program.report = make_memory("report");
    snprintf(report, sizeof report, "/proc/self/fd/%d", program.report);
    int n = 4;
    for (int i = 0; words[i] != NULL && i < WORDS; i++) {
        all[n++] = urls[i];
        if (words[i][0] == '/')
            snprintf(urls[i], sizeof urls[i], "http://127.0.0.1:%u%s",
                     server.port, words[i]);
        else
            snprintf(urls[i], sizeof urls[i], "%s", words[i]);
    }
    all[n] = NULL;
    if (input != NULL && pipe2(ends, O_CLOEXEC) == -1)
        lab_broken("pipe: %s", strerror(errno));
    program.pid = fork();
    if (program.pid == -1)
        lab_broken("fork: %s", strerror(errno));
    if (program.pid == 0)
        become(all, ends[0]);
    if (input != NULL) {
        (void)close(ends[0]);
        *input = ends[1];
    }
}

void program_feed(int input, const char *path)
{
    char line[300];
    int n = snprintf(line, sizeof line, "http://127.0.0.1:%u%s\n", server.port,
                     path);
    if (write(input, line, (size_t)n) != n)
        lab_broken("the program's standard input is closed");
}

pid_t program_pid(void)
{
    return program.pid;
}

static bool ended(void *context)
{
    (void)context;
    return has_ended();
}

int program_finish(const struct hint *hint)
{
    program_until(ended, NULL, "waiting for the program to end", hint);
    lab_check(WIFEXITED(program.status), hint->means, hint->look, "%s",
              how_it_stands());
    return WEXITSTATUS(program.status);
}

/* The whole of a file in memory, as a string; good until `text` is reused. */
static const char *read_memory(int fd, char *text)
{
    size_t length = 0;
    ssize_t n;
    while (length < TEXT &&
           (n = pread(fd, text + length, TEXT - length, (off_t)length)) > 0)
        length += (size_t)n;
    text[length] = '\0';
    return text;
}

const char *program_output(void)
{
    static char text[TEXT + 1];
    return read_memory(program.output, text);
}

const char *program_errors(void)
{
    static char text[TEXT + 1];
    return read_memory(program.errors, text);
}

/* Copies field number `at` of a line. */
static void copy_field(const char *line, int at, char *to, size_t size)
{
    while (at-- > 0 && *line != '\0')
        line += strcspn(line, "\t\n") + 1;
    size_t n = strcspn(line, "\t\n");
    snprintf(to, size, "%.*s", (int)n, line);
}

const char *program_said(int row, const char *column)
{
    static char text[TEXT + 1];
    static char fields[8][40];
    static int next;
    char *field = fields[next++ % 8];
    char name[40];
    int at = 0;
    const char *line = read_memory(program.report, text);
    const char *rows = line;
    do
        copy_field(line, at++, name, sizeof name);
    while (strcmp(name, column) != 0 && at < 30);
    for (int i = 0; i <= row; i++) {
        rows = strchr(rows, '\n');
        lab_check(rows != NULL && rows[1] != '\0',
                  "a request is lost: it has no line in the report",
                  "request.c: where a request ends",
                  "the report has no line for request %d", row);
        rows++;
    }
    copy_field(rows, at - 1, field, sizeof fields[0]);
    return field;
}

/* --- Who is who ---------------------------------------------------------- */

/* The inode of the socket at the other end. */
static unsigned long find_inode(const struct connection *c)
{
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    char line[400];
    unsigned long inode = 0;
    if (getpeername(c->fd, (struct sockaddr *)&peer, &length) == -1)
        return 0;
    FILE *file = fopen("/proc/net/tcp", "re");
    if (file == NULL)
        lab_broken("/proc/net/tcp: %s", strerror(errno));
    while (inode == 0 && fgets(line, sizeof line, file) != NULL) {
        unsigned mine, theirs;
        unsigned long found;
        if (sscanf(line,
                   " %*d: %*x:%x %*x:%x %*x %*x:%*x %*x:%*x %*x %*d %*d %lu",
                   &mine, &theirs, &found) == 3 &&
            mine == ntohs(peer.sin_port) && theirs == server.port)
            inode = found;
    }
    (void)fclose(file);
    return inode;
}

static bool has_socket(pid_t pid, unsigned long inode)
{
    char wanted[60];
    char target[60];
    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    for (int fd = 0; fd < 4096; fd++) {
        look_target(pid, fd, target, sizeof target);
        if (strcmp(target, wanted) == 0)
            return true;
        if (target[0] == '\0' && fd > 200)
            break;
    }
    return false;
}

pid_t server_worker(const struct connection *c)
{
    pid_t children[100];
    int n = look_children(program.pid, children, 100);
    unsigned long inode = find_inode(c);
    for (int i = 0; i < n && inode != 0; i++) {
        if (has_socket(children[i], inode))
            return children[i];
    }
    lab_fail("requests are made by the workers, and workers are children of "
             "the program",
             "make_worker, and run_child",
             "no child of the program has the connection on which %s was "
             "asked: %s",
             c->path, look_words(program.pid));
}

void server_kill(const struct connection *c)
{
    pid_t pid = server_worker(c);
    if (kill(pid, SIGKILL) == -1 ||
        look_until(pid, look_ended, &pid) != LOOK_REACHED)
        lab_broken("worker %d cannot be killed", (int)pid);
}
