"""COPY by both protocols: the same answers through the pooler as without it."""

import pytest
from support.traces import sent, simple
from support.wire import (
    COPY_DONE,
    FLUSH,
    SYNC,
    bind,
    copy_data,
    copy_fail,
    describe,
    execute,
    parse,
    query,
)

TABLE = """
create table if not exists items (id int primary key, words text);
alter table items owner to app; truncate items; insert into items values (500, 'there already')
"""


def test_copy_in(same):
    def script(client):
        client.send(query("copy items from stdin"))
        seen = client.until("G")
        client.send(*(copy_data(f"{n}\twords {n}\n") for n in range(100)), COPY_DONE)
        return seen + client.until_ready() + client.ask("select * from items order by 1")

    same(script, before=TABLE)


@pytest.mark.pgweir_or_direct
def test_copy_in_sent_without_waiting(same):
    same(
        sent(
            query("copy items from stdin"),
            copy_data("1\tone\n2\tt"),
            copy_data("wo\n"),
            COPY_DONE,
            query("select * from items order by 1"),
            syncs=2,
        ),
        before=TABLE,
    )


@pytest.mark.pgweir_or_direct
def test_copy_in_that_the_client_gives_up(same):
    same(
        sent(
            query("copy items from stdin"),
            copy_data("1\tone\n"),
            copy_fail("changed my mind"),
            query("select * from items order by 1"),
            syncs=2,
        ),
        before=TABLE,
    )


def test_copy_out(same):
    same(simple("copy (select n, 'x' from generate_series(1, 1000) n) to stdout", "select 1"))


@pytest.mark.pgweir_or_direct
def test_copy_in_then_another_statement_in_one_query(same):
    same(
        sent(
            query("copy items from stdin; select count(*) from items"),
            copy_data("1\ta\n"),
            COPY_DONE,
            query("select 1"),
            syncs=2,
        ),
        before=TABLE,
    )


def test_copy_in_by_the_extended_protocol(same):
    def script(client):
        client.send(parse("copy items from stdin"), bind(), execute(), FLUSH)
        seen = client.until("G")
        client.send(copy_data("1\tone\n"), COPY_DONE, SYNC)
        return seen + client.until_ready() + client.ask("select * from items order by 1")

    same(script, before=TABLE)


def test_copy_in_by_the_extended_protocol_with_a_sync_before_copy_done(same):
    def script(client):
        client.send(parse("copy items from stdin"), bind(), describe(), execute(), SYNC)
        seen = client.until("G")
        client.send(copy_data("1\tone\n"), copy_data("2\ttwo\n"), COPY_DONE, SYNC)
        return seen + client.until_ready() + client.ask("select * from items order by 1")

    same(script, before=TABLE)


@pytest.mark.pgweir_or_direct
def test_copy_out_by_the_extended_protocol(same):
    same(
        sent(
            parse("copy (select generate_series(1, 50)) to stdout"),
            bind(),
            execute(),
            SYNC,
            query("select 1"),
            syncs=2,
        )
    )


def test_late_copy_messages_after_a_unique_violation(same):
    def script(client):
        client.send(query("copy items from stdin"))
        seen = client.until("G")
        client.send(*(copy_data(f"{n}\t{'w' * 1000}\n") for n in range(1000)))
        seen += client.until_ready()
        client.send(copy_data("9001\tlate\n"), COPY_DONE)
        return seen + client.ask("select count(*) from items") + client.ask("select 2")

    seen = same(script, before=TABLE)
    assert [it["C"] for tag, it in seen if tag == "E"] == ["23505"]


def test_late_copy_messages_after_a_unique_violation_by_the_extended_protocol(same):
    def script(client):
        client.send(parse("copy items from stdin"), bind(), execute(), SYNC)
        seen = client.until("G")
        client.send(*(copy_data(f"{n}\t{'w' * 1000}\n") for n in range(1000)))
        seen += client.until("E")
        client.send(copy_data("9001\tlate\n"), COPY_DONE, SYNC)
        return seen + client.until_ready() + client.ask("select count(*) from items")

    same(script, before=TABLE)
