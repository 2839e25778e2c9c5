/* measure: runs a program and looks at it from outside. See measure.h. */
#include "measure.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static _Noreturn void become(char *const argv[], const char *input, int out)
{
    int in = open(input != NULL ? input : "/dev/null", O_RDONLY);
    if (in == -1 || dup2(in, STDIN_FILENO) == -1 ||
        dup2(out, STDOUT_FILENO) == -1)
        _exit(126);
    (void)close(in);
    (void)close(out);
    execv(argv[0], argv);
    _exit(127);
}

/* Reads its output until that ends, and looks at it meanwhile. */
static int follow(pid_t pid, int fd, struct measure *out)
{
    char *chunk = malloc(CHUNK);
    double next = 0;
    ssize_t n;
    if (chunk == NULL)
        return -ENOMEM;
    do {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        n = 1;
        if (poll(&poll_fd, 1, MEASURE_LOOK_MS) > 0)
            n = read(fd, chunk, CHUNK);
        if (n > 0 && poll_fd.revents != 0)
            measure_hash(&out->hash, &out->bytes, chunk, (size_t)n);
        if (seconds_now() >= next) {
            look(pid, out);
            next = seconds_now() + MEASURE_LOOK_MS / 1000.0;
        }
    } while (n > 0 || (n == -1 && errno == EINTR));
    free(chunk);
    return 0;
}

int measure_start(char *const argv[], const char *input, pid_t *pid, int *fd)
{
    int ends[2];
    if (access(argv[0], X_OK) != 0 || pipe2(ends, O_CLOEXEC) == -1)
        return -errno;
    *pid = fork();
    int error = *pid == -1 ? -errno : 0;
    if (*pid == 0)
        become(argv, input, ends[1]);
    (void)close(ends[1]);
    *fd = ends[0];
    if (error != 0)
        (void)close(ends[0]);
    return error;
}

int measure_run(char *const argv[], const char *input, struct measure *out)
{
    int status;
    int fd;
    pid_t pid;
    struct rusage usage;
    *out = (struct measure){0};
    double begun = seconds_now();
    int error = measure_start(argv, input, &pid, &fd);
    if (error != 0)
        return error;
    error = follow(pid, fd, out);
    (void)close(fd);
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
