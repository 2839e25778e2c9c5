/*
 * triptych-origin: the practice server.
 *
 * One libevent loop a process; with --workers N, N processes that share the
 * ports by SO_REUSEPORT and their counters by a shared mapping. On loopback
 * unless told otherwise.
 */
#include "content.h"
#include "fast.h"
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKLOG      65535 /* or less: net.core.somaxconn */
#define WORKERS_MOST 64
_Static_assert(WORKERS_MOST == 64 && FAST_MOST == 65536,
               "these stand in what is said, too");

struct settings {
    const char *address;
    unsigned ports[3]; /* http, tcp, udp; 0: any free one */
    unsigned workers;
    int log;
    bool quiet;
    bool fast;
    unsigned size; /* ... of its bodies */
};

static const char *const protocols[] = {"http", "tcp", "udp"};

static const char help[] =
    "Usage: triptych-origin [OPTION]...\n"
    "The practice server: HTTP/1.1, TCP echo and UDP echo, on loopback.\n\n"
    "  -p, --port N        HTTP port (8080); 0 takes a free one\n"
    "  -t, --tcp-port N    TCP echo port (0)\n"
    "  -u, --udp-port N    UDP echo port (0)\n"
    "  -a, --address A     IPv4 or IPv6 address to listen on (127.0.0.1)\n"
    "  -w, --workers N     processes that share the work (1), 64 at most\n"
    "  -l, --log FILE      add a line to FILE for each request\n"
    "  -f, --fast=SIZE     HTTP alone, and nothing but SIZE bytes at once\n"
    "  -q, --quiet         do not print the addresses\n"
    "  -h, --help          print this help\n"
    "  -V, --version       print the version\n\n"
    "Prints a line for each protocol, such as http://127.0.0.1:8080/, when it "
    "is ready.\n\n"
    "  /bytes/N    N bytes, the same every time; the query says how:\n"
    "     seed=S            other bytes\n"
    "     delay=MS          wait before the answer\n"
    "     rate=B            B bytes a second\n"
    "     chunked[=SIZE]    chunked, in chunks of SIZE\n"
    "     close             no length: the end is the close\n"
    "     status=NNN        that status\n"
    "     redirect=URL|N    302 to URL; N times to itself\n"
    "     fin=N, rst=N      close, or reset, after N bytes of the body\n"
    "     header-drip[=MS]  the header a byte each MS\n"
    "     garbage[=N]       N bytes that are no HTTP\n"
    "     barrier=N[&key=K] answer when N requests are waiting\n"
    "  /echo       sends the request's body back\n"
    "  /sink       reads an upload: rate=B, early=N (answer after N bytes),\n"
    "              status=NNN\n"
    "  /stats      counters, as JSON\n\n"
    "Ends on SIGTERM or SIGINT.\n";

/* --- The command line --------------------------------------------------- */

static bool read_unsigned(const char *text, unsigned most, unsigned *value)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 ||
        number > most)
        return false;
    *value = (unsigned)number;
    return true;
}

/* NULL, or why the text is no port. */
static const char *read_port(const char *text, unsigned *port)
{
    return read_unsigned(text, 65535, port)
               ? NULL
               : "it takes a number from 0 to 65535";
}

/* Says why the value of an option, by its letter, will not do. */
static void refuse(const struct option *longs, int code, const char *value,
                   const char *why)
{
    while (longs->val != code)
        longs++;
    fprintf(stderr, "triptych-origin: --%s '%s': %s\n", longs->name, value,
            why);
}

