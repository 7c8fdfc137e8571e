// The thinnest relay there is, on epoll: it copies, and looks at six bytes of each answer.
//
//     relay_epoll LISTEN SERVER POOL
//
// Client n goes to server n mod POOL. A server works for one client until an answer ends with
// ReadyForQuery; the others queue, one request each. It is a floor to measure poolers against, not
// a pooler: no state is kept apart, and a row that ends like ReadyForQuery would be taken for it.
#include "relay.h"

#include <sys/epoll.h>

enum { BUFFER = 65536, EVENTS = 512 };

static int poller;
static char buffer[BUFFER];

static void watch(int fd, void *what) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

static void client_sent(struct Client *client) {
    ssize_t count = recv(client->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0 || (!client->isLinked && buffer[0] == 'X')) {
        close_client(client);
    } else {
        take_request(client, buffer, (size_t)count);
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
