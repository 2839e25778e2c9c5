/*
 * What the thread sanitizer is not to report. It is in the program, for a file
 * of suppressions cannot be read by the users that some tests run it as.
 *
 * OpenSSL is not built for the thread sanitizer, which so does not see by what
 * means it keeps its threads apart. What our own code does is looked at.
 */
const char *__tsan_default_suppressions(void); // NOLINT: the sanitizer's name

const char *__tsan_default_suppressions(void) // NOLINT
{
    return "called_from_lib:libcrypto.so\n"
           "called_from_lib:libssl.so\n";
}
