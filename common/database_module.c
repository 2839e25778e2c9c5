/* database: a query to a PostgreSQL server, over libpq: the module, but for
 * what is cancelled. See database.h and database_module.h. */
#include "database_module.h"

#include <ctype.h>
#include <errno.h>
#include <libpq-fe.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What libpq says that means one thing or another. */
#define SAYS_CLOSED "server closed the connection unexpectedly"
#define SAYS_EOF    "EOF detected"
#define SAYS_MEMORY "out of memory"
#define SAYS_TLS    "SSL error"

/* A server says how many rounds of hashing prove the password (SCRAM; RFC
 * 5802, 5.1). 4,096 are usual; so many take a tenth of a second. libpq would
 * do as many as it is told, hours of them, and hear nothing meanwhile. */
#define ROUNDS_MOST 100000

/* libpq takes no longer message while the user is authenticated. */
#define LOGIN_MOST 2000

/* ... but this one, an error, which is the last. */
#define ERROR_MOST 30000

/* More often no server asks who logs in. libpq would answer each time, and
 * wait, deaf, for a server that does not read that. */
#define ASKS_MOST 16

/* So many messages has no handshake of TLS. OpenSSL passes over those that do
 * not matter (HelloRequest), any number of them in one call of libpq. */
#define HANDSHAKE_MOST 100

struct database {
    PGconn *connection;
    int handshake; /* messages of it */
    bool dialled;  /* it was waited for once */
    bool heard;    /* the server has answered who logs in */
    int asks;      /* ... so often */
    ssize_t part;  /* of its next message so much has come; 0: none, or all */
    bool refuses;  /* it has begun to say why, which is its last message */
    bool asked;    /* a query was sent ... */
    bool is_told;  /* ... its end was told ... */
    bool is_over;  /* ... and no more comes of it, because of ... */
    int error;     /* ... this; 0: the result is complete */

    PGresult *row; /* being written, from ... */
    int column;    /* ... here ... */
    size_t at;     /* ... on; NULL: none */

    char words[120]; /* of what has failed */
};

/* --- What has failed ---------------------------------------------------- */

/* How long the character that begins there is in UTF-8; 0: none does. */
static size_t character(const unsigned char *p)
{
    size_t n = *p < 0x80   ? 1
               : *p < 0xc2 ? 0
               : *p < 0xe0 ? 2
               : *p < 0xf0 ? 3
               : *p < 0xf5 ? 4
                           : 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

/* Leaves nothing in the text that a terminal could take for a command: neither
 * control characters, of which the second half (C1) has two bytes in UTF-8,
 * nor bytes that are no UTF-8, which may be C1 in another code. */
static void make_harmless(char *text)
{
    unsigned char *p = (unsigned char *)text;
    while (*p != '\0') {
        size_t n = character(p);
        if (n == 0 || iscntrl(*p) || (*p == 0xc2 && p[1] < 0xa0))
            memset(p, ' ', n > 0 ? n : 1);
        p += n > 0 ? n : 1;
    }
}

/* Keeps what the server said, in one line, with nothing in it that could draw
 * on a terminal; and without the password, should the server repeat it. */
static void keep_words(struct database *db, const char *state,
                       const char *text)
{
    const char *password = PQpass(db->connection);
    size_t length = strcspn(text, "\n");
    if (password != NULL && password[0] != '\0' &&
        memmem(text, length, password, strlen(password)) != NULL) {
        text = "(the server's words have the password in them)";
        length = strlen(text);
    }
    snprintf(db->words, sizeof db->words, "%s%s%.*s", state,
             state[0] != '\0' ? ": " : "", (int)length, text);
    make_harmless(db->words);
}

/* The server does what no server may. */
static int broken(struct database *db, const char *how)
{
    keep_words(db, "", how);
    return -DATABASE_BROKEN;
}

/* The server has said what is wrong, under a code (SQLSTATE; PostgreSQL's
 * manual, appendix A). Most codes are about the query, or who asks; some say
 * that the server stops, or takes no more. */
static int refused(struct database *db, const char *state, const char *text)
{
    static const char *const stops[] = {"57P01", "57P02", "57P05"};
    static const char *const takes_none[] = {"57P03", "53300"};
    keep_words(db, state, text);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        if (strcmp(state, stops[i]) == 0)
            return -DATABASE_CUT;
    }
    for (size_t i = 0; i < sizeof takes_none / sizeof *takes_none; i++) {
        if (strcmp(state, takes_none[i]) == 0)
            return -ECONNREFUSED;
    }
    return -DATABASE_REFUSED;
}

