// The thinnest relay there is, on io_uring: it copies, and looks at six bytes of each answer.
//
//     relay_uring LISTEN SERVER POOL
//
// Client n goes to server n mod POOL. A server works for one client until an answer ends with
// ReadyForQuery; the others queue, one request each. It is a floor to measure poolers against, not
// a pooler: no state is kept apart, and a row that ends like ReadyForQuery would be taken for it.
//
// Multishot receives into one ring of buffers; send(2) at once.
#include "relay.h"

#include <liburing.h>

enum { BUFFER = 16384, BUFFERS = 512, ENTRIES = 4096, COMPLETIONS = 32768 };

static struct io_uring ring;
static struct io_uring_buf_ring *bufferRing;
static char *buffers;

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

static void client_sent(struct Client *client, const char *buffer, ssize_t count) {
    if (count <= 0) {
        close_client(client);
    } else if (!client->isLinked && buffer[0] == 'X') {
        // The end of the connection follows.
    } else {
        take_request(client, buffer, (size_t)count);
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
