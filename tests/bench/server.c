/* server: whom the workloads ask. See server.h. */
#include "server.h"

#include "content.h"
#include "practice.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Debian's place for it is not along everybody's PATH. */
static const char nginx[] = "/usr/sbin/nginx";

static const char nginx_conf[] =
    "daemon off; worker_processes 1; pid %1$s/nginx.pid;\n"
    "error_log %1$s/nginx.log;\n"
    "%2$s\n"
    "events { worker_connections 20000; }\n"
    "http {\n"
    "  access_log off; sendfile on; open_file_cache max=100;\n"
    "  keepalive_requests 10000000;\n"
    "  client_body_temp_path %1$s/t1; proxy_temp_path %1$s/t2;\n"
    "  fastcgi_temp_path %1$s/t3; uwsgi_temp_path %1$s/t4;\n"
    "  scgi_temp_path %1$s/t5;\n"
    "  server { listen 127.0.0.1:%3$d backlog=4096; root %1$s;\n"
    "    location = /stats { stub_status; } }\n"
    "}\n";

bool server_has_nginx(void)
{
    return access(nginx, X_OK) == 0;
}

/* What is always the same, as files; that of all bodies no two are alike is
 * of no interest here. */
static bool is_static(const struct workload *workload)
{
    return workload->path != NULL && !workload->fast && !workload->uploads &&
           workload->delay_ms == 0 &&
           strstr(workload->path, "delay") == NULL && !workload->kills &&
           workload->destination != TO_READER;
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int port = -1;
    if (fd != -1 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &size) == 0)
        port = ntohs(address.sin_port);
    if (fd != -1)
        (void)close(fd);
    return port;
}

unsigned server_kind(const struct workload *workload, unsigned number)
{
    return is_static(workload) && server_has_nginx() ? 0 : number;
}

/* In nginx's files there are only x's. */
size_t server_content(const struct workload *workload, unsigned kind,
                      uint64_t offset, const char **at)
{
    static char block[4096];
    size_t left = (size_t)(workload->size - offset);
    if (!is_static(workload) || !server_has_nginx())
        return content_at(kind, offset, left, at);
    memset(block, 'x', sizeof block);
    *at = block;
    return left < sizeof block ? left : sizeof block;
}

static int write_file(const char *directory, const char *name,
                      const struct workload *workload)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return -errno;
    for (uint64_t done = 0; done < workload->size;) {
        const char *at;
        size_t part = server_content(workload, 0, done, &at);
        (void)fwrite(at, 1, part, file);
        done += part;
    }
    bool bad = ferror(file) != 0;
    return fclose(file) != 0 || bad ? -EIO : 0;
}

/* A connection to it, or -1. */
static int dial(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd != -1 &&
        connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    if (fd != -1)
        (void)close(fd);
    return -1;
}

static bool answers(int port)
{
    int fd = dial(port);
    if (fd != -1)
        (void)close(fd);
    return fd != -1;
}

/* Waits until it accepts; five seconds, at most. */
static int await(int port)
{
    struct timespec pause = {.tv_nsec = 10000000};
    for (int i = 0; i < 500; i++) {
        if (answers(port))
            return 0;
        (void)nanosleep(&pause, NULL);
    }
    return -ETIMEDOUT;
}

static int start_nginx(struct server *server, const struct workload *workload,
                       const char *directory,
                       const struct measure_setting *setting)
{
    char conf[PATH_MAX];
    char bytes[PATH_MAX];
    char name[60];
    int port = free_port();
    int fd;
    snprintf(bytes, sizeof bytes, "%s/bytes", directory);
    snprintf(name, sizeof name, "bytes/%llu", workload->size);
    snprintf(conf, sizeof conf, "%s/nginx.conf", directory);
    if (mkdir(bytes, 0755) == -1 && errno != EEXIST)
        return -errno;
    int error =
        port == -1 ? -EADDRNOTAVAIL : write_file(directory, name, workload);
    FILE *file = error == 0 ? fopen(conf, "we") : NULL;
    if (file == NULL)
        return error != 0 ? error : -errno;
    fprintf(file, nginx_conf, directory, geteuid() == 0 ? "user root;" : "",
            port);
    if (fclose(file) != 0)
        return -EIO;
    char *const argv[] = {(char *)nginx, (char *)"-c",      conf,
                          (char *)"-p",  (char *)directory, NULL};
    error = measure_start(argv, setting, &server->pid, &fd);
    if (error != 0)
        return error;
    (void)close(fd);
    snprintf(server->base, sizeof server->base, "http://127.0.0.1:%d/", port);
    error = await(port);
    if (error != 0)
        server_stop(server);
    return error;
}

const char *server_name(const struct workload *workload)
{
    if (workload->path == NULL)
        return "none";
    if (workload->fast)
        return "triptych-origin --fast";
    return is_static(workload) && server_has_nginx() ? "nginx"
                                                     : "triptych-origin";
}

int server_start(struct server *server, const struct workload *workload,
                 const char *origin, const char *directory,
                 const struct measure_setting *setting)
{
    *server = (struct server){0};
    if (workload->path == NULL)
        return 0;
    if (is_static(workload) && server_has_nginx())
        return start_nginx(server, workload, directory, setting);
    char fast[40];
    snprintf(fast, sizeof fast, "--fast=%llu", workload->size);
    return practice_start(origin, workload->fast ? fast : NULL, setting,
                          &server->pid, server->base, sizeof server->base);
}

/* Asks it for something short. */
static void read_answer(const struct server *server, const char *path,
                        char *text, size_t size)
{
    char request[200];
    struct timeval limit = {.tv_sec = 5};
    const char *colon = strrchr(server->base, ':');
    int fd = colon != NULL ? dial(atoi(colon + 1)) : -1;
    size_t held = 0;
    text[0] = '\0';
    if (fd == -1)
        return;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    snprintf(request, sizeof request,
             "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path);
    ssize_t n = send(fd, request, strlen(request), MSG_NOSIGNAL);
    while (n > 0 && held < size - 1) {
        n = recv(fd, text + held, size - 1 - held, 0);
        held += n > 0 ? (size_t)n : 0;
    }
    text[held] = '\0';
    (void)close(fd);
}

double server_count(const struct server *server)
{
    char text[2000];
    double count;
    if (server->pid == 0)
        return -1;
    read_answer(server, "/stats", text, sizeof text);
    const char *at = strstr(text, "\"requests\": ");
    if (at != NULL && sscanf(at, "\"requests\": %lf", &count) == 1)
        return count;
    at = strstr(text, "handled requests\n");
    if (at != NULL &&
        sscanf(at, "handled requests\n %*s %*s %lf", &count) == 1)
        return count;
    return -1;
}

double server_in_flight(const struct server *server)
{
    char text[2000];
    double count;
    read_answer(server, "/stats", text, sizeof text);
    const char *at = strstr(text, "\"in_flight\": ");
    if (at != NULL && sscanf(at, "\"in_flight\": %lf", &count) == 1)
        return count - 1; /* but for the question itself */
    return -1;
}

void server_ask(const struct server *server, const char *path)
{
    char text[2000];
    read_answer(server, path, text, sizeof text);
}

void server_stop(struct server *server)
{
    if (server->pid != 0)
        practice_stop(server->pid);
    server->pid = 0;
}
