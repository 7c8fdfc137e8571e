// A load generator: clients that send queries as fast as they are answered, on few threads.
//
//     load [options] ADDRESS        prints one line of JSON
//
//     -c COUNT    clients                       -m MODE     simple, extended, prepared or copyin
//     -d DEPTH    queries sent at once (1)      -q TEXT     what is asked (select 1)
//     -s SECONDS  measured time                 -w SECONDS  time before that (0.2)
//     -n COUNT    queries per client instead of a time; a thread stops when all are answered
//     -C          connect, ask once, disconnect, and again; the latency is of all that together
//     -H          log in, ask nothing (with -Q: once), print a line, hold on until stdin is closed
//     -P PID,...  processes whose CPU time is measured with the answers
//     -T          TLS                           -t COUNT    threads (1)
//     -u USER  -D DATABASE  -p PASSWORD         -k KIB      length of a COPY from here, KiB
//     -z BYTES    of a COPY in each of its messages (65536, which is the most)
//     -v VALUE    of $1 in TEXT; not for simple
//
// A query is what libpq sends for it: Query; Parse, Bind, Describe, Execute, Sync; or, prepared,
// the same without Parse. Its latency is the time from the write that holds it to its
// ReadyForQuery. An ErrorResponse ends the program.
#include "sockets.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <time.h>

enum {
    INPUT = 256 * 1024,
    EVENTS = 512,
    CONNECTING_MAX = 100,  // Logins of one thread that are under way at once.
    PIDS = 16,
    COPY_CHUNK = 64 * 1024,
    HASH = 32,
};

// Latencies: exact to one part in 64, in nanoseconds.
enum { SUB_BITS = 6, BUCKETS = 64 << SUB_BITS };

enum Phase { LOGIN, RUN, MEASURE, DRAIN };
enum Mode { SIMPLE, EXTENDED, PREPARED, COPY_IN };
enum State { CONNECTING, TLS_ASKED, TLS_SHAKES, LOGGING_IN, PREPARING, IDLE, ASKING, GONE };

static struct {
    const char *address, *text, *user, *database, *password, *value;
    int clients, depth, threads, pids[PIDS], pidCount;
    enum Mode mode;
    double seconds, warmUp;
    long each, copyKiB, copyPart;
    bool churns, holds, holdsAfterQuery, isTLS;
} options = {
    .text = "select 1", .user = "app", .database = "app", .password = "app-secret", .clients = 1,
    .depth = 1, .threads = 1, .seconds = 1, .warmUp = 0.2, .copyKiB = 8192,
    .copyPart = COPY_CHUNK,
};

struct Bytes {
    char *at;
    size_t count;
};

struct Client {
    int fd;
    enum State state;
    bool watchesOutput;
    SSL *tls;
    uint64_t since;     // When what is being asked was sent, or the connection begun.
    int answersLeft;    // Of this batch.
    long queriesLeft;   // With -n.
    const char *output; // What the socket has not taken yet.
    size_t outputLeft, copyLeft;
    // The message that is being read: its header so far, then how much of its body is to come.
    unsigned char header[5];
    int headerCount;
    uint32_t bodyLeft;
    char *body;         // Kept for authentication and errors only.
    uint32_t bodyCount;
    char nonce[25], *scramText;
};

struct Thread {
    pthread_t id;
    int poller;
    struct Client *clients;
    int clientCount, nextToConnect, connecting, ready, busy;
    bool isRunning;
    uint64_t count, bytesIn, bytesOut;
    uint64_t buckets[BUCKETS];
    char *input;
    // The salted password of the last salt: the same for a stored secret.
    unsigned char salt[64], salted[HASH];
    int saltCount, iterations;
};

