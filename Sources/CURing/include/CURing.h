// What Swift cannot see of liburing and Linux: macros, unions, variadic calls, and constants newer
// than liburing 2.3. No logic beyond one call each.
#pragma once

// The system's headers come first: <liburing.h> defines _XOPEN_SOURCE, under which some structs
// look different from what Swift's Glibc module has seen.
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>

#include <liburing.h>

// ---- io_uring ----------------------------------------------------------------------------------

// Setup flags as numbers, so that an older <liburing.h> compiles too. io_uring_setup(2).
static const unsigned curing_setup_flags =
    (1U << 3)     // CQSIZE
    | (1U << 7)   // SUBMIT_ALL
    | (1U << 8)   // COOP_TASKRUN
    | (1U << 12)  // SINGLE_ISSUER
    | (1U << 13); // DEFER_TASKRUN

// EPOLLRDHUP's poll(2) twin needs _GNU_SOURCE.
static const unsigned curing_poll_read_hang_up = 0x2000;

/// Fills the submission array with the identity; liburing before and after 2.4 differ in whether
/// they do, and `curing_enter` relies on it.
static inline void curing_prepare(struct io_uring *ring) {
    if (ring->sq.array == 0) return;
    for (unsigned index = 0; index < ring->sq.ring_entries; index++) ring->sq.array[index] = index;
}

/// Shows the prepared entries to the kernel, and waits for `wait_count` completions, at most
/// `nanoseconds` (negative: without limit). One system call always. Returns io_uring_enter(2)'s
/// result, or -errno.
static inline int curing_enter(
    struct io_uring *ring, int descriptor, unsigned extra_flags, unsigned wait_count,
    int64_t nanoseconds) {
    unsigned tail = ring->sq.sqe_tail;
    if (ring->sq.sqe_head != tail) {
        ring->sq.sqe_head = tail;
        __atomic_store_n(ring->sq.ktail, tail, __ATOMIC_RELEASE);
    }
    unsigned submit_count = tail - __atomic_load_n(ring->sq.khead, __ATOMIC_ACQUIRE);
    struct __kernel_timespec limit = {
        .tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    struct io_uring_getevents_arg argument = {
        .sigmask = 0, .sigmask_sz = 0, .ts = (uint64_t)(uintptr_t)&limit};
    unsigned flags = IORING_ENTER_GETEVENTS | extra_flags;
    if (wait_count == 0 || nanoseconds < 0) {
        return io_uring_enter2(descriptor, submit_count, wait_count, flags, 0, 0);
    }
    return io_uring_enter2(
        descriptor, submit_count, wait_count, flags | IORING_ENTER_EXT_ARG,
        (sigset_t *)&argument, sizeof argument);
}

/// Where the kernel has written completions up to.
static inline unsigned curing_completion_tail(const struct io_uring *ring) {
    return __atomic_load_n(ring->cq.ktail, __ATOMIC_ACQUIRE);
}

/// Tells the kernel which completions have been read.
static inline void curing_set_completion_head(struct io_uring *ring, unsigned head) {
    __atomic_store_n(ring->cq.khead, head, __ATOMIC_RELEASE);
}

/// A receive into a buffer of group 0. `multishot` stays armed; single-shot polls first.
static inline void curing_prepare_receive(
    struct io_uring_sqe *entry, int descriptor, int is_multishot) {
    io_uring_prep_recv(entry, descriptor, 0, 0, 0);
    entry->ioprio |= is_multishot ? IORING_RECV_MULTISHOT : IORING_RECVSEND_POLL_FIRST;
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = 0;
}

/// Cancels all requests with `user_data`; completes only if there was none.
static inline void curing_prepare_cancel(struct io_uring_sqe *entry, uint64_t user_data) {
    io_uring_prep_cancel64(entry, user_data, IORING_ASYNC_CANCEL_ALL);
    entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

/// Closes a descriptor; completes only when that fails.
static inline void curing_prepare_close(struct io_uring_sqe *entry, int descriptor) {
    io_uring_prep_close(entry, descriptor);
    entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

// ---- Linux -------------------------------------------------------------------------------------

/// Sleeps while `*word == expected`, at most `nanoseconds` (negative: without limit). futex(2).
void curing_futex_wait(const uint32_t *word, uint32_t expected, int64_t nanoseconds);
/// Wakes up to `count` threads that sleep on `word`. futex(2).
void curing_futex_wake(const uint32_t *word, int count);

/// send(2): the byte count, or -errno. libc's own is a cancellation point, which costs four atomic
/// operations.
long curing_send(int socket, const void *bytes, size_t byte_count, int flags);

/// A close-on-exec, blocking eventfd, or -1 with errno.
int curing_eventfd(void);

/// How many cores this process may run on, at least 1. sched_getaffinity(2).
int curing_core_count(void);

/// Names the calling thread, in at most 15 bytes. pthread_setname_np(3).
void curing_name_thread(const char *name);

/// SO_PEERCRED of a unix socket: 0, or -1 with errno. unix(7).
int curing_peer_credentials(int descriptor, int32_t *process, uint32_t *user, uint32_t *group);

/// errno of the call before, and its text into `text`. strerror_r(3).
int curing_errno(void);
void curing_error_text(int code, char *text, size_t byte_count);

/// Tells the processor that this is a spin loop.
static inline void curing_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}
