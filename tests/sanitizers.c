/*
 * What the sanitizers are not to report. It is in the program, for a file of
 * suppressions cannot be read by the users that some tests run it as.
 */
const char *__tsan_default_suppressions(void); // NOLINT: the sanitizers' names
const char *__lsan_default_suppressions(void); // NOLINT
const char *__lsan_default_options(void); // NOLINT

/* OpenSSL is not built for the thread sanitizer, which so does not see by what
 * means it keeps its threads apart. What our own code does is looked at. */
const char *__tsan_default_suppressions(void) // NOLINT
{
    return "called_from_lib:libcrypto.so\n"
           "called_from_lib:libssl.so\n";
}

/* What a thread's resolver holds, glibc frees as the last thing that the thread
 * does. The sanitizer does not know the thread any more by then: if the program
 * ends at that moment, it takes this for a leak. */
const char *__lsan_default_suppressions(void) // NOLINT
{
    return "leak:res_context_send\n";
}

/* What is not reported is not to be told of either. */
const char *__lsan_default_options(void) // NOLINT
{
    return "print_suppressions=0";
}
