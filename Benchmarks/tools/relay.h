// What both relays are, whatever tells them that there is something to read.
#ifndef RELAY_H
#define RELAY_H

#include "sockets.h"

enum { HELD = 16384 };

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

static int serverCount, clientCount;
static struct Server *servers;
static char greeting[2048];
static size_t greetingCount;

// Has what is read from `fd` handled as `what`, a client or a server.
static void watch(int fd, void *what);

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

// What a client sent goes to its server, or waits for it.
static void take_request(struct Client *client, const char *buffer, size_t count) {
    struct Server *server = client->server;
    if (client->isLinked) {
        send_all(server->fd, buffer, count);
    } else if (!client->isLoggedIn) {
        client->isLoggedIn = true;
        send_all(client->fd, greeting, greetingCount);
    } else if (server->client == NULL) {
        link_to(server, client);
        send_all(server->fd, buffer, count);
    } else {
        if (client->held == NULL) client->held = checked(malloc(HELD));
        if (client->heldCount + count > HELD) {
            fprintf(stderr, "a request is longer than %d bytes\n", HELD);
            exit(1);
        }
        memcpy(client->held + client->heldCount, buffer, count);
        client->heldCount += count;
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

#endif
