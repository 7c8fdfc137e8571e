"""What a client could do on purpose to reach another shard than it may: raw messages."""

import struct
import time

import pytest
from support.postgres import PASSWORDS
from support.processes import wait_until
from support.shards import Shards
from support.wire import (
    COPY_DONE,
    FLUSH,
    SYNC,
    Client,
    Closed,
    bind,
    close,
    copy_data,
    describe,
    error_code,
    execute,
    frame,
    parse,
    query,
    values,
)

pytestmark = pytest.mark.pgweir_only
BY_KEY = "select note from orders where tenant_id = $1"
WHERE = "select current_database()"


@pytest.fixture(scope="module")
def shards(postgres):
    shards = Shards(postgres)
    yield shards
    shards.stop()


@pytest.fixture
def open_client(shards):
    clients = []

    def open_one(database="app", **more):
        clients.append(Client(shards.pooler.port))
        clients[-1].login("app", PASSWORDS["app"], database, **more)
        return clients[-1]

    yield open_one
    for client in clients:
        client.abandon()


@pytest.fixture
def client(open_client):
    return open_client()


def first(tenant):
    return [(f"first of {tenant}".encode(),)]


def rows_of(client, tenant):
    """What the client finds of a tenant by a statement that says the key."""
    return values(client.ask(f"select note from orders where tenant_id = {tenant} and id = 1"))


def said(messages):
    return [(tag, it["C"] if tag == "E" else it) for tag, it in messages if tag in "CEZ"]


def place(client):
    """The number of the shard that a statement of the client goes to."""
    found = values(client.ask(WHERE))
    return int(found[0][0][-1:]) if found else None


def count(shards, tenant, note):
    """On both shards."""
    sql = f"select count(*) from orders where tenant_id = {tenant} and note = '{note}'"
    return [shards.rows(shard, sql)[0][0] for shard in (0, 1)]


def both(shards):
    """A tenant of each shard: (shard, its tenant, the other's)."""
    pair = [shards.tenant_of(0), shards.tenant_of(1)]
    return [(0, *pair), (1, *pair[::-1])]


# Transactions that have no shard yet.


def test_a_transaction_begun_among_other_statements_is_not_lost(shards, client):
    for number, (_, mine, _) in enumerate(both(shards)):
        for text in ("begin; select version()", "select 1; begin", "begin; select name from plans"):
            note = f"lost {number} {text}"
            client.ask(text)
            ended = client.ask(f"insert into orders (tenant_id, id, note) values ({mine}, 50, '{note}')")
            assert ended[-1] == ("Z", "T") or error_code(ended) == "0A000", (text, ended)
            client.ask("rollback")
            assert count(shards, mine, note) == [0, 0], text


def test_what_is_set_among_other_statements_is_not_lost(shards, client):
    for _, mine, _ in both(shards):
        client.ask("begin")
        client.ask("set local my.word = 'mine'; select version()")
        asked = client.ask(f"select current_setting('my.word') from orders where tenant_id = {mine}")
        assert values(asked) == [(b"mine",)] or error_code(asked) == "0A000", asked
        client.ask("rollback")


def test_a_failed_set_does_not_break_what_is_done_again(shards, client):
    for _, mine, _ in both(shards):
        client.ask("begin")
        client.ask("set local my.word = 'kept'")
        client.ask("savepoint a")
        assert error_code(client.ask("set local work_mem = 'nonsense'")) == "22023"
        assert client.ask("rollback to a")[-1] == ("Z", "T")
        asked = client.ask(
            f"select current_setting('my.word') from orders where tenant_id = {mine}"
        )
        assert values(asked) == [(b"kept",)] or error_code(asked) == "0A000", asked
        assert asked[-1] in (("Z", "T"), ("Z", "E"))
        client.ask("rollback")


def test_behind_its_end_in_the_same_batch_no_block_is_begun_elsewhere(shards, client):
    """Whether the rest of the batch is carried out or refused."""
    for shard, _, _ in both(shards):
        for end in ("rollback", "commit"):
            for last in ("select 1 / 0", "select 1"):
                client.ask("set pgweir.key to default")
                client.send(parse("begin"), bind(), execute(), SYNC)
                assert client.until_ready()[-1] == ("Z", "T")
                client.ask(f"set pgweir.shard = 's{shard}'")
                client.send(
                    parse(end), bind(), execute(), parse(last), bind(), execute(), SYNC,
                    query("select version()"),
                )
                assert client.until_ready()[-1] == ("Z", "I")
                assert client.until_ready()[-1] == ("Z", "I")


