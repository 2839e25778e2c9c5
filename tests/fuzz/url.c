/* Fuzzes url_parse and url_resolve. */
#include "url.h"

#include "fuzz.h"

#include <string.h>

/* Of a login that has a password none is shown. */
static void check_login(const struct url *url, const char *text)
{
    size_t length;
    size_t n = strlen(url->text);
    HOLDS(url->login->database != NULL && url->login->database[0] != '\0');
    HOLDS(strlen(url->target) == url->target_length);
    if (url->login->password != NULL)
        HOLDS(url_password(text, n, &length) < n && length > 0);
}

/* What was taken apart says the same when it is taken apart once more. */
static void check_url(const char *text, size_t n)
{
    struct url url;
    struct url again;
    const char *cause = NULL;
    size_t length;
    size_t at = url_password(text, n, &length);
    HOLDS(at <= n && length <= n - at);
    HOLDS(at == n || (text[at - 1] == ':' && text[at + length] == '@'));
    enum result result = url_parse(&url, text, n, &cause);
    if (result != RESULT_OK) {
        HOLDS(cause != NULL && url.text == NULL);
        return;
    }
    HOLDS(strlen(url.text) <= n);
    HOLDS(strpbrk(url.text, " \r\n\t#") == NULL);
    HOLDS((url.host[0] == '\0') == (url.scheme == SCHEME_FILE));
    HOLDS(strspn(url.port, "0123456789") == strlen(url.port));
    HOLDS(strtol(url.port, NULL, 10) <= 65535);
    HOLDS(url_parse(&again, url.text, strlen(url.text), &cause) == RESULT_OK);
    HOLDS(strcmp(again.text, url.text) == 0);
    HOLDS(strcmp(again.host, url.host) == 0);
    HOLDS(again.target_length == url.target_length &&
          memcmp(again.target, url.target, url.target_length) == 0);
    HOLDS(url_same_origin(&url, &again));
    HOLDS((url.login != NULL) == (url.scheme == SCHEME_POSTGRESQL));
    if (url.login != NULL)
        check_login(&url, text);
    char host[URL_HOST_SIZE];
    url_print_host(&url, host, sizeof host);
    url_free(&again);
    url_free(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    check_url(text, size);
    /* As a reference; a base ends at the first NUL. */
    char *resolved = url_resolve("http://a/b/c/d;p?q", text, size);
    if (resolved != NULL) {
        check_url(resolved, strlen(resolved));
        free(resolved);
    }
    free(text);
    return 0;
}
