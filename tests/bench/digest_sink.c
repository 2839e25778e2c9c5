/*
 * digest_sink: takes the place of common/sink.c in programs of the benchmark's
 * own, digest-MODEL: a body is neither saved nor dropped, but goes through
 * SHA3-512. That is work for the processor, done where the model delivers: in
 * its thread, in its process, in the loop. The digest of a whole body goes to
 * standard error, which workers have, too: a line with the request's number
 * and 128 hex digits.
 */
#include "sink.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

/* A body's descriptor is its number here. */
#define BODIES 100000

static EVP_MD_CTX *bodies[BODIES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int sink_open(struct sink *sink, const struct options *options)
{
    (void)options;
    *sink = (struct sink){.directory = -1, .owner = getpid()};
    return 0;
}

void sink_close(struct sink *sink)
{
    (void)sink;
}

static int begin(struct file *file)
{
    EVP_MD_CTX *body = EVP_MD_CTX_new();
    int free_one = 0;
    if (body == NULL || EVP_DigestInit_ex(body, EVP_sha3_512(), NULL) != 1)
        return -ENOMEM;
    pthread_mutex_lock(&lock);
    while (free_one < BODIES && bodies[free_one] != NULL)
        free_one++;
    if (free_one < BODIES)
        bodies[free_one] = body;
    pthread_mutex_unlock(&lock);
    if (free_one == BODIES)
        return -EMFILE;
    file->fd = free_one;
    return 0;
}

static EVP_MD_CTX *end(struct file *file)
{
    EVP_MD_CTX *body = bodies[file->fd];
    pthread_mutex_lock(&lock);
    bodies[file->fd] = NULL;
    pthread_mutex_unlock(&lock);
    file->fd = -1;
    return body;
}

int sink_write(struct sink *sink, struct file *file, const struct job *job,
               const char *p, size_t n)
{
    int error = file->fd == -1 ? begin(file) : 0;
    (void)sink;
    (void)job;
    if (error != 0)
        return error;
    file->bytes += n;
    return EVP_DigestUpdate(bodies[file->fd], p, n) == 1 ? 0 : -ENOMEM;
}

/* In one write, which no thread's or process's other line can divide. */
static int print(const unsigned char *digest, unsigned size, uint64_t id)
{
    char line[200];
    int length = snprintf(line, sizeof line, "%" PRIu64 " ", id);
    for (unsigned i = 0; i < size; i++)
        length += snprintf(line + length, sizeof line - (size_t)length, "%02x",
                           digest[i]);
    line[length++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, (size_t)length);
    return written == length ? 0 : written == -1 ? -errno : -EIO;
}

int sink_commit(struct sink *sink, struct file *file, const struct job *job)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size;
    int error = file->fd == -1 ? begin(file) : 0; /* the body is empty */
    (void)sink;
    if (error != 0)
        return error;
    EVP_MD_CTX *body = end(file);
    error = EVP_DigestFinal_ex(body, digest, &size) == 1 ? 0 : -ENOMEM;
    EVP_MD_CTX_free(body);
    return error == 0 ? print(digest, size, job->id) : error;
}

void sink_abort(struct sink *sink, struct file *file, const struct job *job)
{
    (void)sink;
    (void)job;
    if (file->fd != -1)
        EVP_MD_CTX_free(end(file));
    *file = FILE_NONE;
}

void sink_remove(struct sink *sink, const struct job *job)
{
    (void)sink;
    (void)job;
}
