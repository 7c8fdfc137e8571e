// For counting under valgrind: io_uring_enter(2) that never blocks.
//
// valgrind 3.19 does not know that io_uring_enter blocks: a thread that waits in it stops all
// others. Loaded in front of liburing, this waits in nanosleep(2) instead. What it executes itself
// is left out of the counts, see Benchmarks/counts.py, so it calls nothing of the C library.
#include <errno.h>
#include <liburing.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

enum { NAP = 100000 };  // Nanoseconds.

// Returns what the kernel does: -errno for an error.
static long kernel(long number, long a, long b, long c, long d, const void *e, size_t f) {
#if defined(__x86_64__)
    long result = number;
    register long fourth __asm__("r10") = d;
    register const void *fifth __asm__("r8") = e;
    register size_t sixth __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long result __asm__("x0") = a;
    register long second __asm__("x1") = b;
    register long third __asm__("x2") = c;
    register long fourth __asm__("x3") = d;
    register const void *fifth __asm__("x4") = e;
    register size_t sixth __asm__("x5") = f;
    register long which __asm__("x8") = number;
    __asm__ volatile("svc 0"
                     : "+r"(result)
                     : "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth), "r"(which)
                     : "memory");
    return result;
#else
#error "the system calls of this machine are not known here"
#endif
}

static int enter(
    unsigned fd, unsigned submit, unsigned wait, unsigned flags, void *argument, size_t size
) {
    return (int)kernel(SYS_io_uring_enter, fd, submit, wait, flags, argument, size);
}

static void nap(void) {
    struct timespec time = {.tv_nsec = NAP};
    kernel(SYS_nanosleep, (long)&time, 0, 0, 0, NULL, 0);
}

int io_uring_enter2(
    unsigned fd, unsigned submit, unsigned wait, unsigned flags, sigset_t *argument, size_t size
) {
    if (wait == 0) return enter(fd, submit, wait, flags, argument, size);
    int64_t left = INT64_MAX;
    if (flags & IORING_ENTER_EXT_ARG) {
        const struct io_uring_getevents_arg *given = (const void *)argument;
        const struct __kernel_timespec *limit = (const void *)(uintptr_t)given->ts;
        if (limit != NULL) left = limit->tv_sec * 1000000000 + limit->tv_nsec;
    }
    int submitted = submit > 0 ? enter(fd, submit, 0, flags & ~IORING_ENTER_EXT_ARG, NULL, 0) : 0;
    if (submitted < 0) return submitted;
    struct __kernel_timespec none = {0};
    struct io_uring_getevents_arg soon = {.ts = (uint64_t)(uintptr_t)&none};
    while (1) {
        int result = enter(fd, 0, wait, flags | IORING_ENTER_EXT_ARG, &soon, sizeof soon);
        if (result != -ETIME || left <= 0) return result == -ETIME && submit ? submitted : result;
        nap();
        left -= NAP;
    }
}