def test_an_error_without_a_shard_and_back_to_the_savepoint(shards, client):
    for _, mine, _ in both(shards):
        client.ask("begin")
        client.ask("savepoint a")
        assert error_code(client.ask("select 1 / 0")) == "22012"
        assert error_code(client.ask(f"select * from orders where tenant_id = {mine}")) == "25P02"
        assert client.ask("rollback to a")[-1] == ("Z", "T")
        assert rows_of(client, mine) == first(mine)
        assert client.ask("commit")[-2:] == [("C", "COMMIT"), ("Z", "I")]


def test_asking_whether_a_server_is_there_does_not_bind(shards, client):
    for _, mine, _ in both(shards):
        client.ask("begin")
        for ping in ("", ";", "-- ping"):
            assert client.ask(ping)[0][0] == "I"
        assert rows_of(client, mine) == first(mine)
        client.ask("commit")


def test_begin_twice_commit_twice(shards, client):
    client.ask("begin")
    again = client.ask("begin")
    assert [tag for tag, _ in again] == ["N", "C", "Z"] and again[-1] == ("Z", "T")
    for _, mine, _ in both(shards):
        assert client.ask("commit")[-1] == ("Z", "I")
        warned = client.ask("commit")
        assert [tag for tag, _ in warned] == ["N", "C", "Z"] and warned[-1] == ("Z", "I")
        client.send(query("begin"), query("begin"), query("savepoint a"))
        assert client.until_ready(3)[-1] == ("Z", "T")
        assert rows_of(client, mine) == first(mine)


def test_pipelined_transactions_go_each_to_its_shard(shards, client):
    frames, pairs = [], both(shards)
    for _, mine, _ in pairs * 3:
        frames += [
            query("begin"),
            query("set local my.word = 'w'"),
            query(f"select note from orders where tenant_id = {mine}"),
            query("commit"),
        ]
    client.send(*frames)
    for _, mine, _ in pairs * 3:
        messages = client.until_ready(4)
        assert said(messages) == [
            ("C", "BEGIN"), ("Z", "T"), ("C", "SET"), ("Z", "T"),
            ("C", "SELECT 1"), ("Z", "T"), ("C", "COMMIT"), ("Z", "I"),
        ]
        assert values(messages) == first(mine)


def test_a_portal_is_not_found_where_the_transaction_has_gone(shards, client):
    for _, mine, _ in both(shards):
        client.ask("begin")
        client.send(
            parse("select generate_series(1, 4)"), bind(portal="p"), execute("p", 2), FLUSH
        )
        assert [tag for tag, _ in client.until("s")] == ["1", "2", "D", "D", "s"]
        client.send(parse(BY_KEY), bind([str(mine)]), execute(), execute("p", 2), SYNC)
        messages = client.until_ready()
        assert values(messages)[:1] == first(mine) or error_code(messages) == "0A000"
        assert error_code(messages) in (None, "34000", "0A000")
        client.ask("rollback")
        assert rows_of(client, mine) == first(mine)


# Batches.


def test_parse_describe_flush_and_wait(shards, client):
    for _, mine, other in both(shards):
        client.send(parse(BY_KEY, "q"), describe("S", "q"), FLUSH)
        assert [tag for tag, _ in client.until("T")] == ["1", "t", "T"]
        client.send(bind([str(mine)], "q"), execute(), FLUSH)
        assert values(client.until("C")) == first(mine)
        client.send(SYNC)
        assert client.until_ready() == [("Z", "I")]
        client.send(bind([str(other)], "q"), execute(), close("S", "q"), SYNC)
        assert values(client.until_ready()) == first(other)


