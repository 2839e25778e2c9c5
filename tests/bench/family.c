/* family: a program and its descendants, from outside. See family.h. */
#include "family.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAMILY_MOST 20000

static pid_t family[FAMILY_MOST];

/* The process and all its descendants that are alive. Returns how many. */
static size_t find_family(pid_t parent)
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

/* Reads a short file of /proc; "" if it is not there. */
static void read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd != -1 ? read(fd, text, size - 1) : -1;
    if (fd != -1)
        (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
}

/* The number behind `name`, which begins a line. */
static unsigned long number_of(const char *text, const char *name)
{
    const char *line = strstr(text, name);
    return line != NULL ? strtoul(line + strlen(name), NULL, 10) : 0;
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
    read_text(path, text, sizeof text);
    return number_of(text, "\nPss:") * 1024;
}

size_t family_memory(pid_t pid)
{
    size_t count = find_family(pid);
    size_t pss = 0;
    for (size_t i = 0; i < count; i++)
        pss += pss_of(family[i]);
    return pss;
}

void family_look(pid_t pid, struct family *now)
{
    size_t count = find_family(pid);
    *now = (struct family){.processes = (unsigned)count};
    for (size_t i = 0; i < count; i++) {
        char path[64];
        now->pss += pss_of(family[i]);
        snprintf(path, sizeof path, "/proc/%ld/task", (long)family[i]);
        now->threads += count_entries(path);
        snprintf(path, sizeof path, "/proc/%ld/fd", (long)family[i]);
        now->descriptors += count_entries(path);
    }
}

/* --- Weighing ----------------------------------------------------------- */

/* On all machines of 64 bits that Linux calls small. */
#define KERNEL_STACK ((size_t)16 * 1024)

/* The inodes of all sockets that were seen, some of them more than once. */
struct inodes {
    unsigned long *all;
    size_t count;
    size_t size;
};

static void add_inode(struct inodes *inodes, unsigned long inode)
{
    if (inodes->count == inodes->size) {
        size_t size = 2 * inodes->size + 1024;
        unsigned long *more = realloc(inodes->all, size * sizeof *inodes->all);
        if (more == NULL)
            return;
        inodes->all = more;
        inodes->size = size;
    }
    inodes->all[inodes->count++] = inode;
}

static void find_sockets(const char *path, struct inodes *inodes)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char text[64];
        unsigned long inode;
        ssize_t n =
            readlinkat(dirfd(directory), entry->d_name, text, sizeof text - 1);
        text[n > 0 ? n : 0] = '\0';
        if (sscanf(text, "socket:[%lu", &inode) == 1)
            add_inode(inodes, inode);
    }
    if (directory != NULL)
        (void)closedir(directory);
}

static int by_number(const void *a, const void *b)
{
    unsigned long x = *(const unsigned long *)a;
    unsigned long y = *(const unsigned long *)b;
    return (x > y) - (x < y);
}

/* A socket that was inherited has one inode in all processes. */
static size_t count_once(struct inodes *inodes)
{
    size_t count = 0;
    if (inodes->count > 0)
        qsort(inodes->all, inodes->count, sizeof *inodes->all, by_number);
    for (size_t i = 0; i < inodes->count; i++)
        count += i == 0 || inodes->all[i] != inodes->all[i - 1];
    return count;
}

void family_weigh(pid_t pid, struct weight *now)
{
    struct inodes inodes = {0};
    size_t count = find_family(pid);
    *now = (struct weight){0};
    for (size_t i = 0; i < count; i++) {
        char path[64];
        char text[4096];
        snprintf(path, sizeof path, "/proc/%ld/status", (long)family[i]);
        read_text(path, text, sizeof text);
        now->page_tables += number_of(text, "\nVmPTE:") * 1024;
        now->kernel_stacks += number_of(text, "\nThreads:") * KERNEL_STACK;
        snprintf(path, sizeof path, "/proc/%ld/fd", (long)family[i]);
        find_sockets(path, &inodes);
    }
    now->sockets = count_once(&inodes);
    free(inodes.all);
}

size_t family_socket_size(void)
{
    static const char *const caches[] = {"TCP ", "sock_inode_cache ", "filp ",
                                         "dentry "};
    char line[400];
    size_t total = 0;
    unsigned found = 0;
    FILE *file = fopen("/proc/slabinfo", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        for (size_t i = 0; i < 4; i++) {
            size_t size;
            if (strncmp(line, caches[i], strlen(caches[i])) == 0 &&
                sscanf(line, "%*s %*u %*u %zu", &size) == 1) {
                total += size;
                found++;
            }
        }
    }
    if (file != NULL)
        (void)fclose(file);
    return found == 4 ? total : 0;
}

static unsigned long switches_of(const char *directory, const char *thread)
{
    char path[400];
    char text[4096];
    snprintf(path, sizeof path, "%s/%s/status", directory, thread);
    read_text(path, text, sizeof text);
    return number_of(text, "\nvoluntary_ctxt_switches:") +
           number_of(text, "\nnonvoluntary_ctxt_switches:");
}

unsigned long family_switches(pid_t pid)
{
    unsigned long total = 0;
    size_t count = find_family(pid);
    for (size_t i = 0; i < count; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%ld/task", (long)family[i]);
        DIR *directory = opendir(path);
        struct dirent *entry;
        while (directory != NULL && (entry = readdir(directory)) != NULL) {
            if (entry->d_name[0] != '.')
                total += switches_of(path, entry->d_name);
        }
        if (directory != NULL)
            (void)closedir(directory);
    }
    return total;
}

/* --- Killing ------------------------------------------------------------ */

void family_kill_child(pid_t pid)
{
    size_t count = find_family(pid);
    if (count > 1)
        (void)kill(family[1 + (size_t)rand() % (count - 1)], SIGKILL);
}
