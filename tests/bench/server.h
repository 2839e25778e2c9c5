/*
 * server: whom the workloads ask: the practice server, and, where that is
 * installed, nginx for what is always the same, for it is faster.
 */
#ifndef TRIPTYCH_SERVER_H
#define TRIPTYCH_SERVER_H

#include "measure.h"
#include "workload.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct server {
    pid_t pid; /* 0: none */
    char base[100];
};

/* True if nginx is installed. */
bool server_has_nginx(void);

/* The server that the workload is served by here; "none" where it takes none. */
const char *server_name(const struct workload *workload);

/* Starts a server that can serve the workload, with its files in `directory`;
 * `origin` is the practice server's program. It is ready on return. 0 or a
 * negative errno. */
int server_start(struct server *server, const struct workload *workload,
                 const char *origin, const char *directory,
                 const struct measure_setting *setting);

/* Of which kind the body of that request is; those of a kind are alike. */
unsigned server_kind(const struct workload *workload, unsigned number);

/* The bytes of a body of that kind that stand in one piece from `offset` on.
 * Returns how many, sets *at. */
size_t server_content(const struct workload *workload, unsigned kind,
                      uint64_t offset, const char **at);

/* How many requests it has been asked, this question included; -1 where nobody
 * counts. */
double server_count(const struct server *server);

/* How many requests it has that are not answered yet. -1: it does not say. */
double server_in_flight(const struct server *server);

/* Makes a request of one's own, "/..."; returns when it is answered. */
void server_ask(const struct server *server, const char *path);

void server_stop(struct server *server);

#endif
