/* context: threads of a run, as contexts of one thread of the system. See
 * context.h. */
#include "context.h"

#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>

#define GUARD ((size_t)4096)
#define EACH  (EX_STACK + GUARD) /* the guard is below the stack */

static EX_OWN char *stacks = NULL;
static EX_OWN jmp_buf engine = {0};
static EX_OWN void (*entry_of_new)(void) = NULL;
static EX_OWN struct {
    char *block; /* where the compiler's code looks for it */
    const char *initial;
    size_t initial_size;
    size_t size;
} tls = {0};
static EX_OWN char *tls_copies = NULL;

/* The program itself comes first; of the others we want none. */
static int find_tls(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_TLS && info->dlpi_tls_data != NULL) {
            tls.block = info->dlpi_tls_data;
            tls.initial = (const char *)(info->dlpi_addr + header->p_vaddr);
            tls.initial_size = header->p_filesz;
            tls.size = header->p_memsz;
        }
    }
    return 1;
}

int ex_context_open(void)
{
    dl_iterate_phdr(find_tls, NULL);
    size_t size = EX_THREADS * EACH;
    stacks = mmap(NULL, size + tls.size * EX_THREADS, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED)
        return -errno;
    tls_copies = stacks + size;
    for (int i = 0; i < EX_THREADS; i++) {
        if (mprotect(stacks + (size_t)i * EACH, GUARD, PROT_NONE) != 0)
            return -errno;
    }
    return 0;
}

/* What earlier runs left on a stack must not be seen by this one: it has to
 * behave the same each time, even where it reads what it never wrote. They
 * used it from the top down, with gaps of less than a page. */
static void clean_stack(const struct ex_thread *thread)
{
    const size_t step = 4096;
    char *page = thread->stack + EX_STACK;
    while (page > thread->stack) {
        page -= step;
        const uint64_t *word = (const uint64_t *)(void *)page;
        size_t i = 0;
        while (i < step / sizeof *word && word[i] == 0)
            i++;
        if (i == step / sizeof *word)
            return;
        memset(page, 0, step);
    }
}

static void begin(void)
{
    entry_of_new();
}

void ex_context_make(struct ex_thread *thread, void (*entry)(void))
{
    size_t i = (size_t)thread->id;
    thread->stack = stacks + i * EACH + GUARD;
    thread->tls = tls_copies + i * tls.size;
    clean_stack(thread);
    if (tls.size > 0) {
        memcpy(thread->tls, tls.initial, tls.initial_size);
        memset((char *)thread->tls + tls.initial_size, 0,
               tls.size - tls.initial_size);
    }
    (void)getcontext(&thread->beginning); /* it cannot fail */
    thread->beginning.uc_stack.ss_sp = thread->stack;
    thread->beginning.uc_stack.ss_size = EX_STACK;
    thread->beginning.uc_link = NULL;
    makecontext(&thread->beginning, begin, 0);
    thread->began = false;
    thread->lowest = thread->stack + EX_STACK;
    memset(&thread->registers, 0, sizeof thread->registers);
    entry_of_new = entry;
}

void ex_context_enter(struct ex_thread *thread)
{
    if (tls.size > 0)
        memcpy(tls.block, thread->tls, tls.size);
    errno = thread->error;
    ex_current = thread;
    if (_setjmp(engine) == 0) {
        if (thread->began)
            _longjmp(thread->registers, 1);
        thread->began = true;
        (void)setcontext(&thread->beginning);
    }
    thread->error = errno;
    ex_current = NULL;
    if (tls.size > 0)
        memcpy(thread->tls, tls.block, tls.size);
}

/* Of a context that waits, everything above is alive: what a caller's
 * registers held may have been saved here, too. */
static char *stack_pointer(void)
{
#if defined(__x86_64__)
    char *sp;
    __asm__ volatile("mov %%rsp, %0" : "=r"(sp));
    return sp;
#elif defined(__aarch64__)
    char *sp;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    return sp;
#else
    return (char *)__builtin_frame_address(0) - 256;
#endif
}

void ex_context_leave(void)
{
    struct ex_thread *thread = ex_current;
    thread->lowest = stack_pointer();
    if (_setjmp(thread->registers) == 0)
        _longjmp(engine, 1);
}

void ex_context_abandon(void)
{
    _longjmp(engine, 1);
}

__attribute__((noinline)) void ex_context_wipe(void)
{
    char below[1024];
    memset(below, 0, sizeof below);
    __asm__ volatile("" : : "r"(below) : "memory"); /* it is read, gcc */
}

const char *ex_context_top(const struct ex_thread *thread)
{
    return thread->stack + EX_STACK;
}

size_t ex_context_tls(void)
{
    return tls.size;
}

bool ex_context_has(const void *address, bool *overflow)
{
    const char *byte = address;
    *overflow = false;
    if (byte < stacks || byte >= stacks + EX_THREADS * EACH)
        return false;
    *overflow = (size_t)(byte - stacks) % EACH < GUARD;
    return true;
}