def test_every_byte_alone(shards, open_client):
    client = open_client()
    client.one_byte_writes = True
    for _, mine, other in both(shards):
        client.send(
            parse("begin"), bind(), execute(), parse(BY_KEY, "q"), bind([str(mine)], "q"),
            execute(), close("S", "q"), SYNC, query("commit"),
        )
        messages = client.until_ready(2)
        assert values(messages) == first(mine), messages
        assert messages[-1] == ("Z", "I")
        client.send(query(f"select note from orders where tenant_id = {other}"))
        assert values(client.until_ready()) == first(other)


def test_begin_and_its_statement_in_two_packets(shards, client):
    for _, mine, _ in both(shards):
        client.send(parse("begin"), bind(), execute(), parse(BY_KEY))
        time.sleep(0.05)
        client.send(bind([str(mine)]), execute(), SYNC)
        messages = client.until_ready()
        assert values(messages) == first(mine), messages
        assert client.ask("rollback")[-1] == ("Z", "I")


def test_a_portal_is_executed_where_it_was_bound(shards, client):
    """Its Execute comes with a statement for another shard."""
    for _, mine, _ in both(shards):
        client.send(parse("select 7"), bind(), FLUSH)
        assert [tag for tag, _ in client.until("2")] == ["1", "2"]
        client.send(describe(), execute(), parse(BY_KEY), bind([str(mine)]), execute(), SYNC)
        messages = client.until_ready()
        assert values(messages) == [(b"7",), *first(mine)], messages


def test_set_and_its_statement_in_two_packets(shards, client):
    for _, mine, _ in both(shards):
        client.send(parse("set my.word = 'x'"), bind(), execute(), FLUSH)
        assert client.until("C")[-1] == ("C", "SET")
        client.send(parse(BY_KEY), bind([str(mine)]), execute(), SYNC)
        messages = client.until_ready()
        assert values(messages) == first(mine) or error_code(messages) == "0A000", messages


def test_syncs_in_odd_places(shards, client):
    client.send(SYNC, SYNC, parse(BY_KEY, "q"), SYNC, SYNC)
    assert [tag for tag, _ in client.until_ready(4)] == ["Z", "Z", "1", "Z", "Z"]
    for _, mine, _ in both(shards):
        client.send(bind([str(mine)], "q"), SYNC, execute(), SYNC)
        messages = client.until_ready(2)
        assert [tag for tag, _ in messages] == ["2", "Z", "E", "Z"]
        assert messages[2][1]["C"] == "34000"


def test_what_is_skipped_has_no_effect_on_routing(shards, client):
    """Behind an error a server skips up to Sync: SET pgweir.key is as much skipped as the rest."""
    for shard, mine, other in both(shards):
        client.ask(f"set pgweir.key = '{mine}'")
        client.send(
            parse("select 1 / 0"), bind(), execute(),
            parse(f"set pgweir.key = '{other}'"), bind(), execute(), SYNC,
            query(WHERE),
        )
        messages = client.until_ready(2)
        assert error_code(messages) == "22012"
        assert values(messages) == [(f"app_{shard}".encode(),)]
        assert place(client) == shard
        # The same with a pause, when the error is known.
        client.send(parse("select 1 / 0"), bind(), execute(), FLUSH)
        assert client.until("E")
        client.send(parse(f"set pgweir.key = '{other}'"), bind(), execute(), SYNC)
        client.until_ready()
        assert place(client) == shard
        client.ask("reset pgweir.key")


def test_hints_in_a_failed_transaction_are_not_taken(shards, client):
    for shard, mine, other in both(shards):
        client.ask(f"set pgweir.key = '{mine}'")
        client.ask("begin")
        assert error_code(client.ask("select 1 / 0"))
        assert error_code(client.ask(f"set pgweir.key = '{other}'")) == "25P02"
        client.ask("rollback")
        assert place(client) == shard
        client.send(query("begin"), query("select 1 / 0"), query(f"set pgweir.key = '{other}'"))
        client.send(query("rollback"), query(WHERE))
        assert values(client.until_ready(5)) == [(f"app_{shard}".encode(),)]
        client.ask("reset pgweir.key")


