/* practice: a practice server of one's own. See practice.h. */
#include "practice.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int practice_start(const char *path, const char *option,
                   const struct measure_setting *setting, pid_t *pid,
                   char *base, size_t size)
{
    char *const argv[] = {(char *)path, (char *)"--port=0", (char *)option,
                          NULL};
    char line[100] = "";
    int fd;
    static const struct measure_setting usual = {0};
    int error =
        measure_start(argv, setting != NULL ? setting : &usual, pid, &fd);
    if (error != 0)
        return error;
    FILE *out = fdopen(fd, "r");
    if (out == NULL || fgets(line, sizeof line, out) == NULL)
        error = -EIO;
    if (out != NULL)
        (void)fclose(out);
    else
        (void)close(fd);
    if (error != 0) {
        practice_stop(*pid);
        return error;
    }
    line[strcspn(line, "\n")] = '\0';
    snprintf(base, size, "%s", line);
    return 0;
}

/* Until it has become the server it has our handlers, and a signal would be
 * lost in them: it is told again until it has ended. */
void practice_stop(pid_t pid)
{
    static const struct timespec pause = {.tv_nsec = 2000000};
    pid_t ended;
    do {
        (void)kill(pid, SIGTERM);
        (void)nanosleep(&pause, NULL);
        ended = waitpid(pid, NULL, WNOHANG);
    } while (ended == 0 || (ended == -1 && errno == EINTR));
}
