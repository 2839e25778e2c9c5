/* look: processes, seen from outside. See look.h. */
#include "look.h"

#include "lab.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How often in a row all must be found asleep, with nobody woken between. */
#define RESTS 60

/* Processor time, in seconds, that is far beyond what any test needs. */
#define SPENT  4

#define FAMILY 256

/* What /proc/PID/stat says. */
struct stat_line {
    char state;
    pid_t parent;
    unsigned long long born;
    unsigned long ticks; /* of processor time */
};

static bool read_file(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return false;
    ssize_t n = read(fd, text, size - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static bool read_stat(pid_t pid, struct stat_line *line)
{
    char path[40];
    char text[1000];
    unsigned long user, system;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!read_file(path, text, sizeof text))
        return false;
    const char *at = strrchr(text, ')'); /* the name may hold anything */
    if (at == NULL ||
        sscanf(at,
               ") %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d "
               "%*d %*d %*d %*d %*d %llu",
               &line->state, &line->parent, &user, &system, &line->born) != 5)
        return false;
    line->ticks = user + system;
    return true;
}

char look_state(pid_t pid)
{
    struct stat_line line;
    return read_stat(pid, &line) ? line.state : 0;
}

int look_children(pid_t parent, pid_t *children, int most)
{
    unsigned long long born[FAMILY];
    struct stat_line line;
    int n = 0;
    DIR *proc = opendir("/proc");
    if (proc == NULL)
        lab_broken("/proc cannot be read");
    struct dirent *entry;
    while ((entry = readdir(proc)) != NULL) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid <= 0 || n == most || n == FAMILY || !read_stat(pid, &line) ||
            line.parent != parent)
            continue;
        int at = n++; /* insertion sort: oldest first */
        for (;
             at > 0 && (born[at - 1] > line.born ||
                        (born[at - 1] == line.born && children[at - 1] > pid));
             at--) {
            children[at] = children[at - 1];
            born[at] = born[at - 1];
        }
        children[at] = pid;
        born[at] = line.born;
    }
    (void)closedir(proc);
    return n;
}

static int count_children(pid_t parent, bool zombies)
{
    pid_t children[FAMILY];
    int n = look_children(parent, children, FAMILY);
    int found = 0;
    for (int i = 0; i < n; i++) {
        char state = look_state(children[i]);
        found += state != 0 && (state == 'Z') == zombies ? 1 : 0;
    }
    return found;
}

int look_zombies(pid_t parent)
{
    return count_children(parent, true);
}

int look_living(pid_t parent)
{
    return count_children(parent, false);
}

/* --- Descriptors --------------------------------------------------------- */

static DIR *open_descriptors(pid_t pid)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    return opendir(path);
}

int look_descriptors(pid_t pid)
{
    DIR *fds = open_descriptors(pid);
    struct dirent *entry;
    int n = 0;
    if (fds == NULL)
        return -1;
    while ((entry = readdir(fds)) != NULL)
        n += isdigit((unsigned char)entry->d_name[0]) ? 1 : 0;
    (void)closedir(fds);
    return pid == getpid() ? n - 1 : n; /* one is that of the looking */
}

void look_target(pid_t pid, int fd, char *text, size_t size)
{
    char path[60];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    ssize_t n = readlink(path, text, size - 1);
    text[n > 0 ? n : 0] = '\0';
}

static bool opened_for_writing(pid_t pid, int fd)
{
    char path[60];
    char text[400];
    unsigned flags = 0;
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)pid, fd);
    if (!read_file(path, text, sizeof text))
        return false;
    const char *at = strstr(text, "flags:");
    if (at != NULL)
        (void)sscanf(at, "flags: %o", &flags);
    return (flags & O_ACCMODE) != O_RDONLY;
}

int look_ends(pid_t pid, struct look_end *ends, int most)
{
    DIR *fds = open_descriptors(pid);
    struct dirent *entry;
    int n = 0;
    if (fds == NULL)
        return 0;
    while (n < most && (entry = readdir(fds)) != NULL) {
        char text[100];
        unsigned long pipe;
        int fd = atoi(entry->d_name);
        if (fd <= STDERR_FILENO)
            continue;
        look_target(pid, fd, text, sizeof text);
        if (sscanf(text, "pipe:[%lu]", &pipe) == 1)
            ends[n++] =
                (struct look_end){fd, pipe, opened_for_writing(pid, fd)};
    }
    (void)closedir(fds);
    return n;
}

bool look_holds(pid_t pid, unsigned long pipe, bool writes)
{
    struct look_end ends[FAMILY];
    int n = look_ends(pid, ends, FAMILY);
    for (int i = 0; i < n; i++) {
        if (ends[i].pipe == pipe && ends[i].writes == writes)
            return true;
    }
    return false;
}

int look_in_pipes(pid_t reader, bool *full)
{
    struct look_end ends[FAMILY];
    int n = look_ends(reader, ends, FAMILY);
    int most = 0;
    for (int i = 0; i < n; i++) {
        char path[60];
        int bytes = 0;
        if (ends[i].writes)
            continue;
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)reader, ends[i].fd);
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd == -1)
            continue;
        (void)ioctl(fd, FIONREAD, &bytes);
        if (bytes > most) {
            most = bytes;
            /* A page that is not filled to its end may be the last one. */
            if (full != NULL)
                *full = bytes >= fcntl(fd, F_GETPIPE_SZ) - 4095;
        }
        (void)close(fd);
    }
    return most;
}

/* --- Waiting ------------------------------------------------------------- */

