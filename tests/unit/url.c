/* url: parsing and resolving, RFC 3986 section 5.4's tables in full. */
#include "url.h"

#include "guard.h"
#include "main.h"

#include <stdio.h>

/* 5.4.1 and 5.4.2, with the base of 5.4; strict where a choice is left. */
static const struct {
    const char *reference;
    const char *target;
} references[] = {
    {"g:h", "g:h"},
    {"g", "http://a/b/c/g"},
    {"./g", "http://a/b/c/g"},
    {"g/", "http://a/b/c/g/"},
    {"/g", "http://a/g"},
    {"//g", "http://g"},
    {"?y", "http://a/b/c/d;p?y"},
    {"g?y", "http://a/b/c/g?y"},
    {"#s", "http://a/b/c/d;p?q#s"},
    {"g#s", "http://a/b/c/g#s"},
    {"g?y#s", "http://a/b/c/g?y#s"},
    {";x", "http://a/b/c/;x"},
    {"g;x", "http://a/b/c/g;x"},
    {"g;x?y#s", "http://a/b/c/g;x?y#s"},
    {"", "http://a/b/c/d;p?q"},
    {".", "http://a/b/c/"},
    {"./", "http://a/b/c/"},
    {"..", "http://a/b/"},
    {"../", "http://a/b/"},
    {"../g", "http://a/b/g"},
    {"../..", "http://a/"},
    {"../../", "http://a/"},
    {"../../g", "http://a/g"},
    {"../../../g", "http://a/g"},
    {"../../../../g", "http://a/g"},
    {"/./g", "http://a/g"},
    {"/../g", "http://a/g"},
    {"g.", "http://a/b/c/g."},
    {".g", "http://a/b/c/.g"},
    {"g..", "http://a/b/c/g.."},
    {"..g", "http://a/b/c/..g"},
    {"./../g", "http://a/b/g"},
    {"./g/.", "http://a/b/c/g/"},
    {"g/./h", "http://a/b/c/g/h"},
    {"g/../h", "http://a/b/c/h"},
    {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
    {"g;x=1/../y", "http://a/b/c/y"},
    {"g?y/./x", "http://a/b/c/g?y/./x"},
    {"g?y/../x", "http://a/b/c/g?y/../x"},
    {"g#s/./x", "http://a/b/c/g#s/./x"},
    {"g#s/../x", "http://a/b/c/g#s/../x"},
    {"http:g", "http:g"},
};

START_TEST(resolves_references)
{
    for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
        struct guard guard;
        size_t n = strlen(references[i].reference);
        char *reference = guard_copy(&guard, references[i].reference, n);
        char *target = url_resolve("http://a/b/c/d;p?q", reference, n);
        ck_assert_str_eq(target, references[i].target);
        free(target);
        guard_free(&guard);
    }
}
END_TEST

/* Section 5.2.3: a base with an authority and an empty path. */
START_TEST(merges_with_an_empty_path)
{
    char *target = url_resolve("http://a", "g", 1);
    ck_assert_str_eq(target, "http://a/g");
    free(target);
    target = url_resolve("http://a?q", "g", 1);
    ck_assert_str_eq(target, "http://a/g");
    free(target);
}
END_TEST