static atomic_int phase = LOGIN;
static struct Bytes startup, request, firstRequest, copyChunk;
static SSL_CTX *context;

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void give_up(const char *what) {
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

// Messages.

static void add(struct Bytes *to, const void *bytes, size_t count) {
    to->at = checked(realloc(to->at, to->count + count));
    memcpy(to->at + to->count, bytes, count);
    to->count += count;
}

static void add_message(struct Bytes *to, char tag, const void *body, size_t count) {
    char header[5] = {tag};
    store32(header + 1, (uint32_t)count + 4);
    add(to, header, 5);
    add(to, body, count);
}

static void add_parse(struct Bytes *to, const char *name) {
    struct Bytes body = {0};
    add(&body, name, strlen(name) + 1);
    add(&body, options.text, strlen(options.text) + 1);
    add(&body, "\0", 2);
    add_message(to, 'P', body.at, body.count);
    free(body.at);
}

static void add_execution(struct Bytes *to, const char *name) {
    struct Bytes body = {0};
    add(&body, "", 1);
    add(&body, name, strlen(name) + 1);
    if (options.value != NULL) {
        char length[4];
        store32(length, (uint32_t)strlen(options.value));
        add(&body, "\0\0\0\1", 4);
        add(&body, length, 4);
        add(&body, options.value, strlen(options.value));
        add(&body, "\0\1\0", 4);
    } else {
        add(&body, "\0\0\0\0\0\1\0", 8);
    }
    add_message(to, 'B', body.at, body.count);
    free(body.at);
    add_message(to, 'D', "P", 2);
    add_message(to, 'E', "\0\0\0\0", 5);
    add_message(to, 'S', "", 0);
}

static void make_messages(void) {
    struct Bytes body = {0};
    add(&body, "\0\3\0", 4);
    add(&body, "user", 5);
    add(&body, options.user, strlen(options.user) + 1);
    add(&body, "database", 9);
    add(&body, options.database, strlen(options.database) + 1);
    add(&body, "", 1);
    char length[4];
    store32(length, (uint32_t)body.count + 4);
    add(&startup, length, 4);
    add(&startup, body.at, body.count);
    free(body.at);
    for (int index = 0; index < options.depth; index++) {
        switch (options.mode) {
            case SIMPLE:
            case COPY_IN:
                add_message(&request, 'Q', options.text, strlen(options.text) + 1);
                break;
            case EXTENDED:
                add_parse(&request, "");
                add_execution(&request, "");
                break;
            case PREPARED:
                add_execution(&request, "one");
                break;
        }
    }
    if (options.mode == PREPARED) {
        add_parse(&firstRequest, "one");
        add_message(&firstRequest, 'S', "", 0);
    }
    char *rows = checked(malloc(COPY_CHUNK));
    memset(rows, 'x', COPY_CHUNK);
    for (int index = 99; index < COPY_CHUNK; index += 100) rows[index] = '\n';
    rows[COPY_CHUNK - 1] = '\n';
    for (long at = 0; at < COPY_CHUNK; at += options.copyPart) {
        long left = COPY_CHUNK - at;
        size_t part = (size_t)(left < options.copyPart ? left : options.copyPart);
        add_message(&copyChunk, 'd', rows + at, part);
    }
    free(rows);
}

// Latencies.

static int bucket_of(uint64_t value) {
    if (value < (1 << SUB_BITS)) return (int)value;
    int shift = 63 - __builtin_clzll(value) - SUB_BITS;
    return (shift + 1) << SUB_BITS | (int)(value >> shift & ((1 << SUB_BITS) - 1));
}

// The middle of a bucket.
static double value_of(int bucket) {
    if (bucket < (1 << SUB_BITS)) return bucket;
    int shift = (bucket >> SUB_BITS) - 1;
    uint64_t low = (uint64_t)((1 << SUB_BITS) + (bucket & ((1 << SUB_BITS) - 1))) << shift;
    return (double)low + (double)(1ull << shift) / 2;
}

static double percentile(const uint64_t *buckets, uint64_t count, double part) {
    uint64_t seen = 0;
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
        seen += buckets[bucket];
        if ((double)seen >= part * (double)count) return value_of(bucket) / 1000;
    }
    return 0;
}

// CPU time of processes, all threads, nanoseconds. The scheduler's own count is exact; the split
// into user and system is known in ticks only.

struct CPU {
    double total, user, system;
};

static double threads_runtime(int pid) {
    char path[64];
    double total = 0;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *directory = opendir(path);
    if (directory == NULL) return 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char file[384];
        unsigned long long spent = 0;
        if (entry->d_name[0] == '.') continue;
        snprintf(file, sizeof file, "%s/%s/schedstat", path, entry->d_name);
        FILE *stream = fopen(file, "r");
        if (stream == NULL) continue;
        if (fscanf(stream, "%llu", &spent) == 1) total += (double)spent;
        fclose(stream);
    }
    closedir(directory);
    return total;
}

