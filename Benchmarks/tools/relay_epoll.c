// The thinnest relay there is, on epoll: it copies, and looks at six bytes of each answer.
//
//     relay_epoll LISTEN SERVER POOL
//
// Client n goes to server n mod POOL. A server works for one client until an answer ends with
// ReadyForQuery; the others queue, one request each. It is a floor to measure poolers against, not
// a pooler: no state is kept apart, and a row that ends like ReadyForQuery would be taken for it.
#include "sockets.h"

#include <sys/epoll.h>

enum { BUFFER = 65536, EVENTS = 512, HELD = 16384 };

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

static int poller, serverCount, clientCount;
static struct Server *servers;
static char buffer[BUFFER], greeting[2048];
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

static void watch(int fd, void *what) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
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

static void client_sent(struct Client *client) {
    struct Server *server = client->server;
    ssize_t count = recv(client->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0 || (!client->isLinked && buffer[0] == 'X')) {
        close_client(client);
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

static void server_sent(struct Server *server) {
    ssize_t count = recv(server->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
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

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: relay_epoll LISTEN SERVER POOL\n");
        return 2;
    }
    prepare_process();
    poller = epoll_create1(EPOLL_CLOEXEC);
    serverCount = atoi(arguments[3]);
    servers = checked(calloc((size_t)serverCount, sizeof *servers));
    for (int index = 0; index < serverCount; index++) open_server(&servers[index], arguments[2]);
    int listener = listen_at(arguments[1]);
    do_not_block(listener);
    watch(listener, NULL);
    while (true) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int index = 0; index < ready; index++) {
            struct Client *it = events[index].data.ptr;
            if (it == NULL) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0) continue;
                do_not_delay(fd);
                struct Client *client = checked(calloc(1, sizeof *client));
                client->fd = fd;
                client->server = &servers[clientCount++ % serverCount];
                watch(fd, client);
            } else if (it->isServer) {
                server_sent((struct Server *)it);
            } else {
                client_sent(it);
            }
        }
    }
}