def test_hints_are_taken_back_with_their_transaction(shards, client):
    for shard, mine, other in both(shards):
        client.ask(f"set pgweir.key = '{mine}'")
        for statements in (["select version()"], [f"select 1 /* pgweir: key={other} */"], []):
            client.ask("begin")
            client.ask(f"set pgweir.key = '{other}'")
            for statement in statements:
                client.ask(statement)
            client.ask("rollback")
            assert values(client.ask("show pgweir.key")) == [(str(mine).encode(),)]
            assert place(client) == shard
        client.ask("begin")
        client.ask(f"set pgweir.key = '{other}'")
        client.ask("commit")
        assert place(client) == 1 - shard
        client.ask("reset pgweir.key")


def test_hints_are_taken_back_to_a_savepoint(shards, client):
    """Or what follows is refused."""
    for shard, mine, other in both(shards):
        client.ask("begin")
        client.ask(f"set local pgweir.key = '{mine}'")
        client.ask("savepoint a")
        client.ask(f"set local pgweir.key = '{other}'")
        client.ask("rollback to a")
        asked = client.ask(WHERE)
        assert values(asked) == [(f"app_{shard}".encode(),)] or error_code(asked) == "0A000", asked
        client.ask("rollback")
        assert client.ask("show pgweir.key")[1] == ("D", (b"",))


def test_reset_all_and_discard_all_that_fail_change_nothing(shards, client):
    for shard, mine, _ in both(shards):
        client.ask(f"set pgweir.key = '{mine}'")
        client.ask("begin")
        client.ask("select 1")
        assert error_code(client.ask("discard all")) == "25001"
        client.ask("rollback")
        assert place(client) == shard
        client.ask("begin")
        assert error_code(client.ask("select 1 / 0"))
        assert error_code(client.ask("reset all")) == "25P02"
        client.ask("rollback")
        assert place(client) == shard
        client.ask("begin")
        client.ask("reset all")
        client.ask("rollback")
        assert place(client) == shard
        client.ask("discard all")
        assert values(client.ask("show shard")) == [(b"any",)]


@pytest.mark.parametrize(
    "text",
    [
        "set pgweir.key = '{other}'; select note from orders where tenant_id = {mine}",
        "select 1; set pgweir.key = '{other}'",
        "begin; set local pgweir.key = '{other}'; select 1",
        "set search_path = public; set pgweir.shard = 's1'",
        "select set_config('pgweir.key', '{other}', false)",
        "select set_config('pgweir.shard', 's1', true)",
        'set "pgweir"."key" = \'{other}\'',
        'set "pgweir.key" = \'{other}\'',
        "set pgweir.key = '{other}' -- \n; select 1",
        "reset pgweir.nothing",
        "set pgweir.key to {other}, 7",
        "set pgweir.key from current",
        'reset "pgweir.key"',
        'show "pgweir.key"',
        "set u&\"pgweir.key\" = '{other}'",
    ],
)
def test_a_hint_in_another_form_is_never_ignored(shards, client, text):
    """It is refused or followed; a server that is told so would ignore it."""
    for shard, mine, other in both(shards):
        # So that it does not go there anyway.
        client.ask(f"set pgweir.key = '{mine}'")
        there = f"s{1 - shard}"
        messages = client.ask(text.replace("'s1'", f"'{there}'").format(mine=mine, other=other))
        if error_code(messages) != "0A000":
            assert error_code(messages) is None, messages
            assert place(client) == 1 - shard
        client.ask("rollback")


# Settings by which a text is read.


def test_backslashes_are_read_as_the_server_will(shards, client):
    """One text, two readings: which one holds is decided by what went before."""
    _, mine, other = both(shards)[0]
    text = (
        f"select note from orders where id = 1 and note <> '\\' and tenant_id = {mine}"
        f" --' and tenant_id = {other}"
    )
    for switch in ("off", "on", "off"):
        client.send(query(f"set standard_conforming_strings = {switch}"), query(text))
        messages = client.until_ready(2)
        # On: the tenant is `mine`. Off: the string reaches to the next quote, it is `other`.
        wanted = first(mine if switch == "on" else other)
        assert values(messages) == wanted or error_code(messages) == "0A000", (switch, messages)
    client.ask("set standard_conforming_strings = on")
    assert values(client.ask(text)) == first(mine)
    for batch in (
        [parse("set standard_conforming_strings = off"), bind(), execute(), parse(text), bind()],
        [query("set standard_conforming_strings = off"), parse(text), bind()],
        [
            query("/* pgweir: shard=s0 */ select set_config('standard_conforming_strings', 'off', false)"),
            parse(text),
            bind(),
        ],
    ):
        client.ask("set standard_conforming_strings = on")
        client.send(*batch, execute(), SYNC)
        messages = client.until_ready(1 + (batch[0][:1] == b"Q"))
        assert values(messages)[-1:] != first(mine), messages


