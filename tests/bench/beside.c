/* beside: where our other programs are. See beside.h. */
#include "beside.h"

#include <libgen.h>
#include <stdio.h>
#include <unistd.h>

void beside_find(char fetchers[PATH_MAX], char tools[PATH_MAX])
{
    char self[PATH_MAX] = "";
    char path[PATH_MAX + 40];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    snprintf(tools, PATH_MAX, "%s", dirname(self));
    snprintf(fetchers, PATH_MAX, "%s", tools);
    snprintf(path, sizeof path, "%s/fetch-threads", tools);
    if (access(path, X_OK) != 0) /* build/release/tests */
        snprintf(fetchers, PATH_MAX, "%s", dirname(self));
}
