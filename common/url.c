/* url: what a URL says. See url.h; section numbers are those of RFC 3986. */
#include "url.h"

#include "bytes.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A stretch of the caller's text; `at` is NULL when the component is not
 * there, which is not the same as there and empty (5.3). */
struct part {
    const char *at;
    size_t length;
};

struct parts {
    struct part scheme, authority, path, query, fragment;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

size_t url_decode(char *text, size_t n)
{
    size_t out = 0;
    for (size_t i = 0; i < n; i++, out++) {
        if (text[i] == '%' && n - i > 2 && hex_digit(text[i + 1]) >= 0 &&
            hex_digit(text[i + 2]) >= 0) {
            text[out] =
                (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else {
            text[out] = text[i];
        }
    }
    return out;
}

/* --- Taking a reference apart, and resolving it (5.2) ------------------- */

/* The stretch from `from` up to the first byte that is one of `stop`. */
static struct part until(const char *from, const char *end, const char *stop)
{
    for (; *stop != '\0'; stop++) {
        const char *at = memchr(from, *stop, (size_t)(end - from));
        end = at != NULL ? at : end;
    }
    return (struct part){from, (size_t)(end - from)};
}

static bool is_scheme(struct part part)
{
    if (part.length == 0 || !isalpha((unsigned char)part.at[0]))
        return false;
    for (size_t i = 1; i < part.length; i++) {
        char c = part.at[i];
        if (!isalnum((unsigned char)c) && c != '+' && c != '-' && c != '.')
            return false;
    }
    return true;
}

/* Appendix B, without the regular expression. It cannot fail: every text is
 * some reference. */
static struct parts split(const char *text, size_t n)
{
    struct parts parts = {0};
    const char *at = text;
    const char *end = text + n;
    struct part scheme = until(at, end, ":/?#");
    if (at + scheme.length < end && at[scheme.length] == ':' &&
        is_scheme(scheme)) {
        parts.scheme = scheme;
        at += scheme.length + 1;
    }
    if (end - at >= 2 && at[0] == '/' && at[1] == '/') {
        parts.authority = until(at + 2, end, "/?#");
        at += 2 + parts.authority.length;
    }
    parts.path = until(at, end, "?#");
    at += parts.path.length;
    if (at < end && *at == '?') {
        parts.query = until(at + 1, end, "#");
        at += 1 + parts.query.length;
    }
    if (at < end)
        parts.fragment = (struct part){at + 1, (size_t)(end - at - 1)};
    return parts;
}

static bool starts_with(const char *at, size_t n, const char *prefix)
{
    return n >= strlen(prefix) && memcmp(at, prefix, strlen(prefix)) == 0;
}

/* Takes the last segment and its slash away, never what stands before the
 * path, which begins at `start`. */
static void drop_segment(struct bytes *out, size_t start)
{
    while (out->length > start) {
        out->length--;
        if (out->data[out->length] == '/')
            return;
    }
}

/* 5.2.4: copies `path` to the end of `out` without "." and ".." segments. */
static int append_without_dots(struct bytes *out, struct part path)
{
    size_t start = out->length;
    const char *at = path.at;
    size_t n = path.length;
    while (n > 0) {
        size_t skip;
        if (starts_with(at, n, "../")) {
            skip = 3;
        } else if (starts_with(at, n, "./") || starts_with(at, n, "/./")) {
            skip = 2;
        } else if (starts_with(at, n, "/../")) {
            drop_segment(out, start);
            skip = 3;
        } else if (n == 3 && starts_with(at, n, "/..")) {
            drop_segment(out, start);
            return bytes_append(out, "/", 1);
        } else if (n == 2 && starts_with(at, n, "/.")) {
            return bytes_append(out, "/", 1);
        } else if ((n == 1 && *at == '.') ||
                   (n == 2 && starts_with(at, n, ".."))) {
            return 0;
        } else {
            /* A relative path's first segment has no slash in front. */
            const char *from = *at == '/' ? at + 1 : at;
            skip = (size_t)(from - at) + until(from, at + n, "/").length;
            int error = bytes_append(out, at, skip);
            if (error != 0)
                return error;
        }
        at += skip;
        n -= skip;
    }
    return 0;
}

/* 5.2.3: `path` in the place of what follows the base's last slash. */
static int append_merged(struct bytes *out, const struct parts *base,
                         struct part path)
{
    struct bytes merged = {0};
    size_t keep = base->path.length;
    while (keep > 0 && base->path.at[keep - 1] != '/')
        keep--;
    int error = 0;
    if (base->authority.at != NULL && base->path.length == 0)
        error = bytes_append(&merged, "/", 1);
    else
        error = bytes_append(&merged, base->path.at, keep);
    if (error == 0)
        error = bytes_append(&merged, path.at, path.length);
    if (error == 0)
        error = append_without_dots(out,
                                    (struct part){merged.data, merged.length});
    bytes_free(&merged);
    return error;
}

static int append_part(struct bytes *out, const char *before, struct part part,
                       const char *after)
{
    if (part.at == NULL)
        return 0;
    int error = bytes_append(out, before, strlen(before));
    if (error == 0)
        error = bytes_append(out, part.at, part.length);
    if (error == 0)
        error = bytes_append(out, after, strlen(after));
    return error;
}

char *url_resolve(const char *base_text, const char *reference, size_t n)
{
    struct parts base = split(base_text, strlen(base_text));
    struct parts ref = split(reference, n);
    struct bytes out = {0};
    bool own_scheme = ref.scheme.at != NULL;
    bool own_authority = own_scheme || ref.authority.at != NULL;
    struct part query = ref.query;

    /* The pseudo-code of 5.2.2, and 5.3, which puts the parts together. */
    int error =
        append_part(&out, "", own_scheme ? ref.scheme : base.scheme, ":");
    if (error == 0)
        error = append_part(
            &out, "//", own_authority ? ref.authority : base.authority, "");
    if (error != 0)
        goto out;
    if (own_authority || starts_with(ref.path.at, ref.path.length, "/")) {
        error = append_without_dots(&out, ref.path);
    } else if (ref.path.length > 0) {
        error = append_merged(&out, &base, ref.path);
    } else {
        error = append_part(&out, "", base.path, "");
        if (query.at == NULL)
            query = base.query;
    }
    if (error == 0)
        error = append_part(&out, "?", query, "");
    if (error == 0)
        error = append_part(&out, "#", ref.fragment, "");
    if (error == 0)
        error = bytes_append(&out, "", 1);
out:
    if (error != 0)
        bytes_free(&out);
    return out.data;
}

/* --- From the parts to a URL that can be fetched ------------------------ */

static const struct {
    const char *name;
    const char *port; /* NULL: the URL must name one */
} schemes[] = {
    [SCHEME_HTTP] = {"http", "80"},
    [SCHEME_HTTPS] = {"https", "443"},
    [SCHEME_FILE] = {"file", "0"},
    [SCHEME_TCP] = {"tcp", NULL},
    [SCHEME_UDP] = {"udp", NULL},
    [SCHEME_POSTGRESQL] = {"postgresql", "5432"},
};

static bool find_scheme(struct part part, enum scheme *scheme)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
        if (part.length == strlen(schemes[i].name) &&
            strncasecmp(part.at, schemes[i].name, part.length) == 0) {
            *scheme = (enum scheme)i;
            return true;
        }
    }
    return false;
}

/* Copies a part into a string of its own; NULL when memory is short. */
static char *copy(struct part part)
{
    char *string = malloc(part.length + 1);
    if (string != NULL) {
        if (part.length > 0)
            memcpy(string, part.at, part.length);
        string[part.length] = '\0';
    }
    return string;
}

/* True if the last label of `host` is a number, in decimal or as 0x...: then
 * it is meant as an IPv4 address, in one of its many spellings. */
static bool ends_in_number(struct part host)
{
    size_t end = host.length;
    if (end > 0 && host.at[end - 1] == '.')
        end--;
    size_t start = end;
    while (start > 0 && host.at[start - 1] != '.')
        start--;
    size_t i = start;
    if (end - start >= 2 && host.at[i] == '0' &&
        (host.at[i + 1] | 32) == 'x') {
        for (i += 2; i < end && hex_digit(host.at[i]) >= 0; i++)
            ;
        return i == end;
    }
    for (; i < end && isdigit((unsigned char)host.at[i]); i++)
        ;
    return i == end && end > start;
}

/* Checks a host that is no IPv6 literal. NULL if it will do, else why not. */
static const char *host_fault(struct part host)
{
    if (host.length == 0)
        return "the host is missing";
    if (host.length > 253)
        return "the host is too long";
    for (size_t i = 0; i < host.length; i++) {
        char c = host.at[i];
        if (!isalnum((unsigned char)c) && c != '-' && c != '.' && c != '_')
            return "the host has a character that no name has";
    }
    if (ends_in_number(host)) {
        char text[INET_ADDRSTRLEN];
        struct in_addr address;
        if (host.length >= sizeof text)
            return "the host is a number but not a dotted quad";
        memcpy(text, host.at, host.length);
        text[host.length] = '\0';
        /* inet_pton, unlike inet_aton, takes the plain quad alone. */
        if (inet_pton(AF_INET, text, &address) != 1)
            return "the host is a number but not a dotted quad";
    }
    return NULL;
}

/* Cuts "user:password@" off the front of the authority, into *user, which is
 * empty if it is not there. */
static void split_user(struct part *authority, struct part *user)
{
    const char *at = memrchr(authority->at, '@', authority->length);
    *user = (struct part){authority->at, 0};
    if (at == NULL)
        return;
    user->length = (size_t)(at - authority->at);
    authority->at = at + 1;
    authority->length -= user->length + 1;
}

/* Cuts "host", "host:port" or "[v6]:port" in two; NULL or what is wrong. */
static const char *split_authority(struct part authority, struct part *host,
                                   struct part *port)
{
    const char *at = authority.at;
    const char *end = at + authority.length;
    if (memchr(at, '@', authority.length) != NULL)
        return "user information is not allowed";
    if (authority.length > 0 && *at == '[') {
        char text[INET6_ADDRSTRLEN] = "";
        struct in6_addr address;
        *host = until(at + 1, end, "]");
        at = host->at + host->length;
        if (at < end && host->length < sizeof text)
            memcpy(text, host->at, host->length);
        if (inet_pton(AF_INET6, text, &address) != 1)
            return "no IPv6 address stands between the brackets";
        at++;
    } else {
        *host = until(at, end, ":");
        at += host->length;
        const char *fault = host_fault(*host);
        if (fault != NULL)
            return fault;
    }
    if (at < end && *at != ':')
        return "something stands between host and port";
    *port = at < end ? (struct part){at + 1, (size_t)(end - at - 1)}
                     : (struct part){at, 0};
    return NULL;
}

/* Writes the port in plain decimal to *out; NULL or what is wrong. */
static const char *read_port(struct part port, enum scheme scheme, char out[6])
{
    unsigned value = 0;
    if (port.length == 0 && schemes[scheme].port == NULL)
        return "the port is missing";
    for (size_t i = 0; i < port.length; i++) {
        if (!isdigit((unsigned char)port.at[i]))
            return "the port is not a number";
        value = value * 10 + (unsigned)(port.at[i] - '0');
        if (value > 65535)
            return "the port is above 65535";
    }
    if (port.length == 0)
        memcpy(out, schemes[scheme].port, strlen(schemes[scheme].port) + 1);
    else
        snprintf(out, 6, "%u", value);
    return NULL;
}

/* Bytes above ASCII go out percent-encoded, the stretches between as given. */
static int append_encoded(struct bytes *out, struct part part)
{
    int error = 0;
    while (part.length > 0 && error == 0) {
        size_t n = 0;
        while (n < part.length && (unsigned char)part.at[n] < 0x80)
            n++;
        error = bytes_append(out, part.at, n);
        if (error == 0 && n < part.length)
            error = bytes_print(out, "%%%02X", (unsigned char)part.at[n++]);
        part = (struct part){part.at + n, part.length - n};
    }
    return error;
}

/* The request target of http: an empty path is "/" (RFC 9112, 3.2.1). */
static int http_target(struct bytes *out, const struct parts *parts)
{
    int error = parts->path.length == 0 ? bytes_append(out, "/", 1)
                                        : append_encoded(out, parts->path);
    if (error == 0 && parts->query.at != NULL)
        error = bytes_append(out, "?", 1);
    if (error == 0)
        error = append_encoded(out, parts->query);
    return error;
}

/* The bytes that tcp and udp send: all after the slash, query included. */
static int plain_target(struct bytes *out, const struct parts *parts)
{
    struct part text = parts->path;
    if (text.length > 0) {
        text.at++;
        text.length--;
    }
    int error = append_part(out, "", text, "");
    if (error == 0)
        error = append_part(out, "?", parts->query, "");
    if (error == 0)
        out->length = url_decode(out->data, out->length);
    return error;
}

#define QUERY "query="

static int make_target(struct bytes *out, enum scheme scheme,
                       const struct parts *parts)
{
    struct part query = parts->query;
    int error;
    switch (scheme) {
    case SCHEME_POSTGRESQL:
        query.at += strlen(QUERY);
        query.length -= strlen(QUERY);
        error = append_part(out, "", query, "");
        if (error == 0)
            out->length = url_decode(out->data, out->length);
        break;
    case SCHEME_TCP:
    case SCHEME_UDP:
        error = plain_target(out, parts);
        break;
    case SCHEME_FILE:
        error = append_part(out, "", parts->path, "");
        if (error == 0)
            out->length = url_decode(out->data, out->length);
        break;
    default:
        error = http_target(out, parts);
    }
    if (error == 0)
        error = bytes_append(out, "", 1);
    if (error == 0)
        out->length--;
    return error;
}

/* Checks what may stand nowhere in a URL; NULL if it does not. */
static const char *character_fault(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == ' ')
            return "a space is not allowed in a URL";
        if (c == '\r' && i == n - 1)
            return "a carriage return stands at its end (CRLF line ends?)";
        if (c < 0x20 || c == 0x7f)
            return "a control character is not allowed in a URL";
    }
    return NULL;
}