/* -1: go on; else the exit status. */
static int read_options(struct settings *settings, int argc, char **argv)
{
    static const struct option longs[] = {
        {"port", required_argument, NULL, 'p'},
        {"tcp-port", required_argument, NULL, 't'},
        {"udp-port", required_argument, NULL, 'u'},
        {"address", required_argument, NULL, 'a'},
        {"workers", required_argument, NULL, 'w'},
        {"log", required_argument, NULL, 'l'},
        {"fast", required_argument, NULL, 'f'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    const char *why = NULL; /* the value will not do */
    int code;
    while ((code = getopt_long(argc, argv, "p:t:u:a:w:l:f:qhV", longs,
                               NULL)) != -1) {
        switch (code) {
        case 'p':
            why = read_port(optarg, &settings->ports[0]);
            break;
        case 't':
            why = read_port(optarg, &settings->ports[1]);
            break;
        case 'u':
            why = read_port(optarg, &settings->ports[2]);
            break;
        case 'a':
            settings->address = optarg;
            break;
        case 'w':
            if (!read_unsigned(optarg, WORKERS_MOST, &settings->workers) ||
                settings->workers == 0)
                why = "it takes a number from 1 to 64";
            break;
        case 'l':
            settings->log =
                open(optarg, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
            if (settings->log == -1)
                why = strerror(errno);
            break;
        case 'f':
            settings->fast = true;
            if (!read_unsigned(optarg, FAST_MOST, &settings->size))
                why = "it takes a number from 0 to 65536";
            break;
        case 'q':
            settings->quiet = true;
            break;
        case 'h':
            fputs(help, stdout);
            return fflush(stdout) == 0 ? 0 : 3;
        case 'V':
            puts("triptych-origin (triptych) " TRIPTYCH_VERSION);
            return fflush(stdout) == 0 ? 0 : 3;
        default:
            fputs("Try 'triptych-origin --help' for more.\n", stderr);
            return 2;
        }
        if (why != NULL) {
            refuse(longs, code, optarg, why);
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr,
                "triptych-origin: '%s' is no option: it takes nothing else\n",
                argv[optind]);
        return 2;
    }
    return -1;
}

/* --- Sockets ------------------------------------------------------------ */

static bool read_address(const char *text, unsigned port,
                         struct sockaddr_storage *address, socklen_t *length)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        *length = sizeof *v4;
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        *length = sizeof *v6;
        return true;
    }
    return false;
}

/* Binds a socket; *port becomes the one it got. -1 with errno on failure. */
static int bind_socket(const char *text, int type, unsigned *port)
{
    struct sockaddr_storage address;
    socklen_t length;
    int on = 1;
    if (!read_address(text, *port, &address, &length)) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd == -1)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, length) == -1 ||
        getsockname(fd, (struct sockaddr *)&address, &length) == -1 ||
        (type == SOCK_STREAM && listen(fd, BACKLOG) == -1)) {
        int error = errno;
        (void)close(fd);
        errno = error;
        return -1;
    }
    /* The port stands in the same place in both kinds of address. */
    *port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    return fd;
}

/* --- One process -------------------------------------------------------- */

static void on_http(struct evconnlistener *listener, evutil_socket_t fd,
                    struct sockaddr *address, int length, void *arg)
{
    (void)listener;
    (void)address;
    (void)length;
    server_accept_http(arg, fd);
}

static void on_echo(struct evconnlistener *listener, evutil_socket_t fd,
                    struct sockaddr *address, int length, void *arg)
{
    (void)listener;
    (void)address;
    (void)length;
    server_accept_echo(arg, fd);
}

static void go_on(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)evconnlistener_enable(arg);
}

/* There is no descriptor for whoever comes next. The listener stays ready, and
 * would be tried without end: it rests for a moment. */
static void on_refused(struct evconnlistener *listener, void *arg)
{
    static const struct timeval moment = {.tv_usec = 20000};
    (void)arg;
    if (event_base_once(evconnlistener_get_base(listener), -1, EV_TIMEOUT,
                        go_on, listener, &moment) == 0)
        (void)evconnlistener_disable(listener);
}

static void on_datagram(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    (void)arg;
    server_echo_datagrams(fd);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(arg);
}

/* A descriptor that is readable once we are to end. The signals wait there
 * from before the addresses are printed: none comes too early to be heard. */
static int open_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) == -1)
        return -1;
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Delays are measured against, and must not be rounded up to the next tick; and
 * no variable of the environment has libevent wait in another way. */
static struct event_base *new_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;
    if (config != NULL &&
        event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER |
                                          EVENT_BASE_FLAG_IGNORE_ENV) == 0)
        base = event_base_new_with_config(config);
    if (config != NULL)
        event_config_free(config);
    return base;
}