static struct CPU cpu_time(void) {
    struct CPU sum = {0};
    double tick = 1e9 / (double)sysconf(_SC_CLK_TCK);
    for (int index = 0; index < options.pidCount; index++) {
        char path[64], text[1024];
        snprintf(path, sizeof path, "/proc/%d/stat", options.pids[index]);
        FILE *stream = fopen(path, "r");
        if (stream == NULL) fail(path);
        size_t count = fread(text, 1, sizeof text - 1, stream);
        fclose(stream);
        text[count] = 0;
        unsigned long user = 0, system = 0;
        char *rest = strrchr(text, ')');
        if (rest == NULL
            || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system)
                != 2)
            give_up("cannot read CPU times");
        sum.user += (double)user * tick;
        sum.system += (double)system * tick;
        sum.total += threads_runtime(options.pids[index]);
    }
    return sum;
}

// Sending.

static void watch(struct Thread *thread, struct Client *it, bool output) {
    if (it->watchesOutput == output) return;
    it->watchesOutput = output;
    struct epoll_event event = {.events = EPOLLIN | (output ? EPOLLOUT : 0), .data.ptr = it};
    if (epoll_ctl(thread->poller, EPOLL_CTL_MOD, it->fd, &event) != 0) fail("epoll_ctl");
}

// Sends what is left, and the next chunks of a COPY.
static void flush(struct Thread *thread, struct Client *it) {
    while (it->outputLeft > 0 || it->copyLeft > 0) {
        if (it->outputLeft == 0) {
            it->copyLeft--;
            it->output = it->copyLeft > 0 ? copyChunk.at : "c\0\0\0\4";
            it->outputLeft = it->copyLeft > 0 ? copyChunk.count : 5;
        }
        ssize_t sent;
        if (it->tls != NULL) {
            sent = SSL_write(it->tls, it->output, (int)it->outputLeft);
            if (sent <= 0) {
                if (SSL_get_error(it->tls, (int)sent) != SSL_ERROR_WANT_WRITE)
                    give_up("TLS failed while writing");
                break;
            }
        } else {
            sent = send(it->fd, it->output, it->outputLeft, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent < 0) {
                if (errno != EAGAIN) fail("send");
                break;
            }
        }
        it->output += sent;
        it->outputLeft -= (size_t)sent;
        thread->bytesOut += (size_t)sent;
    }
    watch(thread, it, it->outputLeft > 0);
}

static void send_bytes(struct Thread *thread, struct Client *it, const char *at, size_t count) {
    it->output = at;
    it->outputLeft = count;
    flush(thread, it);
}

static void ask(struct Thread *thread, struct Client *it) {
    it->state = ASKING;
    it->answersLeft = options.depth;
    if (!options.churns) it->since = now();
    thread->busy++;
    send_bytes(thread, it, request.at, request.count);
}

// Login.