/* RFC 8089: file:/path, file:///path and file://localhost/path name the same
 * file. NULL if it is one of them, else what is wrong. */
static const char *file_fault(const struct parts *parts)
{
    struct part host = parts->authority;
    if (host.length != 0 && (host.length != strlen("localhost") ||
                             strncasecmp(host.at, "localhost", 9) != 0))
        return "a file URL names no other host (file:///path)";
    if (parts->path.length == 0 || *parts->path.at != '/')
        return "a file URL's path begins with a slash";
    return NULL;
}

/* postgresql://USER:PASSWORD@HOST:PORT/DATABASE?query=QUERY. NULL if it is
 * one, as far as that is not checked elsewhere, else what is wrong. */
static const char *postgresql_fault(const struct parts *parts,
                                    struct part user)
{
    struct part path = parts->path;
    struct part query = parts->query;
    if (memchr(user.at, '@', user.length) != NULL)
        return "an @ in a user's name or password is written %40";
    if (path.length < 2)
        return "the database is missing (postgresql://host/database)";
    if (memchr(path.at + 1, '/', path.length - 1) != NULL)
        return "a slash in a database's name is written %2F";
    if (query.at == NULL || query.length <= strlen(QUERY) ||
        !starts_with(query.at, query.length, QUERY))
        return "the query is missing (?query=SELECT...)";
    if (memchr(query.at, '&', query.length) != NULL)
        return "an & in a query is written %26";
    return NULL;
}

