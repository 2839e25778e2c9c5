/* database_load: database, by way of a module that is loaded when it is
 * needed. See database.h and database_module.h. */
#include "database.h"

#include "database_module.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* Behind the lock until there is a connection or an error to be told. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct module loaded = {MODULE_DATABASE, "triptych_database_module",
                               NULL, ""};

/* Its functions, once it is loaded. */
static const struct database_module *module(void)
{
    return loaded.table;
}

static int load(void)
{
    pthread_mutex_lock(&lock);
    int error = module_load_locked(&loaded);
    pthread_mutex_unlock(&lock);
    return error;
}

void database_load(void)
{
    (void)load();
}

int database_begin(const struct url *url, const struct addrinfo *address,
                   struct database **db)
{
    *db = NULL;
    int error = load();
    return error == 0 ? module()->begin(url, address, db) : error;
}

int database_fd(const struct database *db)
{
    return module()->fd(db);
}

int database_connect(struct database *db, short *events)
{
    return module()->connect(db, events);
}

void database_ask(struct database *db, const char *query, size_t n)
{
    module()->ask(db, query, n);
}

ssize_t database_read(struct database *db, char *p, size_t n, short *events)
{
    return module()->read(db, p, n, events);
}

bool database_has_spoken(const struct database *db, int error)
{
    return db != NULL && (error == DATABASE_REFUSED ||
                          error == DATABASE_BROKEN || error == DATABASE_TLS);
}

const char *database_cause(const struct database *db, int error)
{
    if (error == MODULE_NOT_THERE && loaded.fault[0] != '\0')
        return loaded.fault;
    return db != NULL ? module()->cause(db, error) : strerror(error);
}

void database_end(struct database *db)
{
    if (db != NULL)
        module()->end(db);
}

void database_settle(void)
{
    pthread_mutex_lock(&lock);
    const struct database_module *there = module();
    pthread_mutex_unlock(&lock);
    if (there != NULL)
        there->settle();
}