static int serve(const int fds[3], int signal_fd, unsigned port,
                 struct statistics *statistics, int log)
{
    struct event_base *base = new_base();
    if (base == NULL)
        return 3;
    static struct server server; /* clients refer to it to the end */
    server = (struct server){base, statistics, port, log};
    unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC;
    struct evconnlistener *http =
        evconnlistener_new(base, on_http, &server, flags, 0, fds[0]);
    struct evconnlistener *echo =
        evconnlistener_new(base, on_echo, &server, flags, 0, fds[1]);
    struct event *datagrams =
        event_new(base, fds[2], EV_READ | EV_PERSIST, on_datagram, NULL);
    struct event *signals =
        event_new(base, signal_fd, EV_READ, on_signal, base);
    if (http == NULL || echo == NULL || datagrams == NULL || signals == NULL ||
        event_add(datagrams, NULL) != 0 || event_add(signals, NULL) != 0)
        return 3;
    evconnlistener_set_error_cb(http, on_refused);
    evconnlistener_set_error_cb(echo, on_refused);
    int status = event_base_dispatch(base) == -1 ? 3 : 0;
    /* Clients that are still there are the process's end to close. */
    evconnlistener_free(http);
    evconnlistener_free(echo);
    event_free(datagrams);
    event_free(signals);
    return status;
}

/* Makes the sockets of one worker; all are bound before any serves. */
static bool bind_all(struct settings *settings, int fds[3])
{
    for (size_t i = 0; i < 3; i++) {
        fds[i] =
            bind_socket(settings->address, i == 2 ? SOCK_DGRAM : SOCK_STREAM,
                        &settings->ports[i]);
        if (fds[i] == -1) {
            fprintf(stderr, "triptych-origin: %s port %u of %s: %s\n",
                    protocols[i], settings->ports[i], settings->address,
                    strerror(errno));
            return false;
        }
    }
    return true;
}

static void print_addresses(const struct settings *settings)
{
    bool v6 = strchr(settings->address, ':') != NULL;
    for (size_t i = 0; i < (settings->fast ? 1 : 3); i++)
        printf("%s://%s%s%s:%u/\n", protocols[i], v6 ? "[" : "",
               settings->address, v6 ? "]" : "", settings->ports[i]);
    (void)fflush(stdout);
}

/* As many connections as the system allows. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* In the one way or the other. */
static int serve_as(const struct settings *settings, const int fds[3],
                    int signal_fd, struct statistics *statistics)
{
    return settings->fast
               ? fast_serve(fds[0], signal_fd, settings->size, statistics)
               : serve(fds, signal_fd, settings->ports[0], statistics,
                       settings->log);
}

int main(int argc, char **argv)
{
    struct settings settings = {.address = "127.0.0.1",
                                .ports = {8080, 0, 0},
                                .workers = 1,
                                .log = -1};
    int fds[WORKERS_MOST][3];
    int status = read_options(&settings, argc, argv);
    if (status != -1)
        return status;
    (void)signal(SIGPIPE, SIG_IGN);
    raise_limit();
    content_init();
    struct statistics *statistics =
        mmap(NULL, sizeof *statistics, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (statistics == MAP_FAILED) {
        perror("triptych-origin");
        return 3;
    }
    for (unsigned i = 0; i < settings.workers; i++) {
        if (!bind_all(&settings, fds[i]))
            return 3;
    }
    int signal_fd = open_signals();
    if (signal_fd == -1) {
        perror("triptych-origin: signalfd");
        return 3;
    }
    pid_t parent = getpid();
    for (unsigned i = 1; i < settings.workers; i++) {
        pid_t pid = fork();
        if (pid == -1)
            perror("triptych-origin: fork");
        if (pid != 0)
            continue;
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(0);
        _exit(serve_as(&settings, fds[i], signal_fd, statistics));
    }
    if (!settings.quiet)
        print_addresses(&settings);
    status = serve_as(&settings, fds[0], signal_fd, statistics);
    /* The workers die with us (PR_SET_PDEATHSIG). */
    return status;
}