/* Everything that url_parse checks before it asks for memory. */
static enum result check(struct parts *parts, enum scheme *scheme,
                         struct part *user, struct part *host, char port[6],
                         const char **cause)
{
    struct part port_part;
    *user = (struct part){"", 0};
    *cause = "it has no scheme, such as http:";
    if (parts->scheme.at == NULL)
        return RESULT_BAD_URL;
    *cause = "no such scheme is spoken here";
    if (!find_scheme(parts->scheme, scheme))
        return RESULT_UNSUPPORTED;
    if (*scheme == SCHEME_FILE) {
        *host = (struct part){"", 0};
        memcpy(port, "0", 2);
        *cause = file_fault(parts);
        return *cause == NULL ? RESULT_OK : RESULT_BAD_URL;
    }
    *cause = "two slashes must follow the scheme";
    if (parts->authority.at == NULL)
        return RESULT_BAD_URL;
    if (*scheme == SCHEME_POSTGRESQL)
        split_user(&parts->authority, user);
    *cause = split_authority(parts->authority, host, &port_part);
    if (*cause == NULL)
        *cause = read_port(port_part, *scheme, port);
    if (*cause == NULL && *scheme == SCHEME_POSTGRESQL)
        *cause = postgresql_fault(parts, *user);
    return *cause == NULL ? RESULT_OK : RESULT_BAD_URL;
}