static void start_connecting(struct Thread *thread, struct Client *it) {
    int fd;
    it->since = now();
    while ((fd = connect_to(options.address)) < 0) {
        if (errno != EAGAIN && errno != EADDRNOTAVAIL) fail(options.address);
        usleep(100);
    }
    *it = (struct Client){.fd = fd, .since = it->since, .queriesLeft = options.each};
    it->watchesOutput = true;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = it};
    if (epoll_ctl(thread->poller, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
    thread->connecting++;
}

static void disconnect(struct Client *it, bool politely) {
    if (it->state == GONE) return;
    if (politely && it->outputLeft == 0) {
        if (it->tls != NULL)
            SSL_write(it->tls, "X\0\0\0\4", 5);
        else
            send(it->fd, "X\0\0\0\4", 5, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    SSL_free(it->tls);
    close(it->fd);
    it->tls = NULL;
    it->state = GONE;
}

static void shake_hands(struct Thread *thread, struct Client *it) {
    int result = SSL_connect(it->tls);
    if (result == 1) {
        it->state = LOGGING_IN;
        send_bytes(thread, it, startup.at, startup.count);
        return;
    }
    int reason = SSL_get_error(it->tls, result);
    if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE)
        give_up("the TLS handshake failed");
    watch(thread, it, reason == SSL_ERROR_WANT_WRITE);
}

static void hmac(const void *key, int keyCount, const char *text, unsigned char *out) {
    unsigned count = HASH;
    HMAC(EVP_sha256(), key, keyCount, (const unsigned char *)text, strlen(text), out, &count);
}

static void salt_password(struct Thread *thread, const char *encoded, int iterations) {
    unsigned char salt[64];
    int encodedCount = (int)strlen(encoded);
    if (encodedCount > 84) give_up("the salt is too long");
    int count = EVP_DecodeBlock(salt, (const unsigned char *)encoded, encodedCount);
    for (const char *end = encoded + encodedCount; count > 0 && *--end == '=';) count--;
    if (count == thread->saltCount && iterations == thread->iterations
        && memcmp(salt, thread->salt, (size_t)count) == 0)
        return;
    memcpy(thread->salt, salt, (size_t)count);
    thread->saltCount = count;
    thread->iterations = iterations;
    PKCS5_PBKDF2_HMAC(
        options.password, (int)strlen(options.password), salt, count, iterations, EVP_sha256(),
        HASH, thread->salted);
}

static void send_message(struct Thread *thread, struct Client *it, const char *body, size_t count) {
    struct Bytes message = {0};
    add_message(&message, 'p', body, count);
    send_bytes(thread, it, message.at, message.count);
    if (it->outputLeft > 0) give_up("a login message did not fit into the socket");
    free(message.at);
}

// AuthenticationSASLContinue: "r=nonce,s=salt,i=count". Source: RFC 5802.
static void prove(struct Thread *thread, struct Client *it, const char *challenge) {
    char nonce[128], salt[96], text[1024], reply[512];
    int iterations;
    if (sscanf(challenge, "r=%127[^,],s=%95[^,],i=%d", nonce, salt, &iterations) != 3)
        give_up("a SCRAM message is malformed");
    salt_password(thread, salt, iterations);
    unsigned char clientKey[HASH], storedKey[HASH], signature[HASH], encoded[64];
    hmac(thread->salted, HASH, "Client Key", clientKey);
    EVP_Digest(clientKey, HASH, storedKey, NULL, EVP_sha256(), NULL);
    snprintf(text, sizeof text, "n=,r=%s,%s,c=biws,r=%s", it->nonce, challenge, nonce);
    hmac(storedKey, HASH, text, signature);
    for (int index = 0; index < HASH; index++) clientKey[index] ^= signature[index];
    EVP_EncodeBlock(encoded, clientKey, HASH);
    int count = snprintf(reply, sizeof reply, "c=biws,r=%s,p=%s", nonce, encoded);
    send_message(thread, it, reply, (size_t)count);
}

static void authenticate(struct Thread *thread, struct Client *it) {
    unsigned char random[18];
    char first[96];
    switch (load32(it->body)) {
        case 0:
        case 12:  // AuthenticationOk, AuthenticationSASLFinal: we trust it.
            break;
        case 10: {
            RAND_bytes(random, sizeof random);
            EVP_EncodeBlock((unsigned char *)it->nonce, random, sizeof random);
            int count = snprintf(first + 18, sizeof first - 18, "n,,n=,r=%s", it->nonce);
            memcpy(first, "SCRAM-SHA-256", 14);
            store32(first + 14, (uint32_t)count);
            send_message(thread, it, first, 18 + (size_t)count);
            break;
        }
        case 11:
            prove(thread, it, it->body + 4);
            break;
        default:
            give_up("the pooler asks for a password in a way that this program does not know");
    }
}

// Answers.

static void show_error(const struct Client *it) {
    for (const char *field = it->body; *field; field += strlen(field) + 1)
        if (*field == 'M') give_up(field + 1);
    give_up("an error without a message");
}

static void logged_in(struct Thread *thread, struct Client *it) {
    it->state = IDLE;
    thread->connecting--;
    if (options.churns) {
        ask(thread, it);
    } else {
        thread->ready++;
        if (options.holds && options.holdsAfterQuery) ask(thread, it);
    }
}

// A query is over. `time` is when its answer was received.
static void answered(struct Thread *thread, struct Client *it, uint64_t time) {
    if (phase == MEASURE || options.each > 0) {
        thread->count++;
        thread->buckets[bucket_of(time - it->since)]++;
    }
    if (--it->answersLeft > 0) return;
    thread->busy--;
    it->state = IDLE;
    if (options.holds || phase == DRAIN) return;
    if (options.each > 0 && (it->queriesLeft -= options.depth) <= 0) return;
    if (options.churns) {
        disconnect(it, true);
        start_connecting(thread, it);
    } else {
        ask(thread, it);
    }
}

static void message_is_over(struct Thread *thread, struct Client *it, uint64_t time) {
    switch (it->header[0]) {
        case 'R':
            authenticate(thread, it);
            break;
        case 'E':
            show_error(it);
            break;
        case 'G':
            it->copyLeft = (size_t)options.copyKiB * 1024 / COPY_CHUNK + 1;
            flush(thread, it);
            break;
        case 'Z':
            if (it->state == LOGGING_IN && firstRequest.count > 0) {
                it->state = PREPARING;
                send_bytes(thread, it, firstRequest.at, firstRequest.count);
            } else if (it->state == LOGGING_IN || it->state == PREPARING) {
                logged_in(thread, it);
            } else if (it->state == ASKING) {
                answered(thread, it, time);
            } else {
                give_up("an answer that nobody asked for");
            }
            break;
        default:
            break;
    }
}

// Reads messages; returns false if the client has been connected anew meanwhile.
static bool read_messages(struct Thread *thread, struct Client *it, const char *at, size_t count) {
    uint64_t time = now();
    while (count > 0) {
        if (it->headerCount < 5) {
            size_t part = 5 - (size_t)it->headerCount;
            if (part > count) part = count;
            memcpy(it->header + it->headerCount, at, part);
            it->headerCount += (int)part;
            at += part;
            count -= part;
            if (it->headerCount < 5) break;
            it->bodyLeft = load32(it->header + 1) - 4;
            if (it->header[0] == 'R' || it->header[0] == 'E')
                it->body = checked(calloc(1, (size_t)it->bodyLeft + 2));
        }
        uint32_t part = it->bodyLeft < count ? it->bodyLeft : (uint32_t)count;
        if (it->body != NULL) {
            memcpy(it->body + it->bodyCount, at, part);
            it->bodyCount += part;
        }
        at += part;
        count -= part;
        it->bodyLeft -= part;
        if (it->bodyLeft > 0) break;
        bool wasAsking = it->state == ASKING;
        char *body = it->body;
        it->headerCount = 0;
        message_is_over(thread, it, time);
        free(body);
        if (options.churns && wasAsking && it->state != ASKING) return false;
        it->body = NULL;
        it->bodyCount = 0;
    }
    return true;
}

static void receive(struct Thread *thread, struct Client *it) {
    if (it->state == TLS_ASKED) {
        char answer;
        if (recv(it->fd, &answer, 1, MSG_DONTWAIT) != 1 || answer != 'S')
            give_up("the pooler does not want TLS");
        it->tls = checked(SSL_new(context));
        SSL_set_fd(it->tls, it->fd);
        it->state = TLS_SHAKES;
    }
    if (it->state == TLS_SHAKES) {
        shake_hands(thread, it);
        return;
    }
    while (it->state != GONE) {
        ssize_t count;
        if (it->tls != NULL) {
            count = SSL_read(it->tls, thread->input, INPUT);
            if (count <= 0 && SSL_get_error(it->tls, (int)count) == SSL_ERROR_WANT_READ) return;
        } else {
            count = recv(it->fd, thread->input, INPUT, MSG_DONTWAIT);
            if (count < 0 && errno == EAGAIN) return;
        }
        if (count <= 0) give_up("the pooler closed a connection");
        thread->bytesIn += (size_t)count;
        // TLS may hold more than the socket shows.
        if (!read_messages(thread, it, thread->input, (size_t)count) || it->tls == NULL) return;
    }
}

static void connected(struct Thread *thread, struct Client *it) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(it->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    errno = error;
    if (error != 0) fail(options.address);
    if (options.isTLS) {
        it->state = TLS_ASKED;
        send_bytes(thread, it, "\0\0\0\x08\x04\xd2\x16\x2f", 8);
    } else {
        it->state = LOGGING_IN;
        send_bytes(thread, it, startup.at, startup.count);
    }
}

static void turn(struct Thread *thread) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(thread->poller, events, EVENTS, 5);
    for (int index = 0; index < ready; index++) {
        struct Client *it = events[index].data.ptr;
        if (it->state == CONNECTING) {
            if (events[index].events & (EPOLLOUT | EPOLLERR)) connected(thread, it);
        } else if (it->state == TLS_SHAKES) {
            shake_hands(thread, it);
        } else {
            if (events[index].events & EPOLLOUT) flush(thread, it);
            if (events[index].events & (EPOLLIN | EPOLLHUP)) receive(thread, it);
        }
    }
}

static atomic_int threadsReady, threadsDone;

static void *run_thread(void *argument) {
    struct Thread *thread = argument;
    bool reported = false;
    while (true) {
        while (thread->nextToConnect < thread->clientCount && thread->connecting < CONNECTING_MAX)
            start_connecting(thread, &thread->clients[thread->nextToConnect++]);
        turn(thread);
        bool allIn = options.churns ? thread->nextToConnect == thread->clientCount
                                    : thread->ready == thread->clientCount;
        if (!reported && allIn && (!options.holds || thread->busy == 0)) {
            reported = true;
            threadsReady++;
        }
        if (phase >= RUN && !thread->isRunning && !options.churns && !options.holds) {
            thread->isRunning = true;
            for (int index = 0; index < thread->clientCount; index++)
                ask(thread, &thread->clients[index]);
        }
        bool isDone = options.each > 0 ? thread->isRunning && thread->busy == 0
                                       : phase == DRAIN && (thread->busy == 0 || options.churns);
        if (isDone) break;
    }
    threadsDone++;
    return NULL;
}

// Running.

static void sleep_for(double seconds) {
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

static void wait_for(atomic_int *count, double every) {
    while (*count < options.threads) sleep_for(every);
}

struct Sum {
    uint64_t count, bytesIn, bytesOut;
};

// Read while the threads run: a count that is one query old does no harm.
static struct Sum sum_of(const struct Thread *threads) {
    struct Sum sum = {0};
    for (int index = 0; index < options.threads; index++) {
        sum.count += threads[index].count;
        sum.bytesIn += threads[index].bytesIn;
        sum.bytesOut += threads[index].bytesOut;
    }
    return sum;
}

static void report(
    struct Thread *threads, double seconds, struct CPU cpu, struct Sum before, struct Sum after
) {
    uint64_t *buckets = checked(calloc(BUCKETS, sizeof *buckets)), samples = 0;
    for (int index = 0; index < options.threads; index++)
        for (int bucket = 0; bucket < BUCKETS; bucket++) {
            buckets[bucket] += threads[index].buckets[bucket];
            samples += threads[index].buckets[bucket];
        }
    double count = (double)(after.count - before.count), ticks = cpu.user + cpu.system;
    double each = count > 0 ? cpu.total / 1000 / count : 0;
    double userPart = ticks > 0 ? cpu.user / ticks : 0;
    printf(
        "{\"count\": %.0f, \"seconds\": %.6f, \"rate\": %.3f, \"cpu\": %.4f, \"user\": %.4f, "
        "\"system\": %.4f, \"cpu_seconds\": %.6f, \"p50\": %.2f, \"p95\": %.2f, \"p99\": %.2f, "
        "\"p999\": %.2f, \"bytes_in\": %llu, \"bytes_out\": %llu}\n",
        count, seconds, count / seconds, each, each * userPart, each * (1 - userPart),
        cpu.total / 1e9, percentile(buckets, samples, 0.5), percentile(buckets, samples, 0.95),
        percentile(buckets, samples, 0.99), percentile(buckets, samples, 0.999),
        (unsigned long long)(after.bytesIn - before.bytesIn),
        (unsigned long long)(after.bytesOut - before.bytesOut));
}

static void hold(void) {
    char byte;
    printf("{\"held\": %d}\n", options.clients);
    fflush(stdout);
    while (read(0, &byte, 1) > 0) continue;
}

static void run(struct Thread *threads) {
    for (int index = 0; index < options.threads; index++) {
        struct Thread *thread = &threads[index];
        thread->clientCount = options.clients / options.threads
            + (index < options.clients % options.threads ? 1 : 0);
        thread->clients = checked(calloc((size_t)thread->clientCount + 1, sizeof *thread->clients));
        thread->input = checked(malloc(INPUT));
        thread->poller = epoll_create1(EPOLL_CLOEXEC);
        if (pthread_create(&thread->id, NULL, run_thread, thread) != 0) fail("pthread_create");
    }
    wait_for(&threadsReady, 0.002);
    if (options.holds) {
        hold();
        return;
    }
    bool isTimed = options.each == 0;
    if (!isTimed) phase = MEASURE;
    struct CPU begun = cpu_time();
    uint64_t began = now();
    struct Sum before = {0};
    if (isTimed) {
        phase = RUN;
        sleep_for(options.warmUp);
        before = sum_of(threads);
        begun = cpu_time();
        began = now();
        phase = MEASURE;
        sleep_for(options.seconds);
    } else {
        wait_for(&threadsDone, 0.001);
    }
    struct Sum after = sum_of(threads);
    struct CPU spent = cpu_time();
    uint64_t ended = now();
    phase = DRAIN;
    wait_for(&threadsDone, 0.001);
    spent.total -= begun.total;
    spent.user -= begun.user;
    spent.system -= begun.system;
    report(threads, (double)(ended - began) / 1e9, spent, before, after);
    for (int index = 0; index < options.threads; index++)
        for (int client = 0; client < threads[index].clientCount; client++) {
            struct Client *it = &threads[index].clients[client];
            disconnect(it, it->state == IDLE);
        }
}

static void parse_pids(char *text) {
    for (char *part = strtok(text, ","); part != NULL; part = strtok(NULL, ",")) {
        if (options.pidCount == PIDS) give_up("too many processes");
        options.pids[options.pidCount++] = atoi(part);
    }
}

static void parse_mode(const char *text) {
    static const char *const names[] = {"simple", "extended", "prepared", "copyin"};
    for (int index = 0; index < 4; index++)
        if (strcmp(text, names[index]) == 0) {
            options.mode = (enum Mode)index;
            return;
        }
    give_up("-m is simple, extended, prepared or copyin");
}

int main(int count, char **arguments) {
    static const char letters[] = "c:m:d:q:s:w:n:CHQP:Tt:u:D:p:k:v:z:";
    prepare_process();
    for (int option; (option = getopt(count, arguments, letters)) != -1;) {
        switch (option) {
            case 'c': options.clients = atoi(optarg); break;
            case 'm': parse_mode(optarg); break;
            case 'd': options.depth = atoi(optarg); break;
            case 'q': options.text = optarg; break;
            case 's': options.seconds = atof(optarg); break;
            case 'w': options.warmUp = atof(optarg); break;
            case 'n': options.each = atol(optarg); break;
            case 'C': options.churns = true; break;
            case 'H': options.holds = true; break;
            case 'Q': options.holdsAfterQuery = true; break;
            case 'P': parse_pids(optarg); break;
            case 'T': options.isTLS = true; break;
            case 't': options.threads = atoi(optarg); break;
            case 'u': options.user = optarg; break;
            case 'D': options.database = optarg; break;
            case 'p': options.password = optarg; break;
            case 'k': options.copyKiB = atol(optarg); break;
            case 'v': options.value = optarg; break;
            case 'z': options.copyPart = atol(optarg); break;
            default: return 2;
        }
    }
    if (optind != count - 1 || options.clients < options.threads || options.copyPart < 1)
        give_up("see the top of load.c");
    options.address = arguments[optind];
    if (options.isTLS) {
        context = checked(SSL_CTX_new(TLS_client_method()));
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_mode(
            context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE
                | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    make_messages();
    struct Thread *threads = checked(calloc((size_t)options.threads, sizeof *threads));
    run(threads);
    return 0;
}
