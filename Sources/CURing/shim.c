#define _GNU_SOURCE
#include "CURing.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void curing_futex_wait(const uint32_t *word, uint32_t expected, int64_t nanoseconds) {
    struct timespec limit = {
        .tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    syscall(
        SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, nanoseconds < 0 ? NULL : &limit, NULL, 0);
}

void curing_futex_wake(const uint32_t *word, int count) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

long curing_send(int socket, const void *bytes, size_t byte_count, int flags) {
    long sent = syscall(SYS_sendto, socket, bytes, byte_count, flags, NULL, 0);
    return sent < 0 ? -errno : sent;
}

int curing_eventfd(void) { return eventfd(0, EFD_CLOEXEC); }

int curing_core_count(void) {
    // A set larger than cpu_set_t: machines with more than 1,024 cores refuse the small one.
    unsigned long set[1024];
    if (sched_getaffinity(0, sizeof set, (cpu_set_t *)set) != 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        return online > 0 ? (int)online : 1;
    }
    int count = CPU_COUNT_S(sizeof set, (cpu_set_t *)set);
    return count > 0 ? count : 1;
}

void curing_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

int curing_peer_credentials(int descriptor, int32_t *process, uint32_t *user, uint32_t *group) {
    struct ucred peer;
    socklen_t byte_count = sizeof peer;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &byte_count) != 0) return -1;
    *process = peer.pid;
    *user = peer.uid;
    *group = peer.gid;
    return 0;
}

int curing_errno(void) { return errno; }

void curing_error_text(int code, char *text, size_t byte_count) {
    const char *found = strerror_r(code, text, byte_count);
    if (found != text) snprintf(text, byte_count, "%s", found);
}