bool url_scheme(const char *text, size_t n, enum scheme *scheme)
{
    struct parts parts = split(text, n);
    return parts.scheme.at != NULL && find_scheme(parts.scheme, scheme);
}

/* Where libpq's own URLs may have it, though ours must not: among the
 * parameters. */
static size_t parameter_password(const char *text, size_t n, size_t *length)
{
    static const char name[] = "password=";
    size_t skip = sizeof name - 1;
    for (size_t i = 1; i + skip <= n; i++) {
        if ((text[i - 1] != '?' && text[i - 1] != '&') ||
            strncasecmp(text + i, name, skip) != 0)
            continue;
        *length = until(text + i + skip, text + n, "&").length;
        return i + skip;
    }
    return n;
}

size_t url_password(const char *text, size_t n, size_t *length)
{
    const char *start = text;
    const char *end = text + n;
    *length = 0;
    while (start < end && !isalpha((unsigned char)*start))
        start++;
    struct part scheme = until(start, end, ":");
    if (scheme.length < 8 || scheme.length > 10 ||
        strncasecmp(scheme.at, "postgresql", scheme.length) != 0)
        return n; /* (libpq's other name for it, postgres, is a part of it) */
    const char *at = scheme.at + scheme.length;
    at += at < end; /* the colon, and slashes */
    while (at < end && *at == '/')
        at++;
    /* A password may hold unescaped what ends the authority; a query may hold
     * an @. */
    for (const char *q = end; q - at >= 7; q--) {
        if (memcmp(q - 7, "?" QUERY, 7) == 0) {
            end = q - 7;
            break;
        }
    }
    const char *colon = memchr(at, ':', (size_t)(end - at));
    const char *last = memrchr(at, '@', (size_t)(end - at));
    if (colon == NULL || last == NULL || last < colon)
        return parameter_password(text, n, length);
    *length = (size_t)(last - colon) - 1;
    return (size_t)(colon - text) + 1;
}

