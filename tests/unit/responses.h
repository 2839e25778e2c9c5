/*
 * responses: what servers send, and what is to come of it.
 *
 * One table for the parser and for the exchange over it. `bytes` may contain
 * NUL, so its length is given. `closes`: the server closes after them.
 */
#ifndef TRIPTYCH_RESPONSES_H
#define TRIPTYCH_RESPONSES_H

#include "result.h"

#include <stdbool.h>
#include <stddef.h>

struct response {
    const char *name;
    const char *bytes;
    size_t length;
    bool closes;
    enum result result;
    int status;
    const char *body;
    size_t body_length;
    bool reusable; /* the connection afterwards */
};

#define B(text) text, sizeof(text) - 1

static const struct response responses[] = {
    /* Framing by length */
    {"length", B("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), false,
     RESULT_OK, 200, B("hello"), true},
    {"length zero", B("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), false,
     RESULT_OK, 200, B(""), true},
    {"same length twice",
     B("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab"),
     false, RESULT_OK, 200, B("ab"), true},
    {"same length in a list",
     B("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nab"), false, RESULT_OK,
     200, B("ab"), true},
    {"binary body", B("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\0\r\n\xff"),
     false, RESULT_OK, 200, B("\0\r\n\xff"), true},
    {"more than the length",
     B("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabX"), false, RESULT_OK,
     200, B("ab"), false},
    {"a second response",
     B("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n"),
     false, RESULT_OK, 200, B("a"), false},
    {"connection close",
     B("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"),
     false, RESULT_OK, 200, B("a"), false},
    {"connection close in a list",
     B("HTTP/1.1 200 OK\r\nConnection: x , Close\r\nContent-Length: "
       "1\r\n\r\na"),
     false, RESULT_OK, 200, B("a"), false},
    {"HTTP/1.0", B("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na"), false,
     RESULT_OK, 200, B("a"), false},
    {"HTTP/1.0 keep-alive",
     B("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: "
       "1\r\n\r\na"),
     false, RESULT_OK, 200, B("a"), true},

    /* Framing by chunks */
    {"chunked",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
       "3\r\nabc\r\n0\r\n\r\n"),
     false, RESULT_OK, 200, B("abc"), true},
    {"chunks, extensions, trailers",
     B("HTTP/1.1 200 OK\r\ntransfer-encoding:CHUNKED\r\n\r\n"
       "1;a=b\r\nx\r\n00A ; q=\"1\"\r\n0123456789\r\n0;last\r\n"
       "Trailer: 1\r\nContent-Length: 99\r\n\r\n"),
     false, RESULT_OK, 200, B("x0123456789"), true},
    {"chunked, empty",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
     false, RESULT_OK, 200, B(""), true},
    {"chunked wins over a length, and closes",
     B("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: "
       "chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"),
     false, RESULT_OK, 200, B("ab"), false},
    {"chunked in HTTP/1.0 closes",
     B("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: "
       "chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"),
     false, RESULT_OK, 200, B("ab"), false},
    {"chunk data with CR LF in it",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
       "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n"),
     false, RESULT_OK, 200, B("\r\n0\r\n\r\n"), true},

    /* Framing by the close, and none at all */
    {"until close", B("HTTP/1.1 200 OK\r\n\r\nabc"), true, RESULT_OK, 200,
     B("abc"), false},
    {"until close, empty", B("HTTP/1.1 200 OK\r\n\r\n"), true, RESULT_OK, 200,
     B(""), false},
    {"an empty Transfer-Encoding overrides a length",
     B("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding:\r\n\r\n"
       "abc"),
     true, RESULT_OK, 200, B("abc"), false},
    {"a Transfer-Encoding of nothing but commas does, too",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: ,\r\nContent-Length: "
       "1\r\n\r\nabc"),
     true, RESULT_OK, 200, B("abc"), false},
    {"so does identity",
     B("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: "
       "identity\r\n\r\nabc"),
     true, RESULT_OK, 200, B("abc"), false},
    {"identity says nothing about chunks",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: Identity, chunked\r\n\r\n"
       "1\r\na\r\n0\r\n\r\n"),
     false, RESULT_OK, 200, B("a"), true},
    {"chunks come last, even before identity",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n"
       "1\r\na\r\n0\r\n\r\n"),
     false, RESULT_PROTOCOL, 0, B(""), false},
    {"204 has no body, whatever its empty Transfer-Encoding says",
     B("HTTP/1.1 204 No Content\r\nTransfer-Encoding:\r\n\r\n"), false,
     RESULT_OK, 204, B(""), true},
    {"204 has no body", B("HTTP/1.1 204 No Content\r\n\r\n"), false, RESULT_OK,
     204, B(""), true},
    {"204 may say that its length is none",
     B("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"), false,
     RESULT_OK, 204, B(""), true},
    {"204 with a length costs the connection",
     B("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), false,
     RESULT_OK, 204, B(""), false},
    {"204 in chunks costs the connection",
     B("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"),
     false, RESULT_OK, 204, B(""), false},
    {"304 may say how a 200 would have come",
     B("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"),
     false, RESULT_OK, 304, B(""), true},
    {"304 has no body, whatever its length says",
     B("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), false,
     RESULT_OK, 304, B(""), true},

    /* Heads */
    {"1xx are skipped",
     B("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
       "Content-Length: 7\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
       "1\r\n\r\na"),
     false, RESULT_OK, 200, B("a"), true},
    {"a close in 1xx is a close",
     B("HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n"
       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"),
     false, RESULT_OK, 200, B("a"), false},
    {"bare LF", B("HTTP/1.1 200 OK\nContent-Length: 1\n\na"), false, RESULT_OK,
     200, B("a"), true},
    {"obs-fold",
     B("HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length:\r\n\t1\r\n\r\na"),
     false, RESULT_OK, 200, B("a"), true},
    {"no reason", B("HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na"), false,
     RESULT_OK, 200, B("a"), true},
    {"white space around the value",
     B("HTTP/1.1 200 OK\r\nContent-Length: \t 1 \t \r\n\r\na"), false,
     RESULT_OK, 200, B("a"), true},
    {"HTTP/1.9 is HTTP/1.1", B("HTTP/1.9 200 OK\r\nContent-Length: 1\r\n\r\na"),
     false, RESULT_OK, 200, B("a"), true},
    {"404", B("HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\na"), false,
     RESULT_HTTP_ERROR, 404, B(""), true},
    {"a status beyond 599", B("HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n"),
     false, RESULT_HTTP_ERROR, 999, B(""), true},
    {"300 without Location is an answer",
     B("HTTP/1.1 302 Found\r\nContent-Length: 1\r\n\r\na"), false, RESULT_OK,
     302, B("a"), true},

    /* Broken off */
    {"nothing", B(""), true, RESULT_RESET, 0, B(""), false},
    {"within the status line", B("HTTP/1.1 2"), true, RESULT_TRUNCATED, 0,
     B(""), false},
    {"within the fields", B("HTTP/1.1 200 OK\r\nConte"), true,
     RESULT_TRUNCATED, 0, B(""), false},
    {"within 1xx", B("HTTP/1.1 100 Continue\r\n\r\n"), true, RESULT_TRUNCATED,
     0, B(""), false},
    {"within the length", B("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"),
     true, RESULT_TRUNCATED, 200, B("ab"), false},
    {"within a chunk",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"), true,
     RESULT_TRUNCATED, 200, B("ab"), false},
    {"before the last chunk",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"),
     true, RESULT_TRUNCATED, 200, B("a"), false},
    {"within the trailers",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n"),
     true, RESULT_TRUNCATED, 200, B(""), false},

    /* Broken */
    {"no HTTP", B("SSH-2.0-OpenSSH_9.2\r\n"), false, RESULT_PROTOCOL, 0, B(""),
     false},
    {"HTTP/2", B("HTTP/2 200\r\n\r\n"), false, RESULT_PROTOCOL, 0, B(""),
     false},
    {"HTTP/0.9", B("<html>hello, world</html>\n"), false, RESULT_PROTOCOL, 0,
     B(""), false},
    {"an empty line first", B("\r\nHTTP/1.1 200 OK\r\n\r\n"), false,
     RESULT_PROTOCOL, 0, B(""), false},
    {"a status of two digits", B("HTTP/1.1 20 OK\r\n\r\n"), false,
     RESULT_PROTOCOL, 0, B(""), false},
    {"a status of four digits", B("HTTP/1.1 2000 OK\r\n\r\n"), false,
     RESULT_PROTOCOL, 0, B(""), false},
    {"a status below 100", B("HTTP/1.1 099 OK\r\n\r\n"), false,
     RESULT_PROTOCOL, 0, B(""), false},
    {"101 unasked", B("HTTP/1.1 101 Switching Protocols\r\n\r\n"), false,
     RESULT_PROTOCOL, 0, B(""), false},
    {"lengths that differ",
     B("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
     false, RESULT_PROTOCOL, 0, B(""), false},
    {"a negative length", B("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
     false, RESULT_PROTOCOL, 0, B(""), false},
    {"a signed length", B("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na"),
     false, RESULT_PROTOCOL, 0, B(""), false},
    {"a length in hexadecimal",
     B("HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\na"), false,
     RESULT_PROTOCOL, 0, B(""), false},
    {"a length with a space",
     B("HTTP/1.1 200 OK\r\nContent-Length: 1 1\r\n\r\na"), false,
     RESULT_PROTOCOL, 0, B(""), false},
    {"an empty length", B("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n"), false,
     RESULT_PROTOCOL, 0, B(""), false},
    {"a length that overflows",
     B("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n"), false,
     RESULT_PROTOCOL, 0, B(""), false},
    {"a length that wraps around",
     B("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551617\r\n\r\na"),
     false, RESULT_PROTOCOL, 0, B(""), false},
    {"another coding",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), false,
     RESULT_PROTOCOL, 0, B(""), false},
    {"chunked twice",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n"),
     false, RESULT_PROTOCOL, 0, B(""), false},
    {"chunked not last",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n"), false,
     RESULT_PROTOCOL, 0, B(""), false},
    {"a chunk without a size",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n"), false,
     RESULT_PROTOCOL, 200, B(""), false},
    {"a chunk size with a prefix",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n"),
     false, RESULT_PROTOCOL, 200, B(""), false},
    {"a chunk size that overflows",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
       "8000000000000000\r\n"),
     false, RESULT_PROTOCOL, 200, B(""), false},
    {"a chunk longer than its size",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"),
     false, RESULT_PROTOCOL, 200, B("a"), false},
    {"a chunk-size line with a bare LF",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n"), false,
     RESULT_PROTOCOL, 200, B(""), false},
    {"a chunk-size line with a bare CR",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\rX"), false,
     RESULT_PROTOCOL, 200, B(""), false},
    {"white space before the colon",
     B("HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\na"), false,
     RESULT_PROTOCOL, 0, B(""), false},
    {"a field without a colon", B("HTTP/1.1 200 OK\r\nhello\r\n\r\n"), false,
     RESULT_PROTOCOL, 0, B(""), false},
    {"a field without a name", B("HTTP/1.1 200 OK\r\n: x\r\n\r\n"), false,
     RESULT_PROTOCOL, 0, B(""), false},
    {"a bare CR in a field", B("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n"), false,
     RESULT_PROTOCOL, 0, B(""), false},
    {"a NUL in a field", B("HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n"), false,
     RESULT_PROTOCOL, 0, B(""), false},
    {"a NUL in a name", B("HTTP/1.1 200 OK\r\nA\0: b\r\n\r\n"), false,
     RESULT_PROTOCOL, 0, B(""), false},
    {"white space before the first field",
     B("HTTP/1.1 200 OK\r\n X: y\r\n\r\n"), false, RESULT_PROTOCOL, 0, B(""),
     false},
    {"a broken trailer",
     B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
       "1\r\na\r\n0\r\nhello\r\n\r\n"),
     false, RESULT_PROTOCOL, 200, B("a"), false},
    {"two Locations",
     B("HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\n\r\n"), false,
     RESULT_PROTOCOL, 0, B(""), false},
};

#define RESPONSES (sizeof responses / sizeof *responses)

#endif
