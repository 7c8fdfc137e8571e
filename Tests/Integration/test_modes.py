"""Pool modes, and every way to prove who one is."""

import hashlib

import pytest
from support.postgres import MD5_PASSWORD, PASSWORDS
from support.wire import Client, error_code, query, values

pytestmark = pytest.mark.pooler_only
CLEAR, MD5, SCRAM = 3, 5, 10


def md5(user, password):
    return "md5" + hashlib.md5((password + user).encode()).hexdigest()


def backend(client):
    return values(client.ask("select pg_backend_pid()"))[0][0]


def test_session_mode_keeps_the_server_until_the_client_leaves(start_pooler, connect):
    pooler = start_pooler({"pool_mode": "session", "default_pool_size": 1})
    one = connect(pooler.port)
    first = backend(one)
    one.ask("create temp table mine (n int)")
    one.ask("set work_mem to '7MB'")
    assert values(one.ask("select count(*) from mine")) == [(b"0",)]
    two = Client(pooler.port)
    two.login("app", PASSWORDS["app"])
    two.send(query("select count(*) from mine"))
    two.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        two.message()
    one.abandon()
    two.socket.settimeout(10)
    assert error_code(two.until_ready()) == "42P01"
    assert values(two.ask("show work_mem")) != [(b"7MB",)]
    assert backend(two) == first
    two.abandon()


def test_transaction_mode_shares_the_server_between_transactions(start_pooler, connect):
    pooler = start_pooler({"default_pool_size": 1})
    one, two = connect(pooler.port), connect(pooler.port)
    assert backend(one) == backend(two)
    one.ask("begin")
    two.send(query("select 'later'"))
    two.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        two.message()
    one.ask("commit")
    two.socket.settimeout(10)
    assert values(two.until_ready()) == [(b"later",)]


def test_statement_mode_refuses_transaction_blocks(start_pooler, connect):
    pooler = start_pooler({"pool_mode": "statement"})
    client = connect(pooler.port)
    assert values(client.ask("select 1")) == [(b"1",)]
    client.send(query("begin"))
    error = next(it for tag, it in client.rest() if tag == "E")
    assert error["S"] == "FATAL"
    assert error["M"] == "transaction blocks not allowed in statement pooling mode"
    assert values(connect(pooler.port).ask("select 1")) == [(b"1",)]


def test_a_user_may_have_a_mode_of_its_own(start_pooler, connect):
    pooler = start_pooler({"default_pool_size": 1}, users={"other": {"pool_mode": "session"}})
    client = connect(pooler.port, "other")
    client.ask("create temp table mine (n int)")
    second = connect(pooler.port, "app")
    assert values(second.ask("select 1")) == [(b"1",)]
    assert values(client.ask("select count(*) from mine")) == [(b"0",)]


@pytest.mark.parametrize(
    "auth_type, user, secret, password, kind",
    [
        ("scram-sha-256", "app", PASSWORDS["app"], PASSWORDS["app"], SCRAM),
        ("md5", "app", PASSWORDS["app"], PASSWORDS["app"], MD5),
        ("md5", "md5user", md5("md5user", MD5_PASSWORD), MD5_PASSWORD, MD5),
        ("plain", "app", PASSWORDS["app"], PASSWORDS["app"], CLEAR),
        ("trust", "app", PASSWORDS["app"], None, 0),
    ],
    ids=["scram_by_password", "md5_by_password", "md5_by_md5_secret", "clear_text", "trust"],
)
def test_authentication(start_pooler, auth_type, user, secret, password, kind):
    pooler = start_pooler({"auth_type": auth_type}, secrets={user: secret})
    with Client(pooler.port) as client:
        client.login(user, password)
        assert client.authentication == kind
        assert values(client.ask("select current_user")) == [(user.encode(),)]
    if password is None:
        return
    with Client(pooler.port) as client:
        with pytest.raises(Exception) as caught:
            client.login(user, password + "x")
        assert "authentication failed" in caught.value.error["M"]


@pytest.mark.parametrize("auth_type", ["scram-sha-256", "md5"])
def test_the_scram_secret_alone_opens_client_and_server(start_pooler, postgres, auth_type):
    """auth_file holds what pg_authid holds; the client's proof opens the server as well."""
    secret = postgres.value("select rolpassword from pg_authid where rolname = 'app'")
    assert secret.startswith("SCRAM-SHA-256$")
    pooler = start_pooler({"auth_type": auth_type}, secrets={"app": secret})
    for _ in range(3):
        with Client(pooler.port) as client:
            client.login("app", PASSWORDS["app"])
            assert client.authentication == SCRAM
            assert values(client.ask("select current_user")) == [(b"app",)]
    with Client(pooler.port) as client:
        with pytest.raises(Exception) as caught:
            client.login("app", "wrong")
        assert "authentication failed" in caught.value.error["M"]


def test_a_database_may_force_its_user(start_pooler, postgres):
    pooler = start_pooler(
        databases={
            "app": {
                "host": "127.0.0.1",
                "port": postgres.port,
                "user": "other",
                "password": PASSWORDS["other"],
            }
        }
    )
    with Client(pooler.port) as client:
        client.login("app", PASSWORDS["app"])
        assert values(client.ask("select current_user")) == [(b"other",)]


def test_a_star_database_takes_any_name(start_pooler, postgres):
    pooler = start_pooler(databases={"*": {"host": "127.0.0.1", "port": postgres.port}})
    for name in ("app", "app2"):
        with Client(pooler.port) as client:
            client.login("app", PASSWORDS["app"], name)
            assert values(client.ask("select current_database()")) == [(name.encode(),)]