/* Decodes a part to *text, with a NUL, and moves that behind it; NULL if the
 * part is empty. False if it holds a NUL itself. */
static bool take_decoded(char **text, struct part part, char **out)
{
    *out = part.length > 0 ? *text : NULL;
    if (part.length > 0)
        memcpy(*text, part.at, part.length);
    size_t n = url_decode(*text, part.length);
    (*text)[n] = '\0';
    bool has_nul = strlen(*text) != n;
    *text += n + 1;
    return !has_nul;
}

/* Who logs in where. RESULT_OK, or another and *cause. */
static enum result make_login(struct url *url, const struct parts *parts,
                              struct part user, const char **cause)
{
    struct part password = {user.at, 0};
    struct part database = {parts->path.at + 1, parts->path.length - 1};
    const char *colon = memchr(user.at, ':', user.length);
    url->login =
        malloc(sizeof *url->login + user.length + database.length + 3);
    if (url->login == NULL) {
        *cause = "out of memory";
        return RESULT_NO_RESOURCES;
    }
    if (colon != NULL) {
        password.at = colon + 1;
        password.length = (size_t)(user.at + user.length - password.at);
        user.length = (size_t)(colon - user.at);
    }
    char *text = url->login->text;
    if (take_decoded(&text, user, &url->login->user) &&
        take_decoded(&text, password, &url->login->password) &&
        take_decoded(&text, database, &url->login->database) &&
        strlen(url->target) == url->target_length)
        return RESULT_OK;
    *cause = "%00 can stand nowhere in it";
    return RESULT_BAD_URL;
}

enum result url_parse(struct url *url, const char *text, size_t n,
                      const char **cause)
{
    *url = (struct url){0};
    *cause = n < URL_LIMIT ? character_fault(text, n) : "it is too long";
    if (*cause != NULL)
        return RESULT_BAD_URL;
    struct parts parts = split(text, n);
    struct part user;
    struct part host;
    char port[6];
    enum result result =
        check(&parts, &url->scheme, &user, &host, port, cause);
    if (result != RESULT_OK)
        return result;

    struct bytes target = {0};
    int error = make_target(&target, url->scheme, &parts);
    url->target = target.data;
    url->target_length = target.length;
    if (parts.fragment.at != NULL)
        n -= parts.fragment.length + 1;
    url->text = copy((struct part){text, n});
    url->host = copy(host);
    url->port = copy((struct part){port, strlen(port)});
    if (error != 0 || url->text == NULL || url->host == NULL ||
        url->port == NULL) {
        url_free(url);
        *cause = "out of memory";
        return RESULT_NO_RESOURCES;
    }
    for (char *c = url->host; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    if (url->scheme == SCHEME_FILE &&
        strlen(url->target) != url->target_length) {
        url_free(url);
        *cause = "a file name cannot contain %00";
        return RESULT_BAD_URL;
    }
    if (url->scheme == SCHEME_POSTGRESQL)
        result = make_login(url, &parts, user, cause);
    if (result != RESULT_OK)
        url_free(url);
    return result;
}

void url_free(struct url *url)
{
    free(url->text);
    free(url->host);
    free(url->port);
    free(url->target);
    free(url->login);
    *url = (struct url){0};
}

bool url_same_origin(const struct url *a, const struct url *b)
{
    return a->scheme == b->scheme && strcmp(a->host, b->host) == 0 &&
           strcmp(a->port, b->port) == 0;
}

void url_print_host(const struct url *url, char *out, size_t size)
{
    bool literal = strchr(url->host, ':') != NULL;
    const char *usual = schemes[url->scheme].port;
    bool show_port = usual == NULL || strcmp(url->port, usual) != 0;
    snprintf(out, size, "%s%s%s%s%s", literal ? "[" : "", url->host,
             literal ? "]" : "", show_port ? ":" : "",
             show_port ? url->port : "");
}