def test_a_statement_parsed_under_another_reading(shards, client):
    _, mine, other = both(shards)[0]
    text = (
        f"select note from orders where id = 1 and note <> '\\' and tenant_id = {mine}"
        f" --' and tenant_id = {other}"
    )
    client.ask("set standard_conforming_strings = off")
    client.send(parse(text, "q"), SYNC)
    client.until_ready()
    client.ask("set standard_conforming_strings = on")
    client.send(bind(name="q"), execute(), SYNC)
    messages = client.until_ready()
    assert values(messages) in (first(mine), first(other)) or error_code(messages), messages


def test_encodings_in_which_a_quote_hides(shards, client):
    """In Shift JIS and GBK the second byte of a character can be a backslash."""
    _, mine, other = both(shards)[0]
    for encoding in ("SJIS", "GBK", "LATIN1", "BIG5"):
        text = (
            b"select note from orders where note <> E'\x95\\' and tenant_id = %d --' and"
            b" tenant_id = %d" % (mine, other)
        )
        client.send(query(f"set client_encoding = {encoding}"), frame("Q", text + b"\0"))
        messages = client.until_ready(2)
        assert error_code(messages) == "0A000", (encoding, messages)
        client.ask("set client_encoding = utf8")


def test_one_clients_encoding_is_not_the_others(shards, open_client):
    """Both have the same statement."""
    odd, plain = open_client(client_encoding="LATIN1"), open_client()
    text = "select note from orders where tenant_id = $1 and id = 1 and note <> 'Ä'"
    for shard, mine, _ in both(shards):
        for client, wanted in ((odd, []), (plain, first(mine))):
            name = f"q{shard}"
            client.send(parse(text, name), bind([str(mine)], name), execute(), SYNC)
            messages = client.until_ready()
            assert values(messages) == wanted, messages
            assert error_code(messages) == (None if wanted else "0A000")


# Long messages.


def test_a_long_message_goes_where_the_hint_says_and_nothing_behind_it(shards, client):
    _, mine, other = both(shards)[0]
    client.ask(f"set pgweir.key = '{mine}'")
    long = query(f"select '{'x' * (3 << 20)}' is null, current_database()")
    client.send(long, query(f"/* pgweir: key={other} */ {WHERE}"), query(WHERE))
    found = [row[-1] for row in values(client.until_ready(3))]
    assert found == [b"app_0", b"app_1", b"app_0"]
    # It waits for a server, and what follows it is there when it gets one.
    blockers = [Client(shards.pooler.port) for _ in range(2)]
    for blocker in blockers:
        blocker.login("app", PASSWORDS["app"], "app")
        blocker.ask(f"select pg_sleep(0) /* pgweir: key={mine} */")
        blocker.send(query(f"select pg_sleep(0.6) /* pgweir: key={mine} */"))
    time.sleep(0.1)
    client.send(long[: 2 << 20])
    time.sleep(0.2)
    client.send(long[2 << 20 :], query(f"/* pgweir: key={other} */ {WHERE}"))
    client.send(query(f"set pgweir.key = '{other}'"), query(WHERE))
    found = [row[-1] for row in values(client.until_ready(4))]
    assert found == [b"app_0", b"app_1", b"app_1"]
    for blocker in blockers:
        blocker.abandon()


def test_a_long_message_without_a_hint(shards, open_client):
    client = open_client()
    client.send(query(f"select '{'x' * (2 << 20)}'"))
    messages = client.rest()
    assert error_code(messages), messages


def test_many_megabytes_of_copy(shards, client):
    for shard, mine, _ in both(shards):
        client.send(query(f"/* pgweir: key={mine} */ copy orders from stdin"))
        assert client.until("G")
        line = f"{mine}\t{{}}\tbulk {'x' * 1000}\n"
        for part in range(20):
            client.send(
                copy_data("".join(line.format(1000 + part * 500 + n) for n in range(500)))
            )
        client.send(COPY_DONE)
        assert said(client.until_ready()) == [("C", "COPY 10000"), ("Z", "I")]
        client.ask(f"delete from orders where tenant_id = {mine} and note like 'bulk%'")
        assert shards.rows(shard, "select count(*) from orders where note like 'bulk%'") == [(0,)]


