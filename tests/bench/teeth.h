/*
 * teeth: the saw-tooth between two watermarks, recorded.
 */
#ifndef TRIPTYCH_TEETH_H
#define TRIPTYCH_TEETH_H

/*
 * Pumps bytes into one stream of evloop/stream, over a socket whose other end
 * is read at 1 MB/s, so slowly that a tooth takes a twentieth of a second, and
 * writes a line to the file `path` at every write and every send:
 * milliseconds, bytes stashed, whether the source is paused. Takes half a
 * second. 0 or a negative errno.
 */
int teeth_record(const char *path);

#endif
