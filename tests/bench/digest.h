/*
 * digest: whether bodies were digested: what a digest-MODEL prints, against
 * what the server sends.
 */
#ifndef TRIPTYCH_DIGEST_H
#define TRIPTYCH_DIGEST_H

#include "workload.h"

/* How many of the requests have their right digest, once or more often, in the
 * file `path`. 0 in a build without OpenSSL, which has no digest-MODEL. */
double digest_count(const char *path, const struct workload *workload,
                    unsigned requests);

#endif
