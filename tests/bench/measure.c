/* measure: runs a program and looks at it from outside. See measure.h. */
#include "measure.h"

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

#define CHUNK ((size_t)256 * 1024)

/* How often it is looked at most, unless the setting says so. */
#define LOOK_MS 20

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

static void kill_all(pid_t pid, const struct measure_setting *setting)
{
    (void)kill(setting->own_group ? -pid : pid, SIGKILL);
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

/* --- Watching ----------------------------------------------------------- */

int watch_begin(struct watch *watch, char *const argv[],
                const struct measure_setting *setting, struct measure *out)
{
    *out = (struct measure){0};
    *watch = (struct watch){.setting = setting, .out = out};
    watch->chunk = malloc(CHUNK);
    if (watch->chunk == NULL)
        return -ENOMEM;
    watch->begun = seconds_now();
    int error = measure_start(argv, setting, &watch->pid, &watch->fd);
    if (error != 0) {
        free(watch->chunk);
        return error;
    }
    if (setting->kill_ms > 0)
        watch->next_kill = watch->begun + setting->kill_ms / 1000.0;
    if (setting->limit > 0)
        watch->end = watch->begun + setting->limit;
    return 0;
}

static void look(struct watch *watch)
{
    const struct family *now = &watch->now;
    struct measure *out = watch->out;
    family_look(watch->pid, &watch->now);
    if (now->pss > out->peak_pss)
        out->peak_pss = now->pss;
    if (now->threads > out->threads)
        out->threads = now->threads;
    if (now->processes > out->processes)
        out->processes = now->processes;
    if (now->descriptors > out->descriptors)
        out->descriptors = now->descriptors;
}

/* A signal that comes just before poll does not wake it up. */
#define STOP_MS 100

int watch_due(struct watch *watch)
{
    const struct measure_setting *setting = watch->setting;
    double now = seconds_now();
    if (setting->unseen)
        watch->next_look = now + 1;
    if (now >= watch->next_look) {
        unsigned ms = setting->look_ms > 0 ? setting->look_ms : LOOK_MS;
        look(watch);
        double took = seconds_now() - now;
        double pause = ms / 1000.0;
        watch->next_look =
            now + took + (pause > 20 * took ? pause : 20 * took);
    }
    if (watch->next_kill != 0 && now >= watch->next_kill) {
        if (setting->has_workers)
            family_kill_child(watch->pid);
        else
            (void)kill(watch->pid, SIGKILL);
        watch->next_kill = now + setting->kill_ms / 1000.0;
    }
    if ((watch->end != 0 && now >= watch->end) ||
        (setting->stop != NULL && *setting->stop))
        kill_all(watch->pid, setting);
    double soonest = watch->next_look;
    if (watch->next_kill != 0 && watch->next_kill < soonest)
        soonest = watch->next_kill;
    if (watch->next_read > now && watch->next_read < soonest)
        soonest = watch->next_read;
    int ms = (int)((soonest - seconds_now()) * 1000) + 1;
    if (setting->stop != NULL && ms > STOP_MS)
        ms = STOP_MS;
    return ms > 0 ? ms : 0;
}

bool watch_reads(const struct watch *watch)
{
    return seconds_now() >= watch->next_read;
}

bool watch_read(struct watch *watch)
{
    struct measure *out = watch->out;
    ssize_t n = read(watch->fd, watch->chunk, CHUNK);
    if (n <= 0)
        return n == -1 && errno == EINTR;
    if (out->bytes < sizeof out->text - 1) {
        size_t room = sizeof out->text - 1 - (size_t)out->bytes;
        memcpy(out->text + out->bytes, watch->chunk,
               (size_t)n < room ? (size_t)n : room);
    }
    measure_hash(&out->hash, &out->bytes, watch->chunk, (size_t)n);
    if (watch->setting->rate > 0)
        watch->next_read =
            watch->begun + (double)out->bytes / watch->setting->rate;
    return true;
}

int watch_end(struct watch *watch)
{
    struct measure *out = watch->out;
    struct rusage usage;
    int status;
    (void)close(watch->fd);
    free(watch->chunk);
    while (wait4(watch->pid, &status, 0, &usage) == -1) {
        if (errno != EINTR)
            return -errno;
    }
    out->wall = seconds_now() - watch->begun;
    out->user = seconds_of(usage.ru_utime);
    out->system = seconds_of(usage.ru_stime);
    out->voluntary = usage.ru_nvcsw;
    out->involuntary = usage.ru_nivcsw;
    out->status =
        WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}

void watch_kill(struct watch *watch)
{
    kill_all(watch->pid, watch->setting);
}

int measure_run(char *const argv[], const struct measure_setting *setting,
                struct measure *out)
{
    struct watch watch;
    bool more = true;
    int error = watch_begin(&watch, argv, setting, out);
    while (error == 0 && more) {
        int ms = watch_due(&watch);
        struct pollfd poll_fd = {.fd = watch_reads(&watch) ? watch.fd : -1,
                                 .events = POLLIN};
        if (poll(&poll_fd, 1, ms) > 0)
            more = watch_read(&watch);
    }
    return error == 0 ? watch_end(&watch) : error;
}
