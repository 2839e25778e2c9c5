/*
 * url: what a URL says, and what a reference means beside another URL.
 *
 * After RFC 3986. Two layers: url_resolve works on any scheme and knows only
 * the five components of section 3; url_parse goes on to what a fetcher needs,
 * which is a scheme that we speak, a host and a port, and refuses the rest.
 * Nothing here waits, and nothing is kept between calls: any thread may call.
 */
#ifndef TRIPTYCH_URL_H
#define TRIPTYCH_URL_H

#include "result.h"

#include <stdbool.h>
#include <stddef.h>

/* A text of so many bytes is no URL. */
#define URL_LIMIT ((size_t)64 * 1024)

enum scheme {
    SCHEME_HTTP,
    SCHEME_HTTPS,
    SCHEME_FILE,
    SCHEME_TCP,
    SCHEME_UDP,
    SCHEME_POSTGRESQL
};

/* Who asks which database, decoded; NULL: the URL does not say. */
struct url_login {
    char *user;
    char *password;
    char *database;
    char text[]; /* what they point into */
};

/* A URL taken apart. All strings end with a NUL and live until url_free. */
struct url {
    enum scheme scheme;
    char *text; /* the URL itself, without its fragment */
    char *host; /* in lower case; an IPv6 address without its brackets */
    char *port; /* in decimal; the scheme's own if the URL names none */
    /* http, https: path and query as they go into the request line;
     * tcp, udp: the decoded bytes to send; file: the decoded path;
     * postgresql: the decoded query. Decoded bytes may contain NUL, so the
     * length counts. */
    char *target;
    size_t target_length;
    struct url_login *login; /* of postgresql; else NULL */
};

/*
 * Takes `n` bytes of text apart into *url, which owns its memory then.
 * Returns RESULT_OK; RESULT_BAD_URL or RESULT_UNSUPPORTED with *cause set to
 * words that live for ever; or RESULT_NO_RESOURCES. When it is not RESULT_OK,
 * *url is empty and needs no url_free.
 *
 * Refused, beyond what RFC 3986 refuses: user information (a password in a
 * list of URLs is a leak) but for postgresql, whose servers ask for it, and
 * which is never shown, see url_password; and a host that looks like a number
 * but is not a dotted quad: resolvers disagree on what 127.1 and 0x7f.1 mean.
 */
enum result url_parse(struct url *url, const char *text, size_t n,
                      const char **cause);

/* Sets *scheme to the scheme of a text, whatever else may be wrong with it;
 * false if it has none that url_parse knows. */
bool url_scheme(const char *text, size_t n, enum scheme *scheme);

/*
 * Where a password stands in the text of a URL, which is never shown: the
 * offset, and in *length how long it is; `n` and 0 if there is none. Only a
 * URL of postgresql has one, before the host or, as in libpq's own URLs, among
 * the parameters. The text may be no URL at all: then rather too much is
 * hidden than too little.
 */
size_t url_password(const char *text, size_t n, size_t *length);

/* Gives the memory back and empties *url. */
void url_free(struct url *url);

/* True if both name the same scheme, host and port (RFC 6454, 4). */
bool url_same_origin(const struct url *a, const struct url *b);

/* What stands in the Host field (RFC 9110, 7.2): the host, in brackets if it
 * is an IPv6 address, and the port unless it is the scheme's own. `size`
 * counts the NUL; a name of 253 bytes, brackets, port: 264 are enough. */
void url_print_host(const struct url *url, char *out, size_t size);
#define URL_HOST_SIZE 264

/*
 * The absolute form of `reference` (`n` bytes) as seen from the absolute URL
 * `base`: RFC 3986, 5.2.2, in strict form. Returns a string for free(), or
 * NULL when memory is short. What comes out may still be no URL that
 * url_parse takes.
 */
char *url_resolve(const char *base, const char *reference, size_t n);

/* Decodes %XX in place and returns the new length. A per cent sign without
 * two hexadecimal digits stands for itself. */
size_t url_decode(char *text, size_t n);

#endif