static const struct {
    const char *text;
    enum result result;
    enum scheme scheme;
    const char *host;
    const char *port;
    const char *target;
} urls[] = {
    {"http://h/", RESULT_OK, SCHEME_HTTP, "h", "80", "/"},
    {"http://h", RESULT_OK, SCHEME_HTTP, "h", "80", "/"},
    {"HTTP://ExAmPle.ORG:8080/A?B#C", RESULT_OK, SCHEME_HTTP, "example.org",
     "8080", "/A?B"},
    {"http://h?q", RESULT_OK, SCHEME_HTTP, "h", "80", "/?q"},
    {"http://h:/x", RESULT_OK, SCHEME_HTTP, "h", "80", "/x"},
    {"http://h:007/x", RESULT_OK, SCHEME_HTTP, "h", "7", "/x"},
    {"http://h/a%20b", RESULT_OK, SCHEME_HTTP, "h", "80", "/a%20b"},
    {"http://h/\xc3\xa4", RESULT_OK, SCHEME_HTTP, "h", "80", "/%C3%A4"},
    {"http://127.0.0.1:1/", RESULT_OK, SCHEME_HTTP, "127.0.0.1", "1", "/"},
    {"http://[::1]:81/", RESULT_OK, SCHEME_HTTP, "::1", "81", "/"},
    {"http://a_b-c.d/", RESULT_OK, SCHEME_HTTP, "a_b-c.d", "80", "/"},
    {"http://h./", RESULT_OK, SCHEME_HTTP, "h.", "80", "/"},
    {"http://1a/", RESULT_OK, SCHEME_HTTP, "1a", "80", "/"},
    {"https://h/", RESULT_OK, SCHEME_HTTPS, "h", "443", "/"},
    {"tcp://h:7/a%0Ab?c", RESULT_OK, SCHEME_TCP, "h", "7", "a\nb?c"},
    {"tcp://h:7/", RESULT_OK, SCHEME_TCP, "h", "7", ""},
    {"tcp://h:7", RESULT_OK, SCHEME_TCP, "h", "7", ""},
    {"tcp://h:7/100%", RESULT_OK, SCHEME_TCP, "h", "7", "100%"},
    {"udp://h:7/x", RESULT_OK, SCHEME_UDP, "h", "7", "x"},
    {"postgresql://h/d?query=a%20b%26c+d", RESULT_OK, SCHEME_POSTGRESQL, "h",
     "5432", "a b&c+d"},
    {"PostgreSQL://u:p@H:1/d?query=%#f", RESULT_OK, SCHEME_POSTGRESQL, "h",
     "1", "%"},
    {"postgresql://u@[::1]:2/d?query=?query=", RESULT_OK, SCHEME_POSTGRESQL,
     "::1", "2", "?query="},
    {"postgresql://h/d", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"postgresql://h/d?", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"postgresql://h/d?query", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"postgresql://h/d?query=", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"postgresql://h/d?Query=x", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"postgresql://h/d?query=x&y", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"postgresql://h/d?query=x%00", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"postgresql://h/d%00?query=x", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"postgresql://u%00@h/d?query=x", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"postgresql://u:%00@h/d?query=x", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"postgresql://u@v@h/d?query=x", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"postgresql://h/?query=x", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"postgresql://h?query=x", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"postgresql://h/d/e?query=x", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"postgresql:///d?query=x", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"postgresql://@/d?query=x", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"postgresql:/h/d?query=x", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"postgresql:", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"postgres://h/d?query=x", RESULT_UNSUPPORTED, 0, NULL, NULL, NULL},
    {"file:///a%20b", RESULT_OK, SCHEME_FILE, "", "0", "/a b"},
    {"file:/a%20b", RESULT_OK, SCHEME_FILE, "", "0", "/a b"},
    {"File://LocalHost/a", RESULT_OK, SCHEME_FILE, "", "0", "/a"},
    {"file://localhost", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"file://localhost:80/a", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"file:a", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"file:?a", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"file:", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"h/x", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"//h/x", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http:/h", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http:///x", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://:80/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://h:x/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://h:-1/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://h:65536/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://h:4294967376/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://u@h/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://u:p@h/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://h/ x", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://h/\x01", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://h/\x7f", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://h/\r", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://h/#\n", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://127.1/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://1/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://1.2.3.4.5/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://0x7f.0.0.1/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://h.0x1/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://256.0.0.1/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://010.0.0.1/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://127.0.0.1./", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://a.1/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://[::1/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://[::1]x/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://[1.2.3.4]/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://[fe80::1%25lo]/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://h%41/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"http://\xc3\xa4/", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"tcp://h/x", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"udp://h/x", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"file://host/x", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"file:///a%00b", RESULT_BAD_URL, 0, NULL, NULL, NULL},
    {"ftp://h/", RESULT_UNSUPPORTED, 0, NULL, NULL, NULL},
    {"localhost:80/x", RESULT_UNSUPPORTED, 0, NULL, NULL, NULL},
};

START_TEST(parses_urls)
{
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct guard guard;
        struct url url;
        const char *cause = NULL;
        size_t n = strlen(urls[i].text);
        char *text = guard_copy(&guard, urls[i].text, n);
        enum result result = url_parse(&url, text, n, &cause);
        guard_free(&guard); /* nothing may point into it any more */
        ck_assert_msg(result == urls[i].result, "%s: %s (%s)", urls[i].text,
                      result_word(result), cause);
        if (result != RESULT_OK) {
            ck_assert_ptr_nonnull(cause);
            continue;
        }
        ck_assert_int_eq(url.scheme, urls[i].scheme);
        ck_assert_str_eq(url.host, urls[i].host);
        ck_assert_str_eq(url.port, urls[i].port);
        ck_assert_uint_eq(url.target_length, strlen(urls[i].target));
        ck_assert_str_eq(url.target, urls[i].target);
        url_free(&url);
    }
}
END_TEST

