/* scratch: a directory for files that are removed again. See scratch.h. */
#include "scratch.h"

#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

int scratch_make(const char *name, char *path, size_t size)
{
    static const char memory[] = "/dev/shm";
    struct statvfs status;
    const char *where = getenv("TMPDIR");
    bool roomy = statvfs(memory, &status) == 0 &&
                 status.f_bavail * status.f_frsize > 1UL << 30;
    if (where == NULL || *where == '\0')
        where = roomy && access(memory, W_OK) == 0 ? memory : P_tmpdir;
    int n = snprintf(path, size, "%s/%s-XXXXXX", where, name);
    if (n < 0 || (size_t)n >= size) {
        path[0] = '\0';
        return -ENAMETOOLONG;
    }
    if (mkdtemp(path) != NULL)
        return 0;
    path[0] = '\0';
    return -errno;
}

static int remove_one(const char *path, const struct stat *status, int kind,
                      struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    (void)remove(path);
    return 0;
}

void scratch_remove(const char *path)
{
    (void)nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS);
}
