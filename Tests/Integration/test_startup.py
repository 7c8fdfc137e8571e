"""The first packets of a connection, well formed and not."""

import os
import socket
import struct

import pytest
from support.postgres import PASSWORDS
from support.wire import (
    GSSENC_REQUEST,
    PROTOCOL_3_2,
    SSL_REQUEST,
    Client,
    Closed,
    LoginRefused,
    query,
    startup,
    untagged,
    values,
)

PASSWORD = PASSWORDS["app"]


def request(code):
    return untagged(struct.pack("!I", code))


def test_login_reports_the_servers_parameters(pooler, postgres, connect):
    client, direct = connect(pooler.port), connect(postgres.port)
    assert {**client.parameters, **direct.parameters} == client.parameters
    assert client.key is not None


@pytest.mark.pgweir_or_direct
def test_protocol_3_2_is_spoken_or_negotiated_down(pooler):
    with Client(pooler.port) as client:
        client.login("app", PASSWORD, protocol=PROTOCOL_3_2)
        number, secret = client.key
        if client.negotiated is None:
            assert 4 <= len(secret) <= 252
        else:
            assert struct.unpack("!II", client.negotiated) == (3 << 16, 0) or struct.unpack(
                "!II", client.negotiated
            ) == (0, 0)
            assert len(secret) == 4
        assert values(client.ask("select 1")) == [(b"1",)]


@pytest.mark.pgweir_or_direct
def test_an_unknown_protocol_option_is_named_in_the_answer(pooler):
    with Client(pooler.port) as client:
        client.login("app", PASSWORD, **{"_pq_.x": "1"})
        assert client.negotiated is not None
        assert client.negotiated[4:] == struct.pack("!I", 1) + b"_pq_.x\0"
        assert values(client.ask("select 1")) == [(b"1",)]


@pytest.mark.pooler_only
def test_gss_and_tls_are_declined_and_the_login_goes_on(pooler):
    with Client(pooler.port) as client:
        client.send(request(GSSENC_REQUEST))
        assert client.take(1) == b"N"
        client.send(request(SSL_REQUEST))
        assert client.take(1) == b"N"
        client.login("app", PASSWORD)
        assert values(client.ask("select 1")) == [(b"1",)]


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
        b"\0\0\0\0",
        b"\0\0\0\3abc",
        b"\0\0\0\7abc",
        b"\xff\xff\xff\xff" * 4,
        b"\x7f\xff\xff\xff" + b"\0\3\0\0",
        untagged(struct.pack("!I", 2 << 16) + b"user\0app\0\0"),
        untagged(struct.pack("!I", 3 << 16)),
        untagged(struct.pack("!I", 3 << 16) + b"user"),
        untagged(struct.pack("!I", 3 << 16) + b"user\0"),
        untagged(struct.pack("!I", 3 << 16) + b"user\0app\0"),
        untagged(struct.pack("!I", 3 << 16) + b"\0"),
        os.urandom(300),
    ],
    ids=range(13),
)
def test_garbage_is_refused(pooler, garbage):
    with Client(pooler.port, timeout=5) as client:
        client.send(garbage)
        client.socket.shutdown(socket.SHUT_WR)
        assert not [it for it in client.rest() if it[0] in "Z"]
    with Client(pooler.port) as client:
        client.login("app", PASSWORD)


def test_a_second_startup_during_login_is_refused(pooler):
    with Client(pooler.port) as client:
        client.send(startup("app", "no_such_database"))
        client.message()
        client.send(startup("other", "app"))
        with pytest.raises((Closed, LoginRefused)):
            client.authenticate("app", PASSWORD)
            client.ask("select 1")


def test_a_query_before_login_is_refused(pooler):
    with Client(pooler.port) as client:
        client.send(startup("app", "app"), query("select 1"))
        assert not [it for it in client.rest() if it[0] in "TDCZ"]


@pytest.mark.pgweir_or_direct
def test_options_are_followed_with_their_backslashes(pooler):
    with Client(pooler.port) as client:
        client.login("app", PASSWORD, options="-c search_path=a,\\ b --application_name=x\\ y")
        assert values(client.ask("show search_path")) == [(b"a, b",)]
        assert values(client.ask("show application_name")) == [(b"x y",)]


def test_startup_parameters_are_applied(pooler):
    for zone in ("Asia/Tokyo", "Europe/Vienna"):
        with Client(pooler.port) as client:
            client.login("app", PASSWORD, TimeZone=zone, application_name=zone)
            assert client.parameters["TimeZone"] == zone
            assert values(client.ask("show timezone")) == [(zone.encode(),)]
            assert values(client.ask("show application_name")) == [(zone.encode(),)]


def test_connections_that_say_nothing_harm_nobody(pooler):
    silent = [socket.create_connection(("127.0.0.1", pooler.port)) for _ in range(50)]
    with Client(pooler.port) as client:
        client.login("app", PASSWORD)
        assert values(client.ask("select 1")) == [(b"1",)]
    for one in silent:
        one.close()


def test_a_large_first_statement_follows_the_setting_of_parameters(start_pooler):
    """The pooler sets application_name on the server while the statement is still coming."""
    for size in (100_000, 1_000_000, 10_000_000):
        with Client(start_pooler().port) as client:
            client.login("app", PASSWORD, application_name="large")
            assert values(client.ask(f"select length('{'z' * size}')")) == [(b"%d" % size,)]
