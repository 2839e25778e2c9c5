/* tls_load: tls, by way of a module that is loaded when it is needed. See
 * tls.h and tls_module.h. */
#include "tls.h"

#include "tls_module.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MODULE "triptych-tls.so"

/* More than the module and its libraries take. */
#define LOADING_ROOM ((size_t)16 * 1024 * 1024)

/* Threads may take and give back what is short between two looks at it. */
#define LOADING_TRIES 3

const char tls_missing[] = MODULE " is not installed";

/* Written once, behind the lock of struct tls, before there is a session or an
 * error to be told. The module is never unloaded. */
static const struct tls_module *module; /* NULL: not loaded */
static char fault[200];                 /* why it cannot be; "": it can */

/* --- Loading ------------------------------------------------------------ */

/* Where the module is: beside the program, as in the build tree, or where it
 * is installed. Both are seen from the program: the installation can be moved,
 * and (unlike with DT_RUNPATH) starting looks for no other library there. */
static bool find(char *path, size_t size)
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
                         program, places[i], MODULE);
        if (n > 0 && (size_t)n < size && access(path, R_OK) == 0)
            return true;
    }
    return false;
}

bool tls_is_there(void)
{
    char path[PATH_MAX];
    return find(path, sizeof path);
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
static int give_up_locked(const char *cause)
{
    snprintf(fault, sizeof fault, "%s", cause);
    return -TLS_NOT_THERE;
}

static int load_locked(void)
{
    char path[PATH_MAX];
    if (module != NULL)
        return 0;
    if (fault[0] != '\0')
        return -TLS_NOT_THERE;
    if (!find(path, sizeof path))
        return give_up_locked(tls_missing);
    void *handle = NULL;
    for (int i = 0; i < LOADING_TRIES && handle == NULL; i++) {
        handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        int error = handle == NULL ? shortage() : 0;
        if (error != 0)
            return error;
    }
    const struct tls_module *table =
        handle != NULL ? dlsym(handle, "triptych_tls_module") : NULL;
    if (table == NULL)
        return give_up_locked(dlerror());
    if (strcmp(table->version, TRIPTYCH_VERSION) != 0)
        return give_up_locked(MODULE " is of another version");
    module = table;
    return 0;
}

void tls_load(struct tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    (void)load_locked();
    pthread_mutex_unlock(&tls->lock);
}

static int make_context_locked(struct tls *tls, const char **cause)
{
    if (tls->context != NULL)
        return 0;
    int error = load_locked();
    if (error == 0)
        return module->context_new(tls->options, &tls->context, cause);
    if (error == -TLS_NOT_THERE)
        *cause = fault;
    return error;
}

/* --- What the sessions share -------------------------------------------- */

int tls_open(struct tls *tls, const struct options *options,
             const char **cause)
{
    *tls = (struct tls){.options = options};
    int error = -pthread_mutex_init(&tls->lock, NULL);
    if (error != 0 || options->cacert == NULL)
        return error;
    error = make_context_locked(tls, cause);
    if (error != 0)
        (void)pthread_mutex_destroy(&tls->lock);
    return error;
}

void tls_close(struct tls *tls)
{
    if (tls->context != NULL)
        module->context_free(tls->context);
    tls->context = NULL;
    (void)pthread_mutex_destroy(&tls->lock);
}

/* --- Sessions ----------------------------------------------------------- */

int tls_begin(struct tls *tls, const char *host, int fd,
              struct ssl_st **session)
{
    const char *cause; /* tls_cause tells it as well */
    *session = NULL;
    pthread_mutex_lock(&tls->lock);
    int error = make_context_locked(tls, &cause);
    pthread_mutex_unlock(&tls->lock);
    if (error != 0)
        return error;
    *session = module->begin(tls->context, host, fd);
    return *session != NULL ? 0 : -ENOMEM;
}

void tls_shutdown(struct ssl_st *session)
{
    if (session != NULL)
        module->shutdown(session);
}

void tls_free(struct ssl_st *session)
{
    if (session != NULL)
        module->free(session);
}

int tls_handshake(struct ssl_st *session, short *events)
{
    return module->handshake(session, events);
}

ssize_t tls_read(struct ssl_st *session, void *p, size_t n, short *events)
{
    return module->read(session, p, n, events);
}

ssize_t tls_write(struct ssl_st *session, const void *p, size_t n,
                  short *events)
{
    return module->write(session, p, n, events);
}

bool tls_is_quiet(const struct ssl_st *session)
{
    return session == NULL || module->is_quiet(session);
}

const char *tls_cause(const struct ssl_st *session, int error)
{
    if (error == TLS_CUT)
        return "the server closed without close_notify";
    if (error == TLS_NOT_THERE && fault[0] != '\0')
        return fault;
    if (error == TLS_BROKEN && session != NULL)
        return module->cause(session);
    return strerror(error);
}

struct bufferevent *tls_bufferevent(struct ssl_st *session,
                                    struct event_base *base, int fd)
{
    return module->bufferevent(session, base, fd);
}

int tls_bufferevent_failure(struct ssl_st *session, struct bufferevent *bev)
{
    return module->bufferevent_failure(session, bev);
}
