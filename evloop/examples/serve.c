/* serve: what the examples share. See serve.h. */
#include "serve.h"

#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void (*on_connection)(struct event_base *base, int fd);
static struct evconnlistener *listener;

static void on_accept(struct evconnlistener *l, evutil_socket_t fd,
                      struct sockaddr *from, int length, void *base)
{
    (void)l, (void)from, (void)length;
    on_connection(base, fd);
}

/* To ask again at once would take all the time there is. */
static void on_error(struct evconnlistener *l, void *base)
{
    (void)base;
    evconnlistener_disable(l);
}

void serve_closed(void)
{
    evconnlistener_enable(listener);
}

int serve(const char *port, void (*each)(struct event_base *base, int fd))
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(port)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof at;
    struct event_base *base = event_base_new();
    on_connection = each;
    (void)signal(SIGPIPE, SIG_IGN);
    listener = evconnlistener_new_bind(
        base, on_accept, base, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 1024,
        (struct sockaddr *)&at, sizeof at);
    if (listener == NULL) {
        perror("listening");
        return 1;
    }
    evconnlistener_set_error_cb(listener, on_error);
    (void)getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&at,
                      &length);
    printf("%d\n", ntohs(at.sin_port));
    (void)fflush(stdout);
    return event_base_dispatch(base) == 0 ? 0 : 1;
}
