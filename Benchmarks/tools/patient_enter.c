// For counting under valgrind: io_uring_enter(2) that never blocks.
//
// valgrind 3.19 does not know that io_uring_enter blocks: a thread that waits in it stops all
// others. Loaded in front of liburing, this waits in nanosleep(2) instead. What it executes itself
// is left out of the counts, see Benchmarks/counts.py.
#include <errno.h>
#include <liburing.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NAP = 100000 };  // Nanoseconds.

static int enter(
    unsigned fd, unsigned submit, unsigned wait, unsigned flags, void *argument, size_t size
) {
    long result = syscall(SYS_io_uring_enter, fd, submit, wait, flags, argument, size);
    return result < 0 ? -errno : (int)result;
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
        nanosleep(&(struct timespec){.tv_nsec = NAP}, NULL);
        left -= NAP;
    }
}
