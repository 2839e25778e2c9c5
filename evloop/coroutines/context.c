/* context: a stack, and the switch to another. See context.h. */
#include "context.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- Tools that look on ------------------------------------------------- */

#ifdef __SANITIZE_ADDRESS__ /* gcc says so in this way, clang in the other */
#define FOR_ADDRESSES
#endif
#ifdef __SANITIZE_THREAD__
#define FOR_THREADS
#endif
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define FOR_ADDRESSES
#endif
#if __has_feature(thread_sanitizer)
#define FOR_THREADS
#endif
#endif

#ifdef FOR_ADDRESSES
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define ON_THE_STACK __attribute__((no_sanitize_address))
#else
#define ON_THE_STACK
#endif
#ifdef FOR_THREADS
#include <sanitizer/tsan_interface.h>
#endif
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(start, end) 0
#define VALGRIND_STACK_DEREGISTER(id)       (void)(id)
#endif

/* A stack was made. */
static void tell_made(struct context *c)
{
#ifdef FOR_THREADS
    c->fiber = __tsan_create_fiber(0);
#endif
    c->id = VALGRIND_STACK_REGISTER(c->bottom, c->stack + c->size);
}

/* A stack goes, or begins anew: the functions whose frames were marked on it
 * are not returned to any more. */
static void tell_forgotten(struct context *c)
{
#ifdef FOR_ADDRESSES
    __asan_unpoison_memory_region(c->bottom, c->height);
#endif
    (void)c;
}

static void tell_unmade(struct context *c)
{
    tell_forgotten(c);
#ifdef FOR_THREADS
    __tsan_destroy_fiber(c->fiber);
#endif
    VALGRIND_STACK_DEREGISTER(c->id);
}

/* A switch is about to be made. What is returned is for tell_arrived.
 * AddressSanitizer may keep variables on the heap, to find those that are used
 * after their function's return. A stack that is left for good has that memory
 * taken away in here: ours must lie on the stack. */
ON_THE_STACK static void *tell_leaving(struct context *to, bool for_good)
{
    void *frames = NULL;
#ifdef FOR_ADDRESSES
    __sanitizer_start_switch_fiber(for_good ? NULL : &frames, to->bottom,
                                   to->height);
#endif
#ifdef FOR_THREADS
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    (void)to;
    (void)for_good;
    return frames;
}

/* A switch has been made. Only now we learn where the stack that was left is,
 * if it is a thread's own. */
static void tell_arrived(void *frames, struct context *from)
{
#ifdef FOR_ADDRESSES
    __sanitizer_finish_switch_fiber(frames, &from->bottom, &from->height);
#endif
    (void)frames;
    (void)from;
}

/* --- The switch --------------------------------------------------------- */

/* The first function on every stack. */
static void run(void *arg)
{
    struct context *c = arg;
    tell_arrived(NULL, c->from);
    c->f(c->arg);
    abort(); /* there is nothing below to return to */
}

#ifdef CONTEXT_PORTABLE

static void run_halves(unsigned high, unsigned low)
{
    run((void *)((uintptr_t)high << 16 << 16 | low)); /* it takes ints only */
}

static void prepare(struct context *c)
{
    uintptr_t me = (uintptr_t)c;
    (void)getcontext(&c->saved); /* neither can fail */
    c->saved.uc_stack.ss_sp = (void *)c->bottom;
    c->saved.uc_stack.ss_size = c->height;
    c->saved.uc_link = NULL;
    makecontext(&c->saved, (void (*)(void))run_halves, 2,
                (unsigned)(me >> 16 >> 16), (unsigned)me);
}

static void change(struct context *from, struct context *to)
{
    (void)swapcontext(&from->saved, &to->saved);
}

#else

/* Saves the registers that a called function may not change on the stack, the
 * stack pointer in *from; takes `to` for the stack pointer, and the registers
 * from there. */
void context_change(void **from, void *to);

/* Where a new stack begins: calls what is in one of those registers, with
 * another for its argument. */
void context_first(void);