def test_statements_inside_of_copy(shards, client):
    for _, mine, other in both(shards):
        client.send(
            query(f"/* pgweir: key={mine} */ copy orders from stdin"),
            copy_data(f"{mine}\t77\tnever\n"),
            query(f"select note from orders where tenant_id = {other}"),
        )
        with pytest.raises((Closed, TimeoutError)):
            client.socket.settimeout(2)
            messages = client.until_ready(3)
            assert values(messages) in ([], first(other)), messages
            raise Closed
        assert count(shards, mine, "never") == [0, 0]
        client = Client(shards.pooler.port)
        client.login("app", PASSWORDS["app"], "app")


# What fails around.


def test_a_cancelled_wait_in_a_transaction_ends_the_transaction(shards, open_client):
    """BEGIN has been answered; its first statement waits for a server and is cancelled."""
    _, mine, _ = both(shards)[0]
    client, blockers = open_client(), [open_client() for _ in range(2)]
    for blocker in blockers:
        blocker.send(query(f"select pg_sleep(1), note from orders where tenant_id = {mine}"))
    time.sleep(0.2)
    client.ask("begin")
    client.send(query(f"insert into orders (tenant_id, id, note) values ({mine}, 60, 'half a')"))
    time.sleep(0.1)
    client.cancel()
    messages = client.until_ready()
    assert error_code(messages) == "57014" and messages[-1] == ("Z", "E"), messages
    assert error_code(client.ask("select 1")) == "25P02"
    client.ask(f"insert into orders (tenant_id, id, note) values ({mine}, 61, 'half b')")
    assert client.ask("commit")[-2:] == [("C", "ROLLBACK"), ("Z", "I")]
    for blocker in blockers:
        blocker.until_ready()
    assert count(shards, mine, "half b") == [0, 0]
    assert rows_of(client, mine) == first(mine)


def test_a_cancelled_wait_of_a_batch_in_a_transaction(shards, open_client):
    _, mine, _ = both(shards)[0]
    client, blockers = open_client(), [open_client() for _ in range(2)]
    for blocker in blockers:
        blocker.send(query(f"select pg_sleep(1), note from orders where tenant_id = {mine}"))
    time.sleep(0.2)
    client.ask("begin")
    insert = "insert into orders (tenant_id, id, note) values ($1, 62, 'batch a')"
    client.send(parse(insert, types=[20]), bind([str(mine)]), execute(), SYNC)
    time.sleep(0.1)
    client.cancel()
    messages = client.until_ready()
    assert error_code(messages) == "57014" and messages[-1] == ("Z", "E"), messages
    client.send(query("savepoint a"), query("rollback to a"))
    assert client.until_ready(2)[-1] == ("Z", "E")
    client.send(parse("rollback"), bind(), execute(), SYNC)
    assert client.until_ready()[-2:] == [("C", "ROLLBACK"), ("Z", "I")]
    for blocker in blockers:
        blocker.until_ready()
    assert rows_of(client, mine) == first(mine)


def test_servers_killed_in_a_transaction_without_a_shard(shards, client, postgres):
    for _, mine, _ in both(shards):
        client.ask("begin")
        postgres.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'")
        wait_until(lambda: postgres.server_count() == 0, 5, what="the servers to be gone")
        assert rows_of(client, mine) == first(mine)
        client.ask("commit")


def test_refusals_while_the_server_skips(shards, client):
    for _, mine, other in both(shards):
        client.send(
            parse("select 1 / 0"), bind(), execute(),
            parse("select * from orders"), bind(), execute(),
            parse(f"select note from orders where tenant_id in ({mine}, {other})"), bind(),
            execute(), SYNC, query(f"select note from orders where tenant_id = {mine}"),
        )
        messages = client.until_ready(2)
        assert [it["C"] for tag, it in messages if tag == "E"] == ["22012"]
        assert values(messages) == first(mine)