/* Each part's own text, decoded; NULL if it is not there. */
static const struct {
    const char *text;
    const char *user;
    const char *password;
    const char *database;
} logins[] = {
    {"postgresql://h/d?query=x", NULL, NULL, "d"},
    {"postgresql://@h/d?query=x", NULL, NULL, "d"},
    {"postgresql://:@h/d?query=x", NULL, NULL, "d"},
    {"postgresql://u@h/d?query=x", "u", NULL, "d"},
    {"postgresql://u:@h/d?query=x", "u", NULL, "d"},
    {"postgresql://:p@h/d?query=x", NULL, "p", "d"},
    {"postgresql://u:p:q@h/%2F%64?query=x@y:z", "u", "p:q", "/d"},
    {"postgresql://%75%3A:%40%2f%25@h/d%?query=x", "u:", "@/%", "d%"},
};

static void check_text(const char *got, const char *expected)
{
    if (expected == NULL)
        ck_assert_ptr_null(got);
    else
        ck_assert_str_eq(got, expected);
}

START_TEST(takes_logins_apart)
{
    for (size_t i = 0; i < sizeof logins / sizeof *logins; i++) {
        struct guard guard;
        struct url url;
        const char *cause;
        size_t n = strlen(logins[i].text);
        char *text = guard_copy(&guard, logins[i].text, n);
        ck_assert_int_eq(url_parse(&url, text, n, &cause), RESULT_OK);
        guard_free(&guard);
        check_text(url.login->user, logins[i].user);
        check_text(url.login->password, logins[i].password);
        check_text(url.login->database, logins[i].database);
        url_free(&url);
    }
}
END_TEST

/* What is shown of each; "": the whole of it. */
static const struct {
    const char *text;
    const char *shown;
} passwords[] = {
    {"postgresql://u:p@h/d?query=x", "postgresql://u:***@h/d?query=x"},
    {"PostGres://u:p@h", "PostGres://u:***@h"},
    {"postgresql://:@h/d", "postgresql://:***@h/d"},
    {"postgresql://:p@h/d", "postgresql://:***@h/d"},
    {"postgresql:u:p@h", "postgresql:u:***@h"},
    {"\x01 \"postgresql://u:p@h", "\x01 \"postgresql://u:***@h"},
    {"postgresql://u:a/b?c#d@e@h/d?query=@", "postgresql://u:***@h/d?query=@"},
    {"postgresql://u:a?query=b@h/d?query=@", "postgresql://u:***@h/d?query=@"},
    {"postgresql://u:a@b", "postgresql://u:***@b"},
    {"postgresql://u@h/d?password=p&query=x",
     "postgresql://u@h/d?password=***&query=x"},
    {"postgres:///d?user=u&PassWord=p#", "postgres:///d?user=u&PassWord=***"},
    {"postgresql://h/d?query=password=p", ""},
    {"postgresql://u@h:1/d?query=x", ""},
    {"postgresql://h:1/d?query='a@b'", ""},
    {"postgresql://h/d?query=a:b", ""},
    {"postgresql:", ""},
    {"postgresql", ""},
    {"postgresqls://u:p@h", ""},
    {"http://u:p@h/", ""},
    {"//", ""},
    {"", ""},
};

