/* module: parts of the programs that are loaded when they are needed. See
 * module.h. */
#include "module.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* More than a module and its libraries take. */
#define LOADING_ROOM ((size_t)24 * 1024 * 1024)

/* Threads may take and give back what is short between two looks at it. */
#define LOADING_TRIES 3

/* Where the module is: beside the program, as in the build tree, or where it
 * is installed. Both are seen from the program: the installation can be moved,
 * and (unlike with DT_RUNPATH) starting looks for no other library there. */
static bool find(const char *file, char *path, size_t size)
{
    static const char *const places[] = {"", TRIPTYCH_MODULES "/"};
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program);
    if (length <= 0 || (size_t)length == sizeof program)
        return false;
    const char *slash = memrchr(program, '/', (size_t)length);
    if (slash == NULL)
        return false;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int n = snprintf(path, size, "%.*s%s%s", (int)(slash + 1 - program),
                         program, places[i], file);
        if (n > 0 && (size_t)n < size && access(path, R_OK) == 0)
            return true;
    }
    return false;
}

bool module_is_there(const char *file)
{
    char path[PATH_MAX];
    return find(file, path, sizeof path);
}

/* dlopen tells in words only why it has failed, and not even errno. Is what it
 * takes short? That passes, and the request starts over then. A negative
 * errno; 0: it is not. */
static int shortage(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return -errno;
    (void)close(fd);
    void *room = mmap(NULL, LOADING_ROOM, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return -errno;
    (void)munmap(room, LOADING_ROOM);
    return 0;
}

/* There is no use in trying again. */
static int give_up_locked(struct module *module, const char *cause)
{
    snprintf(module->fault, sizeof module->fault, "%s%s",
             cause[0] == ' ' ? module->file : "", cause);
    return -MODULE_NOT_THERE;
}

int module_load_locked(struct module *module)
{
    char path[PATH_MAX];
    if (module->table != NULL)
        return 0;
    if (module->fault[0] != '\0')
        return -MODULE_NOT_THERE;
    if (!find(module->file, path, sizeof path))
        return give_up_locked(module, " is not installed");
    void *handle = NULL;
    for (int i = 0; i < LOADING_TRIES && handle == NULL; i++) {
        handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        int error = handle == NULL ? shortage() : 0;
        if (error != 0)
            return error;
    }
    const void *table = handle != NULL ? dlsym(handle, module->symbol) : NULL;
    if (table == NULL)
        return give_up_locked(module, dlerror());
    if (strcmp(*(const char *const *)table, TRIPTYCH_VERSION) != 0)
        return give_up_locked(module, " is of another version");
    module->table = table;
    return 0;
}