/* Everybody that descends from root, and root. */
static int find_family(pid_t root, pid_t *family)
{
    int n = 1;
    family[0] = root;
    for (int i = 0; i < n; i++)
        n += look_children(family[i], family + n, FAMILY - n);
    return n;
}

/* How often it has gone to sleep, or been put to. */
static unsigned long count_switches(pid_t pid)
{
    char path[40];
    char text[4000];
    unsigned long sum = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (!read_file(path, text, sizeof text))
        return 0;
    const char *at = text;
    while ((at = strstr(at, "voluntary_ctxt_switches:")) != NULL) {
        at += strlen("voluntary_ctxt_switches:");
        sum += strtoul(at, NULL, 10);
    }
    return sum;
}

/* True if nobody runs. *mark is then different when anybody has since. */
static bool all_sleep(pid_t root, unsigned long *mark, unsigned long *ticks)
{
    pid_t family[FAMILY];
    struct stat_line line;
    int n = find_family(root, family);
    bool asleep = true;
    *mark = (unsigned long)n;
    *ticks = 0;
    for (int i = 0; i < n; i++) {
        if (!read_stat(family[i], &line))
            continue; /* it ended just now, or before */
        asleep = asleep && strchr("SZ", line.state) != NULL;
        *mark += count_switches(family[i]) + 1000003UL * line.ticks +
                 (line.state == 'Z' ? 7919 : 0);
        *ticks += line.ticks;
    }
    return asleep;
}

enum look look_until(pid_t root, bool (*reached)(void *context), void *context)
{
    const struct timespec pauses[] = {{.tv_nsec = 1000 * 1000},
                                      {.tv_nsec = 15 * 1000 * 1000}};
    unsigned long spent = SPENT * (unsigned long)sysconf(_SC_CLK_TCK);
    unsigned long mark, ticks, first_ticks;
    unsigned long last = 0;
    int rests = 0;
    if (reached(context))
        return LOOK_REACHED;
    (void)all_sleep(root, &mark, &first_ticks);
    for (;;) {
        if (reached(context))
            return LOOK_REACHED;
        if (!all_sleep(root, &mark, &ticks))
            rests = 0;
        else
            rests = mark == last ? rests + 1 : 1;
        last = mark;
        if (rests > RESTS)
            return reached(context) ? LOOK_REACHED : LOOK_ASLEEP;
        if (ticks > first_ticks + spent)
            return LOOK_BUSY;
        (void)nanosleep(&pauses[rests > 3 ? 1 : 0], NULL);
    }
}

bool look_ended(void *context)
{
    char state = look_state(*(pid_t *)context);
    return state == 0 || state == 'Z';
}

/* --- Running a part of a test -------------------------------------------- */

/* Shared with the child; the strings are constants, which are at the same
 * place in both. */
struct stage {
    const char *doing;
    const char *means;
    const char *look;
};

static struct stage *stage;

void look_doing(const char *doing, const char *means, const char *look)
{
    *stage = (struct stage){doing, means, look};
    lab_doing(doing, means, look);
}

void look_run(void (*actor)(void))
{
    stage = mmap(NULL, sizeof *stage, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (stage == MAP_FAILED)
        lab_broken("no memory");
    look_doing("beginning", "nothing of the lab has run yet", "the machine");
    pid_t pid = fork();
    if (pid == -1)
        lab_broken("fork fails");
    if (pid == 0) {
        actor();
        _exit(0);
    }
    enum look look = look_until(pid, look_ended, &pid);
    lab_check(look != LOOK_ASLEEP, stage->means, stage->look,
              "it stands still while %s: %s", stage->doing, look_words(pid));
    lab_check(look == LOOK_REACHED, stage->means, stage->look,
              "it spins while %s: %d s of processor time are gone",
              stage->doing, SPENT);
    int status = -1;
    (void)waitpid(pid, &status, 0);
    lab_check(!WIFSIGNALED(status), stage->means, stage->look,
              "it is killed by signal %d (%s) while %s", WTERMSIG(status),
              strsignal(WTERMSIG(status)), stage->doing);
    lab_check(status == 0, stage->means, stage->look,
              "it ends with status %d while %s", WEXITSTATUS(status),
              stage->doing);
}

/* --- Words --------------------------------------------------------------- */

/* Appends "worker 12 sleeps (pipe_write)". */
static int put_words(char *text, size_t size, const char *who, pid_t pid)
{
    static const char kinds[] = "RSDTtZ";
    static const char *const words[] = {
        "runs", "sleeps", "waits", "is stopped", "is stopped", "is a zombie"};
    char path[40];
    char place[60] = "";
    char state = look_state(pid);
    const char *kind = state != 0 ? strchr(kinds, state) : NULL;
    snprintf(path, sizeof path, "/proc/%d/wchan", (int)pid);
    bool known = state == 'S' && read_file(path, place, sizeof place) &&
                 isalpha((unsigned char)place[0]);
    return snprintf(text, size, "%s %d %s%s%s%s", who, (int)pid,
                    kind != NULL ? words[kind - kinds] : "has ended",
                    known ? " (" : "", known ? place : "", known ? ")" : "");
}

const char *look_words(pid_t root)
{
    static char text[700];
    pid_t children[FAMILY];
    int n = look_children(root, children, FAMILY);
    size_t length = (size_t)put_words(text, sizeof text, "process", root);
    for (int i = 0; i < n && length < sizeof text - 120; i++) {
        length += (size_t)snprintf(text + length, sizeof text - length, ", ");
        length += (size_t)put_words(text + length, sizeof text - length,
                                    "its child", children[i]);
    }
    return text;
}
