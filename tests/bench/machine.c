/* machine: what is measured on. See machine.h. */
#include "machine.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* More than this no workload needs. */
#define DESCRIPTORS 65536

static bool write_setting(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t n = fd != -1 ? write(fd, value, strlen(value)) : -1;
    if (fd != -1)
        (void)close(fd);
    return n > 0;
}

static bool raise_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return false;
    bool up = ioctl(fd, SIOCGIFFLAGS, &request) == 0;
    request.ifr_flags |= IFF_UP;
    up = up && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    (void)close(fd);
    return up;
}

int machine_prepare(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        struct rlimit most = {DESCRIPTORS, DESCRIPTORS};
        if (limit.rlim_max >= DESCRIPTORS)
            most.rlim_max = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &most) == -1) {
            limit.rlim_cur = limit.rlim_max;
            (void)setrlimit(RLIMIT_NOFILE, &limit);
        }
    }
    if (unshare(CLONE_NEWNET) == -1 || !raise_loopback())
        return 0;
    /* bbr would pace what goes over loopback, and halve it; whoever connects
     * some thousand times a second needs ports again at once; and when ten
     * thousand connect at once, those that find no room in the server's
     * backlog try again after a second, and it is that which is measured. */
    (void)write_setting("/proc/sys/net/ipv4/tcp_congestion_control", "reno");
    (void)write_setting("/proc/sys/net/ipv4/ip_local_port_range",
                        "1024 65535");
    (void)write_setting("/proc/sys/net/ipv4/tcp_tw_reuse", "1");
    (void)write_setting("/proc/sys/net/core/somaxconn", "65535");
    return 1;
}

struct cores machine_cores(void)
{
    struct cores cores = {0};
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    if (count >= 4) {
        cores.client_count = (unsigned)count / 2;
        cores.server_first = cores.client_count;
        cores.server_count = (unsigned)count - cores.client_count;
    }
    return cores;
}

/* --- Describing --------------------------------------------------------- */

static void add(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add(char *out, size_t size, const char *format, ...)
{
    size_t held = strlen(out);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(out + held, size - held, format, arguments);
    va_end(arguments);
}

/* The first line of a file, or of what a command says. */
static void add_line(char *out, size_t size, const char *name, FILE *file,
                     bool is_command)
{
    char line[300] = "";
    if (file == NULL)
        return;
    if (fgets(line, sizeof line, file) != NULL && line[0] != '\n') {
        line[strcspn(line, "\n")] = '\0';
        add(out, size, "# %s: %s\n", name, line);
    }
    (void)(is_command ? pclose(file) : fclose(file));
}

static void add_model_of_cpu(char *out, size_t size)
{
    char line[300];
    FILE *file = fopen("/proc/cpuinfo", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            add(out, size, "# processor:%s", colon + 1);
            break;
        }
    }
    if (file != NULL)
        (void)fclose(file);
}

static void add_version_and_date(char *out, size_t size)
{
    time_t now = time(NULL);
    struct tm day;
    char date[40] = "";
    if (gmtime_r(&now, &day) != NULL)
        (void)strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", &day);
    add(out, size, "# triptych-bench %s, %s\n", TRIPTYCH_VERSION, date);
}

static void add_load(char *out, size_t size)
{
    add_line(out, size, "load before", fopen("/proc/loadavg", "re"), false);
}

void machine_describe_shortly(char *out, size_t size)
{
    out[0] = '\0';
    add_version_and_date(out, size);
    add_model_of_cpu(out, size);
    add_load(out, size);
}

void machine_describe(char *out, size_t size, int own_network,
                      const struct cores *cores)
{
    static const char *const versions[][2] = {
        {"curl", "curl --version 2>/dev/null"},
        {"wget2", "wget2 --version 2>/dev/null"},
        {"aria2c", "aria2c --version 2>/dev/null"},
        {"h2load", "h2load --version 2>/dev/null"},
        {"nginx", "/usr/sbin/nginx -v 2>&1"},
        {"wrk", "wrk -v 2>/dev/null"},
        {"python", "/usr/bin/python3 --version 2>/dev/null || "
                   "python3 --version 2>/dev/null"},
        {"libevent", "pkg-config --modversion libevent 2>/dev/null"},
    };
    struct utsname name;
    struct rlimit limit;
    out[0] = '\0';
    add_version_and_date(out, size);
    add(out, size, "# cores: %ld", sysconf(_SC_NPROCESSORS_ONLN));
    if (cores->client_count > 0)
        add(out, size, ", %u for the client, %u for the server",
            cores->client_count, cores->server_count);
    else
        add(out, size, ", shared by client and server (too few to pin)");
    add(out, size, "\n");
    add_model_of_cpu(out, size);
    if (uname(&name) == 0)
        add(out, size, "# kernel: %s %s %s\n", name.sysname, name.release,
            name.machine);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        add(out, size, "# descriptors allowed: %llu\n",
            (unsigned long long)limit.rlim_cur);
    add(out, size, "# network: %s\n",
        own_network ? "a namespace of its own, loopback only"
                    : "the system's loopback");
    add_line(out, size, "congestion control",
             fopen("/proc/sys/net/ipv4/tcp_congestion_control", "re"), false);
    add_load(out, size);
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
        add_line(out, size, versions[i][0], popen(versions[i][1], "re"), true);
}
