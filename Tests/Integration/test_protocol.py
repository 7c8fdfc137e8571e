"""Every message of the protocol: the same answers through the pooler as without it."""

import struct

import pytest
from support.traces import sent, simple
from support.wire import (
    FLUSH,
    SYNC,
    bind,
    close,
    describe,
    execute,
    function_call,
    parse,
    query,
    values,
)

ORIGINAL = "select n, 'row ' || n from generate_series(1, 10) n"
TABLE = """
create table if not exists items (id int primary key, words text);
alter table items owner to app; truncate items; insert into items values (500, 'there already')
"""
LO_CREATE, LO_OPEN, LO_WRITE, LO_SEEK, LO_READ, INT4PL = 715, 952, 955, 956, 954, 177


@pytest.mark.parametrize(
    "one_byte_writes",
    [
        pytest.param(False, id="whole"),
        pytest.param(True, id="byte_by_byte", marks=pytest.mark.pgweir_or_direct),
    ],
)
class TestBothWaysOfWriting:
    def test_simple_queries(self, same, one_byte_writes):
        same(simple("select 1", ORIGINAL, "select null, '', 'ä'"), one_byte_writes=one_byte_writes)

    def test_several_statements_in_one_query(self, same, one_byte_writes):
        same(
            simple(
                "select 1; select 2, 3; select 'x' where false", "select 1; select 1/0; select 3"
            ),
            one_byte_writes=one_byte_writes,
        )

    def test_an_empty_query(self, same, one_byte_writes):
        same(simple("", ";", " -- nothing\n", "select 1"), one_byte_writes=one_byte_writes)

    def test_an_error_in_a_simple_query(self, same, one_byte_writes):
        same(
            simple("selec 1", "select 1/0", "select * from nowhere", "select 2"),
            one_byte_writes=one_byte_writes,
        )

    def test_transactions(self, same, one_byte_writes):
        same(
            simple(
                "begin",
                "insert into items values (1, 'one')",
                "select * from items",
                "rollback",
                "begin",
                "selec",
                "select 1",
                "commit",
                "select count(*) from items",
            ),
            before=TABLE,
            one_byte_writes=one_byte_writes,
        )

    def test_extended_queries(self, same, one_byte_writes):
        same(
            sent(
                parse("select $1::int + 1"),
                describe("S"),
                bind(["41"]),
                describe(),
                execute(),
                SYNC,
            ),
            one_byte_writes=one_byte_writes,
        )

    def test_an_error_in_extended_queries_skips_to_sync(self, same, one_byte_writes):
        same(
            sent(
                parse("select 1/$1::int"),
                bind(["0"]),
                execute(),
                bind(["1"]),
                execute(),
                SYNC,
                parse("select 2"),
                bind(),
                execute(),
                SYNC,
                syncs=2,
            ),
            one_byte_writes=one_byte_writes,
        )


def test_an_empty_extended_query(same):
    same(sent(parse(""), bind(), describe(), execute(), SYNC))


def test_fifty_queries_before_one_sync(same):
    one = [
        (parse(f"select {n}, $1::text"), bind([f"value {n}"]), describe(), execute())
        for n in range(50)
    ]
    direct = same(sent(*sum(one, ()), SYNC))
    assert [row[0] for row in values(direct)] == [str(n).encode() for n in range(50)]


def test_an_error_in_the_middle_of_fifty_queries(same):
    one = [(parse(f"select 1/{n - 25}"), bind(), describe(), execute()) for n in range(50)]
    same(sent(*sum(one, ()), SYNC, query("select 'next'"), syncs=2))


def test_many_syncs_in_flight(same):
    one = [(parse(f"select {n}"), bind(), execute(), SYNC) for n in range(200)]
    same(sent(*sum(one, ()), syncs=200))


def test_simple_and_extended_queries_in_flight_together(same):
    frames = []
    for n in range(20):
        frames += [
            query(f"select {n}; select 'second'"),
            parse(f"select {n}/0" if n % 3 else ""),
            bind(),
            execute(),
            SYNC,
            query("begin" if n % 2 else "commit"),
        ]
    same(sent(*frames, syncs=60))


def test_a_sync_alone(same):
    same(sent(SYNC, SYNC, SYNC, syncs=3))


def test_flush_after_every_message(same):
    def script(client):
        seen = []
        for message, answer in (
            (parse("select 7"), "1"),
            (bind(), "2"),
            (describe(), "T"),
            (execute(), "C"),
        ):
            client.send(message, FLUSH)
            seen += client.until(answer)
        client.send(SYNC)
        return seen + client.until_ready()

    same(script)


def test_a_portal_read_two_rows_at_a_time(same):
    def script(client):
        client.send(parse(ORIGINAL), bind(), describe(), FLUSH)
        seen = client.until("T")
        for _ in range(5):
            client.send(execute(limit=2), FLUSH)
            seen += client.until("s", "C")
        client.send(execute(limit=2), FLUSH)
        seen += client.until("s", "C")
        client.send(SYNC)
        return seen + client.until_ready()

    assert len(values(same(script))) == 10


def test_a_portal_left_unfinished_at_sync(same):
    same(sent(parse(ORIGINAL), bind(), execute(limit=3), SYNC, query("select 1"), syncs=2))


def test_named_portals_in_a_transaction(same):
    same(
        sent(
            query("begin"),
            parse(ORIGINAL, "s"),
            bind(name="s", portal="a"),
            bind(name="s", portal="b"),
            execute("a", 2),
            execute("b", 3),
            SYNC,
            execute("a", 2),
            execute("b"),
            describe("P", "a"),
            close("P", "a"),
            execute("a"),
            SYNC,
            query("rollback"),
            close("S", "s"),
            SYNC,
            syncs=5,
        )
    )


def test_a_describe_behind_an_execute(same):
    same(
        sent(
            parse("select 1"),
            bind(),
            execute(),
            parse("select 2"),
            bind(),
            execute(),
            describe(),
            SYNC,
        )
    )


def test_function_calls(same):
    def integer(number):
        return struct.pack("!i", number)

    def script(client):
        seen = []
        for frame in (
            function_call(INT4PL, [integer(2), integer(3)]),
            query("begin"),
            function_call(LO_CREATE, [integer(424242)]),
            function_call(LO_OPEN, [integer(424242), integer(0x60000)]),
            function_call(LO_WRITE, [integer(0), b"large object" * 1000]),
            function_call(LO_SEEK, [integer(0), integer(6), integer(0)]),
            function_call(LO_READ, [integer(0), integer(12)]),
            query("rollback"),
            function_call(999_999, []),
            query("select 1"),
        ):
            client.send(frame)
            seen += client.until_ready()
        return seen

    same(script)


def test_notices_come_in_their_place(same):
    raising = "do $$ begin raise notice 'one'; raise warning 'two'; end $$"
    seen = same(simple(raising, f"select 1; {raising}; select 2"))
    assert [it["M"] for tag, it in seen if tag == "N"] == ["one", "two"] * 2


def test_parameter_changes_are_reported(same):
    seen = same(
        simple(
            "set timezone to 'Asia/Tokyo'",
            "set application_name to 'x'",
            "show timezone",
            "reset timezone",
            "reset application_name",
        )
    )
    assert ("S", ("TimeZone", "Asia/Tokyo")) in seen


def test_rows_larger_than_any_buffer(same):
    same(simple("select repeat('x', 3000000), n from generate_series(1, 3) n", "select 1"))


def test_a_value_larger_than_any_buffer_in_bind(same):
    same(sent(parse("select length($1), md5($1)"), bind(["y" * 3_000_000]), execute(), SYNC))
