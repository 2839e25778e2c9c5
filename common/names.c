/* names: the file names that were given out. See names.h. */
#include "names.h"

#include "siphash.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NAMES_BLOCK  ((uint32_t)4096)
#define CHAINS_LEAST ((size_t)64)

struct taken {
    uint32_t fingerprint[3];
    uint32_t next;  /* the number that its next double would get */
    uint32_t chain; /* the next of the chain, counted from 1; 0: none */
};

int names_open(struct names *names)
{
    *names = (struct names){0};
    return getentropy(names->key, sizeof names->key) == 0 ? 0 : -errno;
}

void names_free(struct names *names)
{
    for (uint32_t i = 0; i < names->count; i += NAMES_BLOCK)
        free(names->blocks[i / NAMES_BLOCK]);
    free(names->blocks);
    free(names->chains);
    *names = (struct names){0};
}

/* By its number, counted from 1. */
static struct taken *taken_at(const struct names *names, uint32_t number)
{
    uint32_t i = number - 1;
    return &names->blocks[i / NAMES_BLOCK][i % NAMES_BLOCK];
}

static uint32_t *chain_of(const struct names *names, const struct taken *taken)
{
    return &names->chains[taken->fingerprint[0] & (names->chain_count - 1)];
}

static void link_taken(struct names *names, uint32_t number)
{
    struct taken *taken = taken_at(names, number);
    uint32_t *chain = chain_of(names, taken);
    taken->chain = *chain;
    *chain = number;
}

/* --- Growing ------------------------------------------------------------- */

/* Makes sure that there are as many chains as names, or nearly so. Short of
 * memory, longer chains will do, if there are any. 0 or -ENOMEM. */
static int grow_chains(struct names *names)
{
    size_t count = names->chain_count;
    if (names->count < count)
        return 0;
    count = count == 0 ? CHAINS_LEAST : 2 * count;
    uint32_t *chains = realloc(names->chains, count * sizeof *chains);
    if (chains == NULL)
        return names->chains != NULL ? 0 : -ENOMEM;
    memset(chains, 0, count * sizeof *chains);
    names->chains = chains;
    names->chain_count = count;
    for (uint32_t number = 1; number <= names->count; number++)
        link_taken(names, number);
    return 0;
}

static bool is_power_of_two(uint32_t n)
{
    return (n & (n - 1)) == 0;
}

/* Makes room for one more. 0 or -ENOMEM. */
static int grow_blocks(struct names *names)
{
    uint32_t block = names->count / NAMES_BLOCK;
    if (names->count == UINT32_MAX)
        return -ENOMEM;
    if (names->count % NAMES_BLOCK != 0)
        return 0;
    if (is_power_of_two(block)) {
        size_t size = 2 * (size_t)(block + 1) * sizeof *names->blocks;
        struct taken **blocks = realloc(names->blocks, size);
        if (blocks == NULL)
            return -ENOMEM;
        names->blocks = blocks;
    }
    names->blocks[block] = malloc(NAMES_BLOCK * sizeof **names->blocks);
    return names->blocks[block] != NULL ? 0 : -ENOMEM;
}

/* --- Giving out ---------------------------------------------------------- */

static struct taken *find(const struct names *names, const struct taken *like)
{
    uint32_t number = names->chain_count > 0 ? *chain_of(names, like) : 0;
    while (number != 0) {
        struct taken *at = taken_at(names, number);
        if (memcmp(at->fingerprint, like->fingerprint,
                   sizeof at->fingerprint) == 0)
            return at;
        number = at->chain;
    }
    return NULL;
}

/* Finds or adds `text`. *is_new tells which. NULL when memory is short. */
static struct taken *remember(struct names *names, const char *text,
                              bool *is_new)
{
    uint64_t hash[2];
    siphash(names->key, text, strlen(text), hash);
    struct taken taken = {.fingerprint = {(uint32_t)hash[0],
                                          (uint32_t)(hash[0] >> 32),
                                          (uint32_t)hash[1]},
                          .next = 1};
    struct taken *found = find(names, &taken);
    *is_new = found == NULL;
    if (found != NULL)
        return found;
    if (grow_chains(names) != 0 || grow_blocks(names) != 0)
        return NULL;
    names->count++;
    found = taken_at(names, names->count);
    *found = taken;
    link_taken(names, names->count);
    return found;
}

char *names_give(struct names *names, const char *wanted)
{
    bool is_new;
    size_t size = strlen(wanted) + 12;
    /* Before anything is remembered: a name without a job would be taken for
     * ever, and the job's next try would get another one. */
    char *name = malloc(size);
    if (name == NULL)
        return NULL;
    snprintf(name, size, "%s", wanted);
    struct taken *base = remember(names, wanted, &is_new);
    struct taken *given = base;
    while (given != NULL && !is_new) { /* a line may ask for just that name */
        snprintf(name, size, "%s.%" PRIu32, wanted, base->next);
        given = remember(names, name, &is_new);
        if (given != NULL)
            base->next++;
    }
    if (given != NULL)
        return name;
    free(name);
    return NULL;
}
