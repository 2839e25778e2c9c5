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
