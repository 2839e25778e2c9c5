/*
 * request: what a client of the practice server asks for.
 *
 * The head of an HTTP/1.x request is taken apart, and the query of its target
 * into the behaviours that the server knows. Nothing here waits.
 */
#ifndef TRIPTYCH_REQUEST_H
#define TRIPTYCH_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_NONE UINT64_MAX

struct request {
    bool head;       /* the method is HEAD */
    char path[512];
    bool keep_alive;
    bool expects_continue;
    uint64_t length; /* of the request's body */

    /* From the query; REQUEST_NONE or false where it says nothing. */
    uint64_t delay_ms;
    uint64_t rate; /* bytes a second */
    uint64_t chunk; /* chunked, with chunks of that size */
    uint64_t status;
    uint64_t fin;
    uint64_t rst;
    uint64_t header_drip_ms;
    uint64_t garbage; /* bytes */
    uint64_t barrier;
    uint64_t key; /* of the barrier */
    uint64_t early; /* answer an upload after that many bytes */
    uint64_t seed;
    bool close;
    char redirect[512]; /* "" for none */
};

/* Takes a head of `n` bytes apart, its empty line included. 0; or the status
 * to refuse it with: 400, 411, 414, 505. */
unsigned request_parse(struct request *request, const char *head, size_t n);

#endif
