"""LISTEN and NOTIFY at their edges. A client that listens keeps no server."""

import pytest
from support.edges import SATURATED, edge, edges, fresh, setting  # noqa: F401
from support.processes import wait_until
from support.wire import error_code, query

pytestmark = pytest.mark.pgweir_only


def heard(client):
    """The next message has to be a NotificationResponse: its channel and payload."""
    tag, body = client.message()
    assert tag == "A", (tag, body)
    channel, payload, _ = body[4:].split(b"\0")
    return channel.decode(), payload.decode()


def notify(world, channel, payload=""):
    world.sql(f"select pg_notify('{channel}', '{payload}')")


@pytest.mark.parametrize("channel", ["plain", '"Quoted ""name"', "MixedCase", "ä"])
def test_a_notification_reaches_an_idle_listener(edge, channel):
    def scenario(world):
        a = world.connect()
        a.ask(f"listen {channel}")
        a.settle()
        world.sql(f"notify {channel}, 'one'")
        heard(a)
        world.sql(f"notify {channel}")
        heard(a)
        a.ask(f"unlisten {channel}")
        world.sql(f"notify {channel}, 'unheard'")
        a.ask("select 1")

    edge.same(scenario)


def test_a_large_payload_and_many(edge):
    def scenario(world):
        a = world.connect()
        a.ask("listen many")
        a.settle()
        notify(world, "many", "p" * 7999)
        heard(a)
        world.sql("select pg_notify('many', n::text) from generate_series(1, 500) n")
        assert [heard(a)[1] for _ in range(500)] == [f"{n}" for n in range(1, 501)]

    edge.same(scenario)


def test_listen_in_a_block_that_is_rolled_back(edge):
    def scenario(world):
        a = world.connect()
        for sql in ("begin", "listen rolled", "rollback"):
            a.ask(sql)
        a.settle()
        b = world.connect()
        b.ask("select pg_listening_channels()")
        notify(world, "rolled")
        a.ask("select 1")
        a.ask("select pg_listening_channels()")

    edge.same(scenario)


def test_unlisten_everything(edge):
    def scenario(world):
        a = world.connect()
        for sql in ("listen x", "listen y", "select pg_listening_channels()", "unlisten *"):
            a.ask(sql)
        a.settle()
        b = world.connect()
        b.ask("select pg_listening_channels()")
        notify(world, "x")
        a.ask("select pg_listening_channels()")

    edge.same(scenario)


def test_notify_in_the_listeners_own_transaction(edge):
    def scenario(world):
        a = world.connect()
        a.ask("listen own")
        a.settle()
        for sql in ("begin", "notify own, 'held'", "select 1", "commit", "notify own, 'now'"):
            a.ask(sql)
        for sql in ("begin; notify own, 'never'; rollback", "select pg_notify('own', 'function')"):
            a.ask(sql)
        notify(world, "own", "last")
        heard(a)

    edge.same(scenario)


def test_notifications_wait_for_the_end_of_a_transaction(edge):
    def scenario(world):
        a = world.connect()
        a.ask("listen later")
        a.settle()
        a.ask("begin")
        notify(world, "later", "1")
        a.ask("select 1")
        notify(world, "later", "2")
        a.ask("commit")
        a.ask("select 2")

    edge.same(scenario)


def test_a_notification_while_the_pooler_asks_a_question_of_its_own(edge):
    """The question waits for a lock; the server hands out what came meanwhile behind it."""

    def scenario(world):
        a = world.connect(timeout=2)
        a.ask("listen meanwhile")
        a.settle()
        with world.postgres.connect("app") as holder:
            a.ask("begin")
            a.ask("declare c cursor with hold for select 1")
            holder.execute("begin; lock table pg_catalog.pg_cursors in access exclusive mode")
            a.ask("commit")
            waits = "select 1 from pg_locks where not granted"
            if not world.is_direct:
                wait_until(lambda: world.sql(waits, "postgres"), 2, what="the question to wait")
            notify(world, "meanwhile", "one")
            holder.execute("rollback")
        heard(a)

    edge.same(scenario)


def test_the_listeners_server_is_killed(edge):
    """The loss is signalled: the client's connection ends."""

    def scenario(world):
        with world.hush():
            a = world.connect()
            a.ask("listen lost")
            a.ask("select 'settled'")
            # At once, or the client is handed over to a new listener meanwhile.
            sessions = "from pg_stat_activity where usename = 'app'"
            killed = world.sql(f"select pid, pg_terminate_backend(pid) {sessions}")
            a.rest()
            numbers = [number for number, _ in killed]
            left = f"select 1 {sessions} and pid = any(array{numbers})"
            wait_until(lambda: not world.sql(left), 2, what="the killed sessions to end")
            # The kernel drops what a killed server has said if we send to it at that moment.
            assert error_code(a.trace) in ("57P01", "08006")
            # The words differ: it may be the listener that was lost, not the client's server.
            a.trace.pop()

    edge.same(scenario)


def test_two_listeners_share_a_pool(edges):
    def scenario(world):
        clients = [world.connect() for _ in range(2)]
        for client in clients:
            client.ask("listen shared")
        for client in clients:
            client.settle()
        notify(world, "shared", "to both")
        for client in clients:
            heard(client)

    with_two = edges(SATURATED)
    if with_two.strangers:
        with_two.strangers.stop()
    with_two.same(scenario)


def test_more_listeners_than_servers(edges, setting):
    def scenario(world):
        clients = [world.connect() for _ in range(5)]
        for client in clients:
            client.send(query("listen shared"))
            client.until("Z", "E")
        notify(world, "shared", "to all")
        for client in clients:
            heard(client)

    edges(setting, query_wait_timeout=0.3).same(scenario)