/* A code and what follows it, in words of libpq such as "FATAL:  28P01: no".
 * NULL: there is none. */
static const char *find_state(const char *text, char state[6])
{
    for (; (text = strstr(text, ":  ")) != NULL; text += 3) {
        size_t n = strspn(text + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (n == 5 && text[8] == ':' && text[9] == ' ') {
            memcpy(state, text + 3, 5);
            state[5] = '\0';
            return text + 10;
        }
    }
    return NULL;
}

/* libpq says in words alone why it has failed, also where the system had told
 * it by an errno: which? 0: none. (The words are always the same, for no
 * locale is set here.) */
static int errno_in(const char *text)
{
    static const int errors[] = {
        ECONNREFUSED, ECONNRESET, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH,
        EMFILE,       ENFILE,     ENOMEM,    ENOBUFS,     EADDRNOTAVAIL,
        ENETDOWN,     EPIPE,      EACCES,    EPERM,       EAFNOSUPPORT};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (strstr(text, strerror(errors[i])) != NULL)
            return errors[i];
    }
    if (strstr(text, strerror(EAGAIN)) != NULL)
        return EADDRNOTAVAIL; /* of connect: no local port is left */
    return strstr(text, gai_strerror(EAI_MEMORY)) != NULL ? ENOMEM : 0;
}

/* A call of libpq has failed. A negative errno, perhaps with words. */
static int failure(struct database *db)
{
    char state[6];
    const char *text = PQerrorMessage(db->connection);
    const char *said = find_state(text, state);
    if (said != NULL)
        return refused(db, state, said);
    int error = errno_in(text);
    if (error != 0)
        return -error;
    if (strstr(text, SAYS_CLOSED) != NULL || strstr(text, SAYS_EOF) != NULL)
        return -DATABASE_CUT;
    if (strstr(text, SAYS_MEMORY) != NULL)
        return -ENOMEM;
    /* 'connection to server at "::1", port 5432 failed: ' comes first. */
    const char *behind = strstr(text, " failed: ");
    keep_words(db, "", behind != NULL ? behind + 9 : text);
    if (PQconnectionNeedsPassword(db->connection))
        return -DATABASE_REFUSED;
    return strstr(text, SAYS_TLS) != NULL ? -DATABASE_TLS : -DATABASE_BROKEN;
}

/* Is there an error on the socket? 0 or a negative errno. libpq would say of a
 * reset what it says of an end. */
