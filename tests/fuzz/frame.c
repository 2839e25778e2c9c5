/* Fuzzes frame_feed: however the bytes are cut, the same comes out. */
#include "frame.h"

#include "fuzz.h"

#include <string.h>

/* Reads all frames, and notes types and bytes. Bodies may come in pieces. */
static void read_frames(const uint8_t *data, size_t n, size_t step,
                        struct bytes *out)
{
    struct frame_reader reader = {0};
    struct frame frame = {.type = FRAME_NONE};
    size_t used = 0;
    while (used < n && frame.type != FRAME_BROKEN) {
        size_t size = n - used < step ? n - used : step;
        char *piece = malloc(size);
        HOLDS(piece != NULL);
        memcpy(piece, data + used, size);
        size_t at = 0;
        while (at < size && frame.type != FRAME_BROKEN) {
            size_t took = frame_feed(&reader, piece + at, size - at, &frame);
            HOLDS(took <= size - at);
            HOLDS(took > 0 || frame.type != FRAME_NONE);
            at += took;
            if (frame.type == FRAME_BODY)
                HOLDS(frame.length == 0 ||
                      (frame.at >= piece &&
                       frame.at + frame.length <= piece + size));
            else if (frame.type != FRAME_NONE)
                HOLDS(bytes_append(out, &frame.type, 1) == 0);
            if (frame.type != FRAME_NONE && frame.type != FRAME_BROKEN &&
                frame.length > 0)
                HOLDS(bytes_append(out, frame.at, frame.length) == 0);
        }
        used += size;
        free(piece);
    }
    frame_free(&reader);
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
