/* Fuzzes frame_next: however the bytes are cut, the same comes out. */
#include "frame.h"

#include "fuzz.h"

#include <string.h>

/* Reads all frames, and notes types and bytes. Bodies may come in pieces. What
 * the reader has not used yet is put before the next piece, in a block that
 * has no byte more. */
static void read_frames(const uint8_t *data, size_t n, size_t step,
                        struct bytes *out)
{
    struct frame_reader reader = {0};
    struct frame frame = {.type = FRAME_NONE};
    size_t given = 0;
    while (given < n && frame.type != FRAME_BROKEN) {
        size_t rest = reader.in.length - reader.used;
        size_t size = n - given < step ? n - given : step;
        char *block = malloc(rest + size);
        HOLDS(block != NULL);
        memcpy(block, data + given - rest, rest + size);
        free(reader.in.data);
        reader.in = (struct bytes){block, rest + size, rest + size, true};
        reader.used = 0;
        given += size;
        while (frame = frame_next(&reader), frame.type != FRAME_NONE) {
            if (frame.type == FRAME_BROKEN)
                break;
            HOLDS(frame.length == 0 ||
                  (frame.at >= block &&
                   frame.at + frame.length <= block + rest + size));
            HOLDS(frame.type != FRAME_BODY || frame.length > 0);
            if (frame.type == FRAME_BODY)
                frame_took(&reader, frame.length);
            else
                HOLDS(bytes_append(out, &frame.type, 1) == 0);
            HOLDS(bytes_append(out, frame.at, frame.length) == 0);
            HOLDS(reader.used <= reader.in.length);
        }
    }
    free(reader.in.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes whole = {0};
    struct bytes cut = {0};
    if (size < 1)
        return 0;
    read_frames(data + 1, size - 1, size, &whole);
    read_frames(data + 1, size - 1, data[0] % 9 + 1, &cut);
    HOLDS(whole.length == cut.length);
    HOLDS(whole.length == 0 ||
          memcmp(whole.data, cut.data, whole.length) == 0);
    bytes_free(&whole);
    bytes_free(&cut);
    return 0;
}
