// What the tools share: sockets, integers of the protocol, and how a tool ends.
//
// An address is a port of 127.0.0.1 ("6432") or the path of a unix socket ("/tmp/.s.PGSQL.6432").
#ifndef SOCKETS_H
#define SOCKETS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static void *checked(void *memory) {
    if (memory == NULL) fail("no memory");
    return memory;
}

// Every tool ends when whoever started it does, and may open as many files as the system allows.
static inline void prepare_process(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    umask(0);  // Unix sockets are for every account.
}

static inline uint32_t load32(const void *at) {
    uint32_t value;
    memcpy(&value, at, 4);
    return ntohl(value);
}

static inline void store32(void *at, uint32_t value) {
    value = htonl(value);
    memcpy(at, &value, 4);
}

static inline void store16(void *at, uint16_t value) {
    value = htons(value);
    memcpy(at, &value, 2);
}

union Address {
    struct sockaddr any;
    struct sockaddr_in tcp;
    struct sockaddr_un local;
};

static inline socklen_t parse_address(const char *text, union Address *address) {
    memset(address, 0, sizeof *address);
    if (text[0] == '/') {
        address->local.sun_family = AF_UNIX;
        if (strlen(text) >= sizeof address->local.sun_path) {
            fprintf(stderr, "the path is too long: %s\n", text);
            exit(1);
        }
        strcpy(address->local.sun_path, text);
        return sizeof address->local;
    }
    address->tcp.sin_family = AF_INET;
    address->tcp.sin_port = htons((uint16_t)atoi(text));
    address->tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof address->tcp;
}

static inline void do_not_delay(int fd) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);  // Fails for unix sockets.
}

static inline void do_not_block(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

static inline int listen_at(const char *text) {
    union Address address;
    socklen_t length = parse_address(text, &address);
    int one = 1, fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (text[0] == '/') unlink(text);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, &address.any, length) != 0 || listen(fd, BACKLOG) != 0) fail(text);
    return fd;
}

// A connection that is being made; it may not be there yet.
static inline int connect_to(const char *text) {
    union Address address;
    socklen_t length = parse_address(text, &address);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) fail("socket");
    do_not_delay(fd);
    // A unix socket with a full backlog answers EAGAIN; the caller tries again.
    if (connect(fd, &address.any, length) != 0 && errno != EINPROGRESS) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

#endif
