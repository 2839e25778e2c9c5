/* content: bodies that are the same every time. See content.h. */
#include "content.h"

#include <string.h>

static unsigned char block[CONTENT_PERIOD + 8];

/* Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators (2014) */
static uint64_t splitmix64(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void content_init(void)
{
    for (size_t i = 0; i < CONTENT_PERIOD; i += 8) {
        uint64_t word = splitmix64(i / 8);
        for (size_t j = 0; j < 8; j++)
            block[i + j] = (unsigned char)(word >> (8 * j));
    }
}

size_t content_at(uint64_t seed, uint64_t offset, size_t most,
                  const char **at)
{
    uint64_t start = seed == 0 ? 0 : splitmix64(seed) % CONTENT_PERIOD;
    size_t place =
        (size_t)((start + offset % CONTENT_PERIOD) % CONTENT_PERIOD);
    *at = (const char *)block + place;
    return most < CONTENT_PERIOD - place ? most : CONTENT_PERIOD - place;
}
