// The thinnest relay there is, on io_uring: it copies, and looks at six bytes of each answer.
//
//     relay_uring LISTEN SERVER POOL
//
// Client n goes to server n mod POOL. A server works for one client until an answer ends with
// ReadyForQuery; the others queue, one request each. It is a floor to measure poolers against, not
// a pooler: no state is kept apart, and a row that ends like ReadyForQuery would be taken for it.
//
// Multishot receives into one ring of buffers; send(2) at once.
#include "sockets.h"

#include <liburing.h>

enum { BUFFER = 16384, BUFFERS = 512, ENTRIES = 4096, COMPLETIONS = 32768, HELD = 16384 };

struct Server;

struct Client {
    int fd;
    bool isServer, isLoggedIn, isWaiting, isLinked;
    struct Server *server;
    struct Client *next;  // In the server's queue.
    char *held;           // What waits for the server.
    size_t heldCount;
};

struct Server {
    int fd;
    bool isServer;
    struct Client *client, *first, *last;
    char tail[6];  // The last bytes of the answer so far.
};

static struct io_uring ring;
static struct io_uring_buf_ring *bufferRing;
static char *buffers;
static int serverCount, clientCount;
static struct Server *servers;
static char greeting[2048];
static size_t greetingCount;

// Sends all of it, and waits if it must: the peers read all the time.
static void send_all(int fd, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) {
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
            continue;
        }
        if (sent < 0) return;
        bytes += sent;
        count -= (size_t)sent;
    }
}

static struct io_uring_sqe *submission(void) {
    struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
    if (entry == NULL) {
        io_uring_submit(&ring);
        entry = io_uring_get_sqe(&ring);
    }
    return checked(entry);
}

