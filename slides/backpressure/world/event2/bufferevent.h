/* There are none here: a stream stands on a transport. See ../../world.c. */
#ifndef WORLD_BUFFEREVENT_H
#define WORLD_BUFFEREVENT_H

struct bufferevent;
struct evbuffer;
struct event_base;

int bufferevent_getfd(struct bufferevent *bev);
struct evbuffer *bufferevent_get_output(struct bufferevent *bev);
struct event_base *bufferevent_get_base(struct bufferevent *bev);

#endif
