/*
 * replay: feeds a fuzz target the files of directories, once each, in a build
 * without a fuzzer.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(1 << 20);
    if (file == NULL || data == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    size_t n = fread(data, 1, 1 << 20, file);
    (void)fclose(file);
    (void)LLVMFuzzerTestOneInput(data, n);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        DIR *directory = opendir(argv[i]);
        struct dirent *entry;
        while (directory != NULL && (entry = readdir(directory)) != NULL) {
            char path[4096];
            if (entry->d_name[0] == '.')
                continue;
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            if (replay(path) != 0)
                return 1;
            count++;
        }
        if (directory != NULL)
            (void)closedir(directory);
    }
    printf("%u inputs\n", count);
    return count > 0 ? 0 : 1;
}
