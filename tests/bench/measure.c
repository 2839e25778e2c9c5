/* measure: runs a program and looks at it from outside. See measure.h. */
#include "measure.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FAMILY_MOST 20000
#define CHUNK       ((size_t)256 * 1024)

/* --- Hashing ------------------------------------------------------------ */

/* Eight bytes at a time where they are aligned in the stream; it is to notice
 * bytes that are lost, doubled or moved, not to withstand anybody. */
void measure_hash(uint64_t *hash, uint64_t *length, const void *bytes,
                  size_t n)
{
    const unsigned char *p = bytes;
    const uint64_t prime = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t h = *hash;
    for (size_t i = 0; i < n;) {
        size_t place = (size_t)((*length + i) % 8);
        if (place == 0)
            h = (h ^ (h >> 29)) * prime;
        if (place == 0 && n - i >= 8) {
            uint64_t word;
            memcpy(&word, p + i, 8); /* little-endian, as is the shift below */
            h += word;
            i += 8;
        } else {
            h += (uint64_t)p[i] << (8 * place);
            i++;
        }
    }
    *hash = h;
    *length += n;
}

/* --- Looking ------------------------------------------------------------ */

static unsigned count_entries(const char *path)
{
    unsigned count = 0;
    DIR *directory = opendir(path);
    if (directory == NULL)
        return 0;
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.';
    (void)closedir(directory);
    return count;
}

static size_t pss_of(pid_t pid)
{
    char path[64];
    char text[2048];
    snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    const char *line = strstr(text, "\nPss:");
    return line != NULL ? (size_t)strtoul(line + 5, NULL, 10) * 1024 : 0;
}

/* The process and all its descendants that are alive. Returns how many. */
static size_t find_family(pid_t parent, pid_t *family)
{
    size_t count = 1;
    family[0] = parent;
    for (size_t i = 0; i < count; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%ld/task/%ld/children",
                 (long)family[i], (long)family[i]);
        FILE *file = fopen(path, "re");
        long child;
        while (file != NULL && count < FAMILY_MOST &&
               fscanf(file, "%ld", &child) == 1)
            family[count++] = (pid_t)child;
        if (file != NULL)
            (void)fclose(file);
    }
    return count;
}

size_t measure_memory(pid_t pid)
{
    static pid_t family[FAMILY_MOST];
    size_t count = find_family(pid, family);
    size_t pss = 0;
    for (size_t i = 0; i < count; i++)
        pss += pss_of(family[i]);
    return pss;
}

static void look(pid_t pid, struct measure *out)
{
    static pid_t family[FAMILY_MOST];
    size_t count = find_family(pid, family);
    size_t pss = 0;
    unsigned threads = 0;
    unsigned descriptors = 0;
    for (size_t i = 0; i < count; i++) {
        char path[64];
        pss += pss_of(family[i]);
        snprintf(path, sizeof path, "/proc/%ld/task", (long)family[i]);
        threads += count_entries(path);
        snprintf(path, sizeof path, "/proc/%ld/fd", (long)family[i]);
        descriptors += count_entries(path);
    }
    if (pss > out->peak_pss)
        out->peak_pss = pss;
    if (threads > out->threads)
        out->threads = threads;
    if (count > out->processes)
        out->processes = (unsigned)count;
    if (descriptors > out->descriptors)
        out->descriptors = descriptors;
}

/* --- Running ------------------------------------------------------------ */