#ifdef __x86_64__
__asm__(".text\n"
        ".globl context_change\n"
        ".hidden context_change\n"
        ".type context_change, @function\n"
        "context_change:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size context_change, . - context_change\n"
        ".globl context_first\n"
        ".hidden context_first\n"
        ".type context_first, @function\n"
        "context_first:\n"
        ".cfi_startproc\n"
        ".cfi_undefined %rip\n" /* the last frame, for debuggers */
        "    movq %r12, %rdi\n"
        "    call *%rbx\n"
        "    ud2\n"
        ".cfi_endproc\n"
        ".size context_first, . - context_first\n");

/* What context_change will pop, the lowest address first. */
struct saved {
    void *r15, *r14, *r13, *r12, *rbx, *rbp, *returns_to;
    void *none[2]; /* a stack is aligned to 16 bytes where a call is made */
};

static void fill(struct saved *saved, void *arg)
{
    *saved = (struct saved){.r12 = arg,
                            .rbx = (void *)(uintptr_t)run,
                            .returns_to = (void *)(uintptr_t)context_first};
}
#else
__asm__(".text\n"
        ".globl context_change\n"
        ".hidden context_change\n"
        ".type context_change, %function\n"
        "context_change:\n"
        "    sub sp, sp, #160\n"
        "    stp x19, x20, [sp]\n"
        "    stp x21, x22, [sp, #16]\n"
        "    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n"
        "    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n"
        "    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n"
        "    str x9, [x0]\n"
        "    mov sp, x1\n"
        "    ldp x19, x20, [sp]\n"
        "    ldp x21, x22, [sp, #16]\n"
        "    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n"
        "    ldp x27, x28, [sp, #64]\n"
        "    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n"
        "    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #160\n"
        "    ret\n"
        ".size context_change, . - context_change\n"
        ".globl context_first\n"
        ".hidden context_first\n"
        ".type context_first, %function\n"
        "context_first:\n"
        ".cfi_startproc\n"
        ".cfi_undefined x30\n" /* the last frame, for debuggers */
        "    mov x0, x19\n"
        "    blr x20\n"
        "    brk #1\n"
        ".cfi_endproc\n"
        ".size context_first, . - context_first\n");

/* What context_change will load, the lowest address first. */
struct saved {
    void *x19, *x20, *x21_28[8], *x29, *x30;
    double d8_15[8];
};

static void fill(struct saved *saved, void *arg)
{
    *saved = (struct saved){.x19 = arg,
                            .x20 = (void *)(uintptr_t)run,
                            .x30 = (void *)(uintptr_t)context_first};
}
#endif

static void prepare(struct context *c)
{
    struct saved *top = (struct saved *)(void *)(c->stack + c->size);
    fill(--top, c);
    c->saved = top;
}

static void change(struct context *from, struct context *to)
{
    context_change(&from->saved, to->saved);
}

#endif

ON_THE_STACK void context_switch(struct context *from, struct context *to,
                                 bool for_good)
{
    to->from = from;
    void *frames = tell_leaving(to, for_good);
    change(from, to);
    tell_arrived(frames, from->from); /* we are back: who was that? */
}

/* --- Stacks ------------------------------------------------------------- */

void context_here(struct context *c)
{
    *c = (struct context){0};
#ifdef FOR_THREADS
    c->fiber = __tsan_get_current_fiber();
#endif
}

int context_open(struct context *c, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t guard = page > CONTEXT_GUARD ? page : CONTEXT_GUARD;
    *c = (struct context){.size = guard + size};
    void *stack =
        mmap(NULL, c->size, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED)
        return -errno;
    if (mprotect(stack, guard, PROT_NONE) == -1) {
        int error = -errno;
        (void)munmap(stack, c->size);
        return error;
    }
    c->stack = stack;
    c->bottom = c->stack + guard;
    c->height = size;
    tell_made(c);
    return 0;
}

void context_begin(struct context *c, void (*f)(void *arg), void *arg)
{
    tell_forgotten(c);
    c->f = f;
    c->arg = arg;
    prepare(c);
}

void context_close(struct context *c)
{
    tell_unmade(c);
    (void)munmap(c->stack, c->size);
    c->stack = NULL;
}
