/* loop: what all connections of one loop share. See connection.h. */
#include "connection.h"

#include <errno.h>
#include <stdlib.h>

static const struct connection_kind *const kinds[] = {
    [SCHEME_HTTP] = &socket_kind,   [SCHEME_HTTPS] = &secure_kind,
    [SCHEME_TCP] = &socket_kind,    [SCHEME_UDP] = &datagram_kind,
    [SCHEME_FILE] = &diskfile_kind, [SCHEME_POSTGRESQL] = &query_kind,
};

int loop_open(struct loop *loop, size_t idle_limit)
{
    loop->kinds = kinds;
    if (loop->chunk_size < LOOP_CHUNK)
        loop->chunk_size = LOOP_CHUNK;
    loop->chunk = malloc(loop->chunk_size);
    if (loop->chunk == NULL)
        return -ENOMEM;
    int error = connections_open(loop, idle_limit);
    if (error != 0)
        goto no_connections;
    loop->reader = (struct helper){.base = loop->base,
                                   .trace = loop->trace,
                                   .name = "reader of files",
                                   .step = STEP_RECEIVE};
    error = helper_open(&loop->reader);
    if (error != 0)
        goto no_reader;
    error = writer_open(&loop->writer, loop->base, loop->trace, loop->sink,
                        &loop->idle, loop->number);
    if (error == 0)
        return 0;

    helper_close(&loop->reader);
no_reader:
    connections_close(loop);
no_connections:
    free(loop->chunk);
    return error;
}

void loop_close(struct loop *loop)
{
    connections_close(loop);
    writer_close(&loop->writer);
    helper_close(&loop->reader);
    free(loop->chunk);
}