static int socket_error(const struct database *db)
{
    char byte;
    if (recv(PQsocket(db->connection), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >=
            0 ||
        errno == EAGAIN || errno == EINTR)
        return 0;
    return -errno;
}

static const char *cause_of(const struct database *db, int error)
{
    switch (error) {
    case DATABASE_REFUSED:
    case DATABASE_BROKEN:
    case DATABASE_TLS:
        return db->words;
    case DATABASE_COPY:
        return "COPY is no query (SELECT says the same)";
    case DATABASE_CUT:
        return "the server closed the connection";
    case ECONNREFUSED:
        if (db->words[0] != '\0') /* by the server, not by its system */
            return "the server takes no connections just now";
        return strerror(error);
    default:
        return strerror(error);
    }
}

/* --- Sessions of TLS, which are libpq's ---------------------------------- */

/* The one whose libpq is at work in this thread to connect; NULL: none. It has
 * its place from the thread's start: for what a module has otherwise, memory is
 * allocated at the first use, and glibc ends the program if there is none. */
static _Thread_local struct database *connecting
    __attribute__((tls_model("initial-exec")));

/* libpq gets no control back while OpenSSL reads on: the socket must end. */
static void count_message(int writing, int version, int type, const void *p,
                          size_t n, SSL *session, void *arg)
{
    struct database *db = connecting;
    (void)version, (void)p, (void)n, (void)session, (void)arg;
    if (db == NULL || writing != 0 || type != SSL3_RT_HANDSHAKE)
        return;
    if (++db->handshake == HANDSHAKE_MOST)
        (void)shutdown(PQsocket(db->connection), SHUT_RDWR);
}

/* A context is made, by libpq for each session or, for https, by the other
 * module. A new handshake within a session would be another that may have no
 * end. (Not when the session is made: newer OpenSSLs tell of that before there
 * is anything in it.) */
static void new_context(void *context, void *p, CRYPTO_EX_DATA *data,
                        int index, long number, void *arg)
{
    (void)p, (void)data, (void)index, (void)number, (void)arg;
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_msg_callback(context, count_message);
}

static void watch_sessions(void)
{
    (void)SSL_CTX_get_ex_new_index(0, NULL, new_context, NULL, NULL);
}

/* --- Connecting --------------------------------------------------------- */

/* libpq would print what a server remarks. */
static void ignore_notice(void *arg, const PGresult *notice)
{
    (void)arg;
    (void)notice;
}

static int begin(const struct url *url, const struct addrinfo *address,
                 struct database **out)
{
    char numeric[64];
    const struct url_login *login = url->login;
    /* A value that is NULL is as if it was not there. */
    const char *const keywords[] = {
        "host",     "hostaddr", "port",       "user",
        "password", "dbname",   "gssencmode", "fallback_application_name",
        NULL};
    const char *const values[] = {
        url->host,       numeric,   url->port,  login->user, login->password,
        login->database, "disable", "triptych", NULL};
    if (getnameinfo(address->ai_addr, address->ai_addrlen, numeric,
                    sizeof numeric, NULL, 0, NI_NUMERICHOST) != 0)
        return -ENOMEM;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct database *db = calloc(1, sizeof *db);
    if (db == NULL)
        return -ENOMEM;
    (void)pthread_once(&once, watch_sessions);
    db->connection = PQconnectStartParams(keywords, values, 0);
    if (db->connection == NULL) {
        free(db);
        return -ENOMEM;
    }
    (void)PQsetNoticeReceiver(db->connection, ignore_notice, NULL);
    /* Only so do its words have the code in them. */
    (void)PQsetErrorVerbosity(db->connection, PQERRORS_VERBOSE);
    *out = db;
    return 0;
}

static int socket_of(const struct database *db)
{
    return PQsocket(db->connection);
}

/* Reads ahead of libpq, which will find it all. */
static ssize_t peek(const struct database *db, char *p, size_t n)
{
    size_t got = 0;
    struct ssl_st *tls = PQsslStruct(db->connection, "OpenSSL");
    if (tls == NULL)
        return recv(PQsocket(db->connection), p, n, MSG_PEEK | MSG_DONTWAIT);
    SSL_clear_mode(tls, SSL_MODE_AUTO_RETRY); /* as in tls.c */
    int result = SSL_peek_ex(tls, p, n, &got);
    ERR_clear_error();
    return result == 1 ? (ssize_t)got : -1;
}

/* Has the socket poll as readable only when it has so many bytes. */
static void wait_for_bytes(const struct database *db, int n)
{
    (void)setsockopt(PQsocket(db->connection), SOL_SOCKET, SO_RCVLOWAT, &n,
                     sizeof n);
}

/* A message's length, or what it is about, in four bytes. */
static size_t number_at(const char *p)
{
    const unsigned char *byte = (const unsigned char *)p;
    return (size_t)byte[0] << 24 | (size_t)byte[1] << 16 |
           (size_t)byte[2] << 8 | byte[3];
}

/* True if this message of SCRAM asks for too many rounds. */
static bool asks_too_much(const char *p, size_t n)
{
    const char *at = memmem(p, n, ",i=", 3);
    unsigned long rounds = 0;
    for (at = at != NULL ? at + 3 : p + n;
         at < p + n && isdigit((unsigned char)*at) && rounds <= ROUNDS_MOST;
         at++)
        rounds = 10 * rounds + (unsigned long)(*at - '0');
    return rounds > ROUNDS_MOST;
}

/* How long the message is that begins there: 0 if that is not known yet. -1:
 * it is none that may come while the user is authenticated. */
static ssize_t message_length(const char *p, size_t n)
{
    if (*p != 'R' && *p != 'E')
        return -1;
    if (n < 5)
        return 0;
    size_t length = number_at(p + 1);
    size_t most = *p == 'R' ? LOGIN_MOST : ERROR_MOST;
    return length < 4 || length > most ? -1 : (ssize_t)length + 1;
}

/* True if libpq takes all of the message for one. What is left over it would
 * take for the next, and we have not looked at it as such. */
static bool is_exact(const char *p, size_t n, size_t about)
{
    switch (about) {
    case 3: /* a password */
        return n == 9;
    case 5: /* MD5, with a salt */
        return n == 13;
    case 10: /* SASL, with names of ways, and an empty one */
        return memmem(p + 9, n - 9, "\0", 2) == p + n - 2;
    default:
        return true;
    }
}

/* Of the next message only a part is here. libpq gets it when it is whole, or
 * no more comes of it. */
static int await_rest(struct database *db, ssize_t part, ssize_t wanted)
{
    if (PQsslStruct(db->connection, "OpenSSL") != NULL)
        return broken(db, "the server cuts its messages in pieces");
    if (part == db->part)
        return 0;
    db->part = part;
    wait_for_bytes(db, (int)wanted);
    return -EAGAIN;
}

/* What libpq is about to read, while the user is authenticated: does it ask
 * for more work than can be waited for? libpq must only get whole messages:
 * what is split could not be looked at. 0: libpq may read; -EAGAIN: when more
 * has come; or another negative errno. */
static int look_ahead(struct database *db)
{
    char text[2 * (LOGIN_MOST + 1)]; /* those before a long one are short */
    bool awaits = PQstatus(db->connection) == CONNECTION_AWAITING_RESPONSE;
    if (!awaits)
        db->refuses = false; /* by PGSSLMODE, another connection may follow */
    if (!awaits || db->refuses)
        return 0;
    ssize_t n = peek(db, text, sizeof text);
    if (db->part > 0)
        wait_for_bytes(db, 1);
    for (ssize_t at = 0; at < n;) {
        const char *p = text + at;
        ssize_t length = message_length(p, (size_t)(n - at));
        if (length < 0 && !db->heard)
            return 0; /* libpq says what it is */
        if (length < 0)
            return broken(db, "the server sends what is no message");
        db->refuses = *p == 'E' && length > 0;
        if (db->refuses)
            return 0; /* it may be cut in pieces */
        if (length == 0 || length > n - at)
            return await_rest(db, n, at + (length > 0 ? length : 5));
        db->heard = true;
        size_t about = length >= 9 ? number_at(p + 5) : 0;
        if (about == 0)
            return 0; /* the user is authenticated */
        if (++db->asks > ASKS_MOST || !is_exact(p, (size_t)length, about))
            return broken(db, "the server asks what no server asks");
        if (asks_too_much(p, (size_t)length))
            return broken(db, "the server asks for too many rounds of SCRAM");
        at += length;
    }
    db->part = 0;
    return 0;
}

/* What a server says by NOTIFY, though it was not asked to. libpq would
 * keep it. */
static void drop_notifications(const struct database *db)
{
    PGnotify *notification;
    while ((notification = PQnotifies(db->connection)) != NULL)
        PQfreemem(notification);
}

static int go_on_connecting(struct database *db, short *events)
{
    if (PQstatus(db->connection) == CONNECTION_BAD)
        return failure(db);
    int error = socket_error(db);
    *events = POLLIN;
    if (error == 0)
        error = look_ahead(db);
    if (error != 0)
        return error;
    if (PQstatus(db->connection) == CONNECTION_AUTH_OK)
        drop_notifications(db);
    PostgresPollingStatusType waits = PGRES_POLLING_WRITING;
    connecting = db;
    if (db->dialled)
        waits = PQconnectPoll(db->connection);
    connecting = NULL;
    db->dialled = true;
    if (db->handshake >= HANDSHAKE_MOST)
        return broken(db, "the server's handshake has no end");
    switch (waits) {
    case PGRES_POLLING_OK:
        return PQsetnonblocking(db->connection, 1) == 0 ? 0 : failure(db);
    case PGRES_POLLING_READING:
        *events = POLLIN;
        return -EAGAIN;
    case PGRES_POLLING_WRITING:
        *events = POLLOUT;
        return -EAGAIN;
    default:
        return failure(db);
    }
}

/* --- The query ---------------------------------------------------------- */

/* No more comes. */
static int be_over(struct database *db, int error)
{
    db->is_over = true;
    db->error = error;
    return error;
}

static void ask(struct database *db, const char *query, size_t n)
{
    char *text = strndup(query, n);
    int error = text == NULL ? -ENOMEM : 0;
    db->asked = true;
    /* Unlike PQsendQuery this takes one query, not several. */
    if (error == 0 && (PQsendQueryParams(db->connection, text, 0, NULL, NULL,
                                         NULL, NULL, 0) != 1 ||
                       PQsetSingleRowMode(db->connection) != 1))
        error = failure(db);
    if (error != 0)
        (void)be_over(db, error);
    free(text);
}

/* libpq has failed to read, which may have set errno. It has the same words
 * for a reset and for an end, but over TLS other words for an end. */
static int read_failure(struct database *db, bool by_tls)
{
    bool is_reset = by_tls || errno == ECONNRESET;
    int error = failure(db);
    if (error == -DATABASE_CUT && is_reset &&
        strstr(PQerrorMessage(db->connection), SAYS_CLOSED) != NULL)
        return -ECONNRESET;
    return error;
}

/* Reads once. libpq may leave a part of a TLS record with OpenSSL, where poll
 * does not see it. */
static int consume(struct database *db)
{
    struct ssl_st *tls = PQsslStruct(db->connection, "OpenSSL");
    drop_notifications(db);
    do {
        errno = 0;
        if (PQconsumeInput(db->connection) != 1)
            return read_failure(db, tls != NULL);
    } while (tls != NULL && SSL_has_pending(tls) && PQisBusy(db->connection));
    return 0;
}

/* Is there a result to be had without waiting? 0; -EAGAIN; or another negative
 * errno. */
static int receive(struct database *db, short *events)
{
    int left = PQflush(db->connection);
    *events = left == 1 ? POLLIN | POLLOUT : POLLIN;
    if (left < 0)
        return failure(db);
    if (!PQisBusy(db->connection))
        return 0;
    int error = consume(db);
    if (error == 0 && PQisBusy(db->connection))
        error = -EAGAIN;
    return error;
}

/* The server has refused the query, or the connection is lost within it. */
static int result_failure(struct database *db, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    return state != NULL && text != NULL ? refused(db, state, text)
                                         : failure(db);
}

/* Has a row to write in db->row. 1; 0: there is none any more; -EAGAIN; or
 * another negative errno. */
static int next_row(struct database *db, short *events)
{
    while (!db->is_over) {
        int error = receive(db, events);
        if (error == -EAGAIN)
            return error;
        if (error != 0)
            return be_over(db, error);
        PGresult *result = PQgetResult(db->connection);
        if (result == NULL)
            return be_over(db, 0);
        switch (PQresultStatus(result)) {
        case PGRES_SINGLE_TUPLE:
            db->row = result;
            db->column = 0;
            db->at = 0;
            return 1;
        case PGRES_TUPLES_OK: /* the end, which has no row in it */
        case PGRES_COMMAND_OK:
        case PGRES_EMPTY_QUERY:
            /* Of results without end we would never have enough. */
            if (db->is_told)
                (void)be_over(db, broken(db, "the server sends a second end"));
            db->is_told = true;
            break;
        case PGRES_COPY_IN:
        case PGRES_COPY_OUT:
        case PGRES_COPY_BOTH:
            (void)be_over(db, -DATABASE_COPY);
            break;
        default:
            (void)be_over(db, result_failure(db, result));
        }
        PQclear(result);
    }
    return db->error;
}

/* --- Rows as text ------------------------------------------------------- */

/* What stands behind the backslash in this byte's place, by the rules of COPY
 * (PostgreSQL's manual, COPY, "Text Format"); 0: the byte is itself. */
static char escape_of(char c)
{
    switch (c) {
    case '\\':
        return '\\';
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\v':
        return 'v';
    default:
        return 0;
    }
}

/* Writes as much of one column's value as there is room for. */
static size_t write_value(struct database *db, char *p, size_t n)
{
    const char *value = PQgetvalue(db->row, 0, db->column);
    size_t length = (size_t)PQgetlength(db->row, 0, db->column);
    size_t used = 0;
    bool is_null = PQgetisnull(db->row, 0, db->column) == 1;
    if (is_null) {
        value = "\\N";
        length = 2;
    }
    for (; db->at < length && n - used >= 2; db->at++) {
        char c = value[db->at];
        char escape = is_null ? 0 : escape_of(c);
        if (escape != 0)
            p[used++] = '\\';
        p[used++] = escape != 0 ? escape : c;
    }
    return used;
}

/* Writes as much of the row as there is room for, and is done with it when
 * that is all. */
static size_t write_row(struct database *db, char *p, size_t n)
{
    size_t used = 0;
    int columns = PQnfields(db->row);
    while (db->column < columns) {
        used += write_value(db, p + used, n - used);
        if (n - used < 2) /* that may have been all of it, or not */
            return used;
        db->at = 0;
        db->column++;
        if (db->column < columns)
            p[used++] = '\t';
    }
    if (n - used < 1)
        return used;
    p[used++] = '\n';
    PQclear(db->row);
    db->row = NULL;
    return used;
}

static ssize_t read_rows(struct database *db, char *p, size_t n, short *events)
{
    size_t used = 0;
    int got = 1;
    while (n - used >= 2 &&
           (db->row != NULL || (got = next_row(db, events)) > 0))
        used += write_row(db, p + used, n - used);
    return used > 0 ? (ssize_t)used : got;
}

/* --- The end ------------------------------------------------------------ */

static void end(struct database *db)
{
    PGcancel *left = NULL;
    if (db->asked && !db->is_over)
        left = PQgetCancel(db->connection);
    PQclear(db->row);
    PQfinish(db->connection); /* it tells the server, if that is at once */
    free(db);
    database_cancel(left);
}

const struct database_module triptych_database_module = {
    .version = TRIPTYCH_VERSION,
    .begin = begin,
    .fd = socket_of,
    .connect = go_on_connecting,
    .ask = ask,
    .read = read_rows,
    .cause = cause_of,
    .end = end,
    .settle = database_cancels_settle,
};
