/* empty: CMake wants a source for each program; explored ones are made of
 * objects. */
extern const int explore_empty;
const int explore_empty = 0;
