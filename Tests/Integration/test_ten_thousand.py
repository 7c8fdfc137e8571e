"""Ten thousand clients over twenty-five servers."""

import time

import pytest
from support.pooler import KIND
from support.processes import raise_file_limit
from support.wire import Client, query, values

CLIENTS, FIRST = 10_000, 500
PER_CLIENT_BYTES_MAX = 1024


@pytest.mark.pooler_only
@pytest.mark.timeout(150)
def test_ten_thousand_clients_are_served_and_an_idle_one_costs_little_memory(
    start_pooler, postgres
):
    assert raise_file_limit() >= CLIENTS + 500, "raise the limit of open files: ulimit -n 20000"
    pooler = start_pooler(
        {"default_pool_size": 25, "max_client_conn": 11_000, "auth_type": "trust"}
    )
    clients = []

    def add(count):
        for _ in range(count):
            client = Client(pooler.port, timeout=30)
            clients.append(client)
            client.login("app")
            assert values(client.ask("select 1")) == [(b"1",)]

    def everybody_asks():
        """All at once, so that every server works and the queue is long."""
        for client in clients:
            client.send(query("select 2"))
        for client in clients:
            assert values(client.until_ready()) == [(b"2",)]

    began = time.monotonic()
    try:
        add(FIRST)
        everybody_asks()
        few = pooler.private_byte_count()
        add(CLIENTS - FIRST)
        time.sleep(1)
        many = pooler.private_byte_count()
        connected = time.monotonic() - began
        everybody_asks()
        asked = pooler.private_byte_count()
        everybody_asks()
        assert postgres.server_count("app") <= 25
    finally:
        for client in clients:
            client.abandon()
    each = (many - few) / (CLIENTS - FIRST)
    print(
        f"\n{CLIENTS} clients in {connected:.1f} s: {few / 2**20:.1f} MiB with {FIRST},"
        f" {many / 2**20:.1f} MiB with all, {asked / 2**20:.1f} MiB when all asked at once;"
        f" {each:.0f} bytes per idle client"
    )
    if KIND == "pgweir":
        assert each <= PER_CLIENT_BYTES_MAX
