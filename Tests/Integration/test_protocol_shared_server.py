"""Two clients and one server: neither may see what the other left there."""

import pytest
from support.wire import SYNC, bind, close, describe, error_code, execute, parse, values

SETTINGS = {"default_pool_size": 1}
pytestmark = [pytest.mark.pooler_only, pytest.mark.pgweir_or_direct]


def run(client, *frames):
    client.send(*frames, SYNC)
    messages = client.until_ready()
    assert error_code(messages) is None, messages
    return values(messages)


def test_two_clients_give_one_name_to_different_statements(pooler, connect):
    one, two = connect(pooler.port), connect(pooler.port)
    run(one, parse("select 'one', $1::int", "s"))
    run(two, parse("select 'two', $1::text, 3", "s"))
    for n in range(10):
        assert run(one, bind([str(n)], name="s"), describe(), execute()) == [(b"one", b"%d" % n)]
        assert run(two, bind([str(n)], name="s"), describe(), execute()) == [
            (b"two", b"%d" % n, b"3")
        ]


def test_two_clients_give_different_names_to_one_statement(pooler, connect):
    one, two = connect(pooler.port), connect(pooler.port)
    run(one, parse("select $1::int + 1", "a"))
    run(two, parse("select $1::int + 1", "b"))
    for n in range(10):
        assert run(one, bind([str(n)], name="a"), execute()) == [(b"%d" % (n + 1),)]
        assert run(two, bind([str(n)], name="b"), execute()) == [(b"%d" % (n + 1),)]
        if n == 5:
            run(one, close("S", "a"), parse("select $1::int + 1", "a"))


def test_the_unnamed_statement_is_the_clients_own(pooler, connect):
    one, two = connect(pooler.port), connect(pooler.port)
    run(one, parse("select 'one', $1::int"))
    run(two, parse("select 'two'"))
    assert run(one, bind(["1"]), execute()) == [(b"one", b"1")]
    assert run(two, bind(), execute()) == [(b"two",)]


def test_parameters_are_the_clients_own(pooler, connect):
    one, two = connect(pooler.port), connect(pooler.port)
    one.ask("set timezone to 'Asia/Tokyo'")
    two.ask("set timezone to 'Europe/Vienna'")
    for _ in range(5):
        assert values(one.ask("show timezone")) == [(b"Asia/Tokyo",)]
        assert values(two.ask("show timezone")) == [(b"Europe/Vienna",)]


def test_a_name_stays_unknown_to_the_other_client(pooler, connect):
    one, two = connect(pooler.port), connect(pooler.port)
    run(one, parse("select 1", "mine"))
    two.send(bind(name="mine"), execute(), SYNC)
    assert error_code(two.until_ready()) == "26000"