static double seconds_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static _Noreturn void become(char *const argv[],
                             const struct measure_setting *setting, int out)
{
    const char *input = setting->input;
    /* SIGTERM, for nginx passes that on to its workers. */
    if (setting->own_group &&
        (setpgid(0, 0) == -1 || prctl(PR_SET_PDEATHSIG, SIGTERM) == -1))
        _exit(126);
    int in = open(input != NULL ? input : "/dev/null", O_RDONLY);
    if (in == -1 || dup2(in, STDIN_FILENO) == -1 ||
        dup2(out, STDOUT_FILENO) == -1)
        _exit(126);
    (void)close(in);
    (void)close(out);
    if (setting->errors != NULL) {
        int errors = open(setting->errors, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        if (errors == -1 || dup2(errors, STDERR_FILENO) == -1)
            _exit(126);
        (void)close(errors);
    }
    if (setting->core_count > 0) {
        cpu_set_t cores;
        CPU_ZERO(&cores);
        for (unsigned i = 0; i < setting->core_count; i++)
            CPU_SET(setting->first_core + i, &cores);
        if (sched_setaffinity(0, sizeof cores, &cores) == -1)
            _exit(126);
    }
    execv(argv[0], argv);
    _exit(127);
}

/* Kills one of its children, or, when it never had any, the program: one whose
 * children have all done their work and ended is spared. */
static void kill_something(pid_t pid, bool *had_children)
{
    static pid_t family[FAMILY_MOST];
    size_t count = find_family(pid, family);
    if (count > 1)
        *had_children = true;
    size_t which = count > 1 ? 1 + (size_t)rand() % (count - 1) : 0;
    if (which != 0 || !*had_children)
        (void)kill(family[which], SIGKILL);
}

static void kill_all(pid_t pid, const struct measure_setting *setting)
{
    (void)kill(setting->own_group ? -pid : pid, SIGKILL);
}

/* When the next of several things is due; 0: never. */
struct moments {
    double look;
    double kill;
    double read; /* again, at a limited rate */
    double end;
    bool had_children;
};

/* A signal that comes just before poll does not wake it up. */
#define STOP_MS 100

/* Does what is due. Returns how long there is until the next thing, in ms. */
static int do_due(pid_t pid, const struct measure_setting *setting,
                  struct moments *next, struct measure *out)
{
    double now = seconds_now();
    if (now >= next->look) {
        look(pid, out);
        double took = seconds_now() - now;
        double pause = MEASURE_LOOK_MS / 1000.0;
        next->look = now + took + (pause > 20 * took ? pause : 20 * took);
    }
    if (next->kill != 0 && now >= next->kill) {
        kill_something(pid, &next->had_children);
        next->kill = now + setting->kill_ms / 1000.0;
    }
    if ((next->end != 0 && now >= next->end) ||
        (setting->stop != NULL && *setting->stop))
        kill_all(pid, setting);
    double soonest = next->look;
    if (next->kill != 0 && next->kill < soonest)
        soonest = next->kill;
    if (next->read > now && next->read < soonest)
        soonest = next->read;
    int ms = (int)((soonest - seconds_now()) * 1000) + 1;
    if (setting->stop != NULL && ms > STOP_MS)
        ms = STOP_MS;
    return ms > 0 ? ms : 0;
}

/* Reads its output until that ends, and looks at it meanwhile. */
static int follow(pid_t pid, int fd, const struct measure_setting *setting,
                  struct measure *out)
{
    char *chunk = malloc(CHUNK);
    double begun = seconds_now();
    struct moments next = {
        .kill = setting->kill_ms > 0 ? begun + setting->kill_ms / 1000.0 : 0,
        .end = setting->limit > 0 ? begun + setting->limit : 0};
    ssize_t n = 1;
    if (chunk == NULL)
        return -ENOMEM;
    while (n > 0 || (n == -1 && errno == EINTR)) {
        int ms = do_due(pid, setting, &next, out);
        bool reads = seconds_now() >= next.read;
        struct pollfd poll_fd = {.fd = reads ? fd : -1, .events = POLLIN};
        n = 1;
        if (poll(&poll_fd, 1, ms) <= 0)
            continue;
        n = read(fd, chunk, CHUNK);
        if (n > 0 && out->bytes < sizeof out->text - 1) {
            size_t room = sizeof out->text - 1 - (size_t)out->bytes;
            memcpy(out->text + out->bytes, chunk,
                   (size_t)n < room ? (size_t)n : room);
        }
        if (n > 0)
            measure_hash(&out->hash, &out->bytes, chunk, (size_t)n);
        if (setting->rate > 0)
            next.read = begun + (double)out->bytes / setting->rate;
    }
    free(chunk);
    return 0;
}

int measure_start(char *const argv[], const struct measure_setting *setting,
                  pid_t *pid, int *fd)
{
    int ends[2];
    if (access(argv[0], X_OK) != 0 || pipe2(ends, O_CLOEXEC) == -1)
        return -errno;
    *pid = fork();
    int error = *pid == -1 ? -errno : 0;
    if (*pid == 0)
        become(argv, setting, ends[1]);
    if (*pid > 0 && setting->own_group)
        (void)setpgid(*pid, *pid); /* whoever of the two is first */
    (void)close(ends[1]);
    *fd = ends[0];
    if (error != 0)
        (void)close(ends[0]);
    return error;
}

int measure_run(char *const argv[], const struct measure_setting *setting,
                struct measure *out)
{
    int status;
    int fd;
    pid_t pid;
    struct rusage usage;
    *out = (struct measure){0};
    double begun = seconds_now();
    int error = measure_start(argv, setting, &pid, &fd);
    if (error != 0)
        return error;
    error = follow(pid, fd, setting, out);
    (void)close(fd);
    if (error != 0)
        kill_all(pid, setting);
    while (wait4(pid, &status, 0, &usage) == -1) {
        if (errno != EINTR)
            return -errno;
    }
    out->wall = seconds_now() - begun;
    out->user = seconds_of(usage.ru_utime);
    out->system = seconds_of(usage.ru_stime);
    out->voluntary = usage.ru_nvcsw;
    out->involuntary = usage.ru_nivcsw;
    out->status =
        WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return error;
}
