"""What a source that is graded may not have: means to look behind the test that
runs it, or to make a sanitizer look away. Regular expressions for grep."""

# Names that it may not use: the harness's (which are not to be found, either),
# of the sanitizers all but what a compiler calls, and of the C library what
# changes code or goes on at another place of the stack. A raw system call
# could be any of these. Nor the C library's other names for what a sanitizer,
# the explorer or a test stands in front of: it would not see the call.
UNCALLED = "(" + "|".join((
    "__(asan|lsan|tsan|ubsan|sanitizer|msan)_.*", "_*interceptor_.*",
    "(WTF)?Annotate.*", "__(real|wrap)_.*", "ex_.*", "explore_.*", "lab_.*",
    "word_.*", "dl(v?sym|m?open|_iterate_phdr|info)",
    "(__cxa_)?atexit", "__cxa_thread_atexit.*", "on_exit", "at_quick_exit",
    "ptrace", "process_vm_.*", "(get|set|swap|make)context",
    "_*(sig)?(set|long)jmp(_chk)?", "sigaltstack", "(pkey_)?mprotect",
    "syscall", "(__)?clone", "__libc_.*", "__pthread_.*",
    "__(open|openat)(64)?(_2)?", "__(read|write|pread64|pwrite64|lseek|close)",
    "__(connect|send|poll|select|pipe|fcntl|dup2|wait|waitpid|v?fork|s?brk)",
    "__(nanosleep|sigaction|sched_yield|sbrk)")) + ")"
COMPILERS = "(" + "|".join((
    "__asan_(init|version_mismatch_check.*|(un)?register_globals"
    "|report_(exp_)?(load|store).*|(exp_)?(load|store).*|handle_no_return"
    "|mem(cpy|set|move)|stack_(malloc|free).*|option_detect_stack.*"
    "|set_shadow_.*|(un)?poison_stack_memory|allocas?_(un)?poison)",
    "__ubsan_handle_.*",
    "__tsan_(init|func_(entry|exit)|(unaligned_|volatile_)?(read|write).*"
    "|(read|write)_range|atomic.*|mem(cpy|set|move))")) + ")"

# Words that a source may not have, after the preprocessor: with them a
# function is hidden from a sanitizer, a copy is made that it does not see,
# code gets into a section that is called, or reaches past C. A declaration's
# __asm__("a_name"), which the C library's headers have, gives it a name alone,
# and names are looked at; no instruction has an underscore.
WORDS = "(" + "|".join((
    r"\b_*asm_*\b(?!\s*\(\s*(\"\" )?\"(\w*_\w+|\w+64)\"\s*\))",
    r"\b_*(no_sanitize\w*|no_address_safety_analysis|disable_sanitizer\w*)\b",
    r"\b_*no_profile_instrument_function_*\b",
    r"\b__builtin_(mem(cpy|move|set|pcpy)|bcopy|bzero)\b",
    r"\b_*(con|de)structor_*\s*(\(|$)", r"\b_*section_*\s*(\(|$)",
    r"\b__builtin_(longjmp|setjmp|eh_return|unwind_init|apply\w*|return"
    r"|frame_address|return_address|(set_)?thread_pointer)\b",
    r"^\s*#\s*pragma\s+(GCC\s+(optimize|target|push_options"
    r"|reset_options|system_header|pch_\w+)|weak|redefine_extname)\b")) + ")"