START_TEST(hides_passwords)
{
    for (size_t i = 0; i < sizeof passwords / sizeof *passwords; i++) {
        struct guard guard;
        char shown[100];
        size_t length;
        const char *text = passwords[i].text;
        int n = (int)strlen(text);
        char *copy = guard_copy(&guard, text, (size_t)n);
        int at = (int)url_password(copy, (size_t)n, &length);
        guard_free(&guard);
        snprintf(shown, sizeof shown, "%.*s%s%s", at, text,
                 at < n ? "***" : "", text + at + length);
        ck_assert_str_eq(
            shown, passwords[i].shown[0] != '\0' ? passwords[i].shown : text);
    }
}
END_TEST

START_TEST(takes_nul_in_text_only)
{
    struct url url;
    const char *cause;
    ck_assert_int_eq(url_parse(&url, "http://h/\0x", 11, &cause),
                     RESULT_BAD_URL);
    ck_assert_int_eq(url_parse(&url, "tcp://h:1/a%00b", 15, &cause),
                     RESULT_OK);
    ck_assert_uint_eq(url.target_length, 3);
    ck_assert_mem_eq(url.target, "a\0b", 3);
    url_free(&url);
}
END_TEST

START_TEST(refuses_overlong_ones)
{
    static char text[URL_LIMIT + 1];
    struct url url;
    const char *cause;
    memset(text, 'x', sizeof text);
    memcpy(text, "http://h/", 9);
    ck_assert_int_eq(url_parse(&url, text, URL_LIMIT, &cause), RESULT_BAD_URL);
    ck_assert_int_eq(url_parse(&url, text, URL_LIMIT - 1, &cause), RESULT_OK);
    url_free(&url);
}
END_TEST

static void check_host(const char *text, const char *expected)
{
    struct url url;
    const char *cause;
    char host[URL_HOST_SIZE];
    ck_assert_int_eq(url_parse(&url, text, strlen(text), &cause), RESULT_OK);
    url_print_host(&url, host, sizeof host);
    ck_assert_str_eq(host, expected);
    url_free(&url);
}

START_TEST(prints_the_host_field)
{
    check_host("http://Ab.c/", "ab.c");
    check_host("http://a:80/", "a");
    check_host("http://a:81/", "a:81");
    check_host("http://[::1]/", "[::1]");
    check_host("http://[::1]:8080/", "[::1]:8080");
    check_host("https://a:443/", "a");
    check_host("https://a:80/", "a:80");
}
END_TEST

START_TEST(decodes_in_place)
{
    char text[] = "a%41%zz%4%%2F%";
    size_t n = url_decode(text, sizeof text - 1);
    ck_assert_uint_eq(n, strlen("aA%zz%4%/%"));
    ck_assert_mem_eq(text, "aA%zz%4%/%", n);
}
END_TEST

static void add_cases(TCase *tc)
{
    tcase_add_test(tc, resolves_references);
    tcase_add_test(tc, merges_with_an_empty_path);
    tcase_add_test(tc, parses_urls);
    tcase_add_test(tc, takes_logins_apart);
    tcase_add_test(tc, hides_passwords);
    tcase_add_test(tc, takes_nul_in_text_only);
    tcase_add_test(tc, refuses_overlong_ones);
    tcase_add_test(tc, prints_the_host_field);
    tcase_add_test(tc, decodes_in_place);
}

UNIT_MAIN("url", add_cases)
