"""TLS towards clients, towards servers, and both."""

import os
import pwd
import struct
import subprocess

import psycopg
import pytest
from support.pooler import KIND
from support.postgres import Postgres
from support.processes import IS_ROOT
from support.programs import psql, run, succeed
from support.wire import SSL_REQUEST, Client, startup, untagged

pytestmark = pytest.mark.pooler_only


def make_certificate(folder):
    """A self-signed certificate for localhost and its key."""
    certificate, key = folder / "server.crt", folder / "server.key"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-out",
            certificate,
            "-keyout",
            key,
        ],
        check=True,
        capture_output=True,
    )
    key.chmod(0o600)
    if IS_ROOT:
        account = pwd.getpwnam("postgres")
        for path in (folder, certificate, key):
            os.chown(path, account.pw_uid, account.pw_gid)
    return certificate, key


@pytest.fixture(scope="module")
def certificate():
    """Not in pytest's folders: those of root's are closed to PostgreSQL's account."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="pgweir-tls-") as folder:
        yield make_certificate(Path(folder))


@pytest.fixture(scope="module")
def tls_postgres(certificate):
    """A PostgreSQL that speaks TLS."""
    file, key = certificate
    cluster = Postgres(
        configuration=f"ssl = on\nssl_cert_file = '{file}'\nssl_key_file = '{key}'\n"
    )
    try:
        yield cluster.start()
    finally:
        cluster.stop()


def client_settings(certificate, mode="require"):
    file, key = certificate
    return {
        "client_tls_sslmode": mode,
        "client_tls_cert_file": str(file),
        "client_tls_key_file": str(key),
    }


SERVER_USES_TLS = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"


def test_clients_by_tls(start_pooler, certificate):
    pooler = start_pooler(client_settings(certificate))
    with psycopg.connect(pooler.uri(), sslmode="require") as connection:
        assert connection.pgconn.ssl_in_use
        assert connection.execute("select 1").fetchone() == (1,)
    output = succeed(
        psql(
            pooler,
            "-c",
            "select repeat('x', 10000000)",
            PGSSLMODE="verify-full",
            PGSSLROOTCERT=str(certificate[0]),
        )
    )
    assert len(output) == 10_000_001


def test_large_statements_by_tls(start_pooler, certificate):
    pooler = start_pooler(client_settings(certificate))
    done = psql(pooler, text=f"select length('{'z' * 5_000_000}');\n", PGSSLMODE="require")
    assert succeed(done) == "5000000\n"


def test_plain_clients_are_refused_when_tls_is_required(start_pooler, certificate):
    pooler = start_pooler(client_settings(certificate))
    with pytest.raises(psycopg.OperationalError, match="SSL required"):
        psycopg.connect(pooler.uri(), sslmode="disable")


def test_plain_clients_are_welcome_when_tls_is_allowed(start_pooler, certificate):
    pooler = start_pooler(client_settings(certificate, "allow"))
    for mode, is_used in (("disable", False), ("require", True)):
        with psycopg.connect(pooler.uri(), sslmode=mode) as connection:
            assert connection.pgconn.ssl_in_use == is_used
            assert connection.execute("select 1").fetchone() == (1,)


def test_servers_by_tls(start_pooler, tls_postgres):
    pooler = start_pooler({"server_tls_sslmode": "require"}, before=tls_postgres)
    with psycopg.connect(pooler.uri(), sslmode="disable") as connection:
        assert connection.execute(SERVER_USES_TLS).fetchone() == (True,)
        assert len(connection.execute("select repeat('x', 10000000)").fetchone()[0]) == 10_000_000


def test_a_server_without_tls_is_refused_when_tls_is_required(start_pooler):
    pooler = start_pooler(
        {"server_tls_sslmode": "require", "query_wait_timeout": 3, "server_login_retry": 1}
    )
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(pooler.uri(), sslmode="disable").execute("select 1")


@pytest.mark.parametrize(
    "mode", ["simple", "extended", pytest.param("prepared", marks=pytest.mark.pgweir_only)]
)
def test_tls_on_both_sides_under_load(start_pooler, tls_postgres, certificate, tmp_path, mode):
    script = tmp_path / "load.sql"
    script.write_text("select 1;\nbegin;\nselect repeat('x', 30000);\nend;\n")
    pooler = start_pooler(
        {**client_settings(certificate), "server_tls_sslmode": "require"}, before=tls_postgres
    )
    # In prepared mode a thread of pgbench waits for one client at a time: a thread for each.
    threads = 20 if mode == "prepared" else 2
    done = run(
        "pgbench",
        pooler,
        "-n",
        "-c",
        20,
        "-j",
        threads,
        "-t",
        100,
        "-M",
        mode,
        "-f",
        script,
        PGSSLMODE="require",
    )
    assert "actually processed: 2000/2000" in succeed(done)
    with psycopg.connect(pooler.uri(), sslmode="require") as connection:
        assert connection.execute(SERVER_USES_TLS).fetchone() == (True,)


def test_bytes_sent_behind_the_tls_request_are_refused(start_pooler, certificate):
    pooler = start_pooler(client_settings(certificate, "allow"))
    with Client(pooler.port, timeout=5) as client:
        client.send(untagged(struct.pack("!I", SSL_REQUEST)), startup("app", "app"))
        try:
            answer = client.socket.recv(1000)
        except ConnectionResetError:
            answer = b""
        assert b"R\0\0\0" not in answer
        if KIND == "pgweir" and answer[:1] == b"E":
            assert b"unencrypted data" in answer
