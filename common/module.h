/*
 * module: parts of the programs that are loaded when they are needed.
 *
 * What stands on a large library - https on OpenSSL, a database on libpq - is
 * a shared object of our own, beside the program or where it is installed. It
 * exports one table of functions. Most runs never load it, and a program that
 * is built or installed without is the same program.
 */
#ifndef TRIPTYCH_MODULE_H
#define TRIPTYCH_MODULE_H

#include <stdbool.h>

/* An errno of our own use, beside the system's: it cannot be loaded. */
#define MODULE_NOT_THERE ELIBACC

struct module {
    const char *file;   /* "triptych-tls.so" */
    const char *symbol; /* of its table, whose first field is its version: a
                         * program that runs while it is replaced by another
                         * version meets the other's module */

    /* Written once, under the owner's lock; a module is never unloaded: */
    const void *table; /* NULL: not loaded */
    char fault[200];   /* why it cannot be, in words; "": it can */
};

/* The files of our modules. */
#define MODULE_TLS      "triptych-tls.so"
#define MODULE_DATABASE "triptych-database.so"

/* The message to print when there is no such file. */
#define MODULE_MISSING(file) file " is not installed"

/* True if the file is there to be loaded; it is not loaded by this. */
bool module_is_there(const char *file);

/* Loads it, unless it is loaded. 0; -MODULE_NOT_THERE, and there is no use in
 * trying again; or another negative errno: what it takes is short. The caller
 * holds the lock that guards the struct. */
int module_load_locked(struct module *module);

#endif