def test_malformed_messages_end_only_their_client(shards, open_client):
    for body in (
        frame("B", b""), frame("B", b"\0"), frame("B", b"\0\0"), frame("B", b"\0\0\0\1\0\5"),
        frame("B", b"\0q\0" + struct.pack("!HHi", 0, 1, 99)), frame("P", b""), frame("P", b"q"),
        frame("P", b"q\0select 1"), frame("P", b"q\0select $1\0\xff\xff"), frame("Q", b""),
        frame("Q", b"select 1"), b"Q\0\0\0\3", b"Q\0\0\0\0", b"B\x7f\xff\xff\xff", b"Q\xff\xff\xff\xff",
        frame("E", b""), frame("D", b""), frame("F", b""), frame("d", b"x"), frame("?", b"x"),
    ):
        for before in ([], [parse(BY_KEY, "q"), bind(["1"], "q")], [query("begin")]):
            client = open_client()
            client.socket.settimeout(0.5)
            client.send(*before, body, SYNC)
            try:
                client.until_ready(2)
            except (Closed, TimeoutError):
                pass
            client.abandon()
    for _, mine, _ in both(shards):
        assert rows_of(open_client(), mine) == first(mine)


# Sessions.


def test_cursors_over_several_messages(shards, client):
    for _, mine, other in both(shards):
        client.ask("begin")
        client.ask(f"declare c cursor for select note from orders where tenant_id = {mine}")
        assert values(client.ask("fetch 1 from c")) == first(mine)
        assert values(client.ask("fetch 1 from c")) == []
        assert error_code(client.ask(f"select * from orders where tenant_id = {other}")) == "0A000"
        client.ask("rollback")
        client.ask(f"declare h cursor with hold for select note from orders where tenant_id = {mine}")
        assert error_code(client.ask(f"select * from orders where tenant_id = {other}")) == "0A000"
        assert values(client.ask("fetch 1 from h")) == first(mine)
        client.ask("close h")
        assert rows_of(client, other) == first(other)


def test_explain_analyze_of_a_write(shards, client):
    for shard, mine, other in both(shards):
        text = f"explain analyze insert into orders (tenant_id, id, note) values ({mine}, 70, 'explained')"
        assert error_code(client.ask(text)) is None
        assert count(shards, mine, "explained")[1 - shard] == 0
        assert error_code(client.ask(f"explain analyze update orders set note = note")) == "0A000"
        client.ask(f"delete from orders where tenant_id = {mine} and id = 70")


def test_many_statements_in_one_string(shards, client):
    for shard, mine, other in both(shards):
        for text in (
            f"begin; insert into orders (tenant_id, id, note) values ({mine}, 80, 'strung'); commit;"
            f" insert into orders (tenant_id, id, note) values ({other}, 80, 'strung')",
            f"insert into orders (tenant_id, id, note) values ({mine}, 81, 'strung');"
            f" update orders set note = 'strung' where tenant_id = {other}",
        ):
            assert error_code(client.ask(text)) == "0A000"
            client.ask("rollback")
        text = f"begin; insert into orders (tenant_id, id, note) values ({mine}, 82, 'strung'); commit; begin; select 1"
        assert client.ask(text)[-1] == ("Z", "T")
        asked = client.ask(f"select note from orders where tenant_id = {other} and id = 1")
        assert values(asked) == first(other) or error_code(asked) == "0A000"
        client.ask("rollback")
        wanted = [1, 0] if shard == 0 else [0, 1]
        assert count(shards, mine, "strung") == wanted
        client.ask(f"delete from orders where tenant_id = {mine} and id > 79")


def test_commit_and_chain_stays(shards, client):
    for _, mine, other in both(shards):
        client.ask("begin")
        assert rows_of(client, mine) == first(mine)
        assert client.ask("commit and chain")[-1] == ("Z", "T")
        asked = client.ask(f"select note from orders where tenant_id = {other} and id = 1")
        assert values(asked) == first(other) or error_code(asked) == "0A000"
        client.ask("rollback")
        # A chain of a transaction that no server has.
        client.ask("begin isolation level serializable")
        client.ask("commit and chain")
        assert values(client.ask("show transaction_isolation")) == [(b"serializable",)]
        client.ask("rollback")
