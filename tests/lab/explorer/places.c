/* places: addresses in the program, as file, line and function. See
 * places.h. */
#include "places.h"

#include "real.h"

#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE 200 /* addresses in one command */

static int find_base(struct dl_phdr_info *info, size_t size, void *base)
{
    (void)size;
    *(uintptr_t *)base = info->dlpi_addr;
    return 1; /* the program itself comes first */
}

static void chomp(char *line)
{
    line[strcspn(line, "\n")] = '\0';
}

/* "/long/path/queue.c:70 (discriminator 2)" and "queue_take". */
static void put(struct ex_place *place, const char *function, char *line)
{
    const char *file = strrchr(line, '/');
    file = file == NULL ? line : file + 1;
    line[strcspn(line, " ")] = '\0';
    if (strchr(file, '?') == NULL)
        (void)snprintf(place->text, sizeof place->text, "%.80s %.70s", file,
                       function);
}

static void find_some(struct ex_place *places, size_t count)
{
    char program[4096] = "";
    uintptr_t base = 0;
    char *command = NULL;
    size_t size = 0;
    (void)dl_iterate_phdr(find_base, &base);
    if (readlink("/proc/self/exe", program, sizeof program - 1) < 0 ||
        strchr(program, '\'') != NULL)
        return;
    FILE *text = open_memstream(&command, &size);
    if (text == NULL)
        return;
    (void)fprintf(text, "addr2line -f -e '%s'", program);
    for (size_t i = 0; i < count; i++) /* of the call, not of what follows */
        (void)fprintf(
            text, " %#lx",
            (unsigned long)((uintptr_t)places[i].address - 1 - base));
    (void)fprintf(text, " 2>/dev/null");
    if (fclose(text) != 0)
        goto out;
    FILE *lines = popen(command, "re");
    if (lines == NULL)
        goto out;
    char function[256];
    char line[4096];
    for (size_t i = 0; i < count; i++) {
        if (fgets(function, sizeof function, lines) == NULL ||
            fgets(line, sizeof line, lines) == NULL)
            break;
        chomp(function);
        chomp(line);
        put(&places[i], function, line);
    }
    (void)pclose(lines);
out:
    free(command);
}

void ex_places_find(struct ex_place *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        places[i].text[0] = '\0';
        if (places[i].address != NULL)
            (void)snprintf(places[i].text, sizeof places[i].text, "%p",
                           places[i].address);
    }
    for (size_t i = 0; i < count; i += AT_ONCE)
        find_some(places + i, count - i < AT_ONCE ? count - i : AT_ONCE);
    for (size_t i = 0; i < count; i++) {
        if (places[i].address == NULL)
            places[i].text[0] = '\0';
    }
}