static void watch(int fd, void *what) {
    struct io_uring_sqe *entry = submission();
    io_uring_prep_recv_multishot(entry, fd, NULL, 0, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = 0;
    io_uring_sqe_set_data(entry, what);
}

static void give_back(int id) {
    io_uring_buf_ring_add(
        bufferRing, buffers + (size_t)id * BUFFER, BUFFER, (unsigned short)id,
        io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(bufferRing, 1);
}

static void open_ring(void) {
    struct io_uring_params parameters = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN
            | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
        .cq_entries = COMPLETIONS,
    };
    errno = -io_uring_queue_init_params(ENTRIES, &ring, &parameters);
    if (errno != 0) fail("io_uring_setup");
    io_uring_register_ring_fd(&ring);
    buffers = checked(aligned_alloc(4096, (size_t)BUFFERS * BUFFER));
    bufferRing = checked(aligned_alloc(4096, BUFFERS * sizeof(struct io_uring_buf)));
    struct io_uring_buf_reg registration = {
        .ring_addr = (uint64_t)bufferRing, .ring_entries = BUFFERS, .bgid = 0};
    errno = -io_uring_register_buf_ring(&ring, &registration, 0);
    if (errno != 0) fail("io_uring_register_buf_ring");
    io_uring_buf_ring_init(bufferRing);
    for (int id = 0; id < BUFFERS; id++) give_back(id);
}

static bool is_ready(const char tail[6]) { return memcmp(tail, "Z\0\0\0\5I", 6) == 0; }

static void open_server(struct Server *server, const char *address) {
    static const char startup[] = "\0\0\0\x1f\0\3\0\0user\0app\0database\0app\0";
    server->isServer = true;
    server->fd = connect_to(address);
    if (server->fd < 0) fail(address);
    poll(&(struct pollfd){.fd = server->fd, .events = POLLOUT}, 1, -1);
    send_all(server->fd, startup, sizeof startup);
    for (greetingCount = 0; greetingCount < 6 || !is_ready(greeting + greetingCount - 6);) {
        poll(&(struct pollfd){.fd = server->fd, .events = POLLIN}, 1, -1);
        ssize_t count = recv(
            server->fd, greeting + greetingCount, sizeof greeting - greetingCount, MSG_DONTWAIT);
        if (count <= 0) fail("the server does not let us in");
        greetingCount += (size_t)count;
    }
    watch(server->fd, server);
}

static void link_to(struct Server *server, struct Client *client) {
    server->client = client;
    client->isLinked = true;
}

static void close_client(struct Client *client) {
    close(client->fd);
    if (client->isLinked || client->isWaiting) {
        fprintf(stderr, "a client left in the middle of a query\n");
        exit(1);
    }
    free(client->held);
    free(client);
}

static void client_sent(struct Client *client, const char *buffer, ssize_t count) {
    struct Server *server = client->server;
    if (count <= 0) {
        close_client(client);
    } else if (!client->isLinked && buffer[0] == 'X') {
        // The end of the connection follows.
    } else if (client->isLinked) {
        send_all(server->fd, buffer, (size_t)count);
    } else if (!client->isLoggedIn) {
        client->isLoggedIn = true;
        send_all(client->fd, greeting, greetingCount);
    } else if (server->client == NULL) {
        link_to(server, client);
        send_all(server->fd, buffer, (size_t)count);
    } else {
        if (client->held == NULL) client->held = checked(malloc(HELD));
        if (client->heldCount + (size_t)count > HELD) {
            fprintf(stderr, "a request is longer than %d bytes\n", HELD);
            exit(1);
        }
        memcpy(client->held + client->heldCount, buffer, (size_t)count);
        client->heldCount += (size_t)count;
        if (client->isWaiting) return;
        client->isWaiting = true;
        client->next = NULL;
        if (server->first == NULL)
            server->first = client;
        else
            server->last->next = client;
        server->last = client;
    }
}

static void server_sent(struct Server *server, const char *buffer, ssize_t count) {
    if (count <= 0) fail("a server left");
    struct Client *client = server->client;
    if (client == NULL) return;
    send_all(client->fd, buffer, (size_t)count);
    size_t size = sizeof server->tail, fresh = (size_t)count < size ? (size_t)count : size;
    memmove(server->tail, server->tail + fresh, size - fresh);
    memcpy(server->tail + size - fresh, buffer + count - fresh, fresh);
    if (!is_ready(server->tail)) return;
    memset(server->tail, 0, size);
    client->isLinked = false;
    server->client = NULL;
    client = server->first;
    if (client == NULL) return;
    server->first = client->next;
    client->isWaiting = false;
    link_to(server, client);
    send_all(server->fd, client->held, client->heldCount);
    client->heldCount = 0;
}

static void accept_at(int listener) {
    struct io_uring_sqe *entry = submission();
    io_uring_prep_multishot_accept(entry, listener, NULL, NULL, SOCK_CLOEXEC);
    io_uring_sqe_set_data(entry, NULL);
}

static void accepted(int fd) {
    do_not_delay(fd);
    struct Client *client = checked(calloc(1, sizeof *client));
    client->fd = fd;
    client->server = &servers[clientCount++ % serverCount];
    watch(fd, client);
}

static void handle(const struct io_uring_cqe *event, int listener) {
    struct Client *it = io_uring_cqe_get_data(event);
    bool isOver = !(event->flags & IORING_CQE_F_MORE);
    if (it == NULL) {
        if (event->res >= 0) accepted(event->res);
        if (isOver) accept_at(listener);
        return;
    }
    if (event->res == -ENOBUFS) {
        watch(it->fd, it);
        return;
    }
    bool hasBuffer = event->flags & IORING_CQE_F_BUFFER;
    int id = (int)(event->flags >> IORING_CQE_BUFFER_SHIFT);
    const char *bytes = hasBuffer ? buffers + (size_t)id * BUFFER : "";
    if (isOver && event->res > 0) watch(it->fd, it);
    if (it->isServer)
        server_sent((struct Server *)it, bytes, event->res);
    else
        client_sent(it, bytes, event->res);
    if (hasBuffer) give_back(id);
}

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: relay_uring LISTEN SERVER POOL\n");
        return 2;
    }
    prepare_process();
    open_ring();
    serverCount = atoi(arguments[3]);
    servers = checked(calloc((size_t)serverCount, sizeof *servers));
    for (int index = 0; index < serverCount; index++) open_server(&servers[index], arguments[2]);
    int listener = listen_at(arguments[1]);
    accept_at(listener);
    while (true) {
        io_uring_submit_and_wait(&ring, 1);
        struct io_uring_cqe *event;
        unsigned head, seen = 0;
        io_uring_for_each_cqe(&ring, head, event) {
            handle(event, listener);
            seen++;
        }
        io_uring_cq_advance(&ring, seen);
    }
}
