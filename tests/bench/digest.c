/* digest: whether bodies were digested. See digest.h. */
#include "digest.h"

#ifdef TRIPTYCH_SHA3

#include "server.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS ((size_t)128) /* of SHA3-512 */

/* Of a body of that kind. False: memory is short. */
static bool digest_of(const struct workload *workload, unsigned kind,
                      char digits[DIGITS + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *body = EVP_MD_CTX_new();
    bool good =
        body != NULL && EVP_DigestInit_ex(body, EVP_sha3_512(), NULL) == 1;
    for (uint64_t done = 0; good && done < workload->size;) {
        const char *at;
        size_t n = server_content(workload, kind, done, &at);
        good = EVP_DigestUpdate(body, at, n) == 1;
        done += n;
    }
    good = good && EVP_DigestFinal_ex(body, digest, NULL) == 1;
    EVP_MD_CTX_free(body);
    for (size_t i = 0; good && i < DIGITS / 2; i++)
        snprintf(digits + 2 * i, 3, "%02x", digest[i]);
    return good;
}

double digest_count(const char *path, const struct workload *workload,
                    unsigned requests)
{
    char line[1000];
    char got[DIGITS + 1];
    char wanted[DIGITS + 1];
    unsigned number;
    unsigned last = UINT_MAX;
    double count = 0;
    bool *seen = calloc(requests, sizeof *seen);
    FILE *file = fopen(path, "re");
    while (file != NULL && seen != NULL &&
           fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%u %128s", &number, got) != 2 ||
            number >= requests || seen[number])
            continue;
        unsigned kind = server_kind(workload, number);
        if (kind != last && !digest_of(workload, kind, wanted))
            break;
        last = kind;
        seen[number] = strcmp(got, wanted) == 0;
        count += seen[number];
    }
    if (file != NULL)
        (void)fclose(file);
    free(seen);
    return count;
}

#else

double digest_count(const char *path, const struct workload *workload,
                    unsigned requests)
{
    (void)path;
    (void)workload;
    (void)requests;
    return 0;
}

#endif
