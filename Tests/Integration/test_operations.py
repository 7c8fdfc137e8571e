"""What an operator does to a running pooler: logs, SET, PAUSE of what comes later, WAIT_CLOSE."""

import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from support.pooler import BINARY
from support.postgres import PASSWORDS
from support.processes import wait_until
from support.programs import run, succeed
from support.wire import Closed, query, values
from test_console import console, setting, show

pytestmark = pytest.mark.pgweir_only


def in_thread(work):
    """Runs `work` in a thread; returns the thread and the list that gets its result."""
    results = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()
    return thread, results


# Log


def with_log_file(start_pooler, file, **settings):
    """A pooler that logs to `file` in its own folder."""
    pooler = start_pooler(settings, sections={"log": {"file": file}})
    return pooler, pooler.folder / file


def test_log_lines_go_to_the_file(start_pooler, connect):
    pooler, log = with_log_file(start_pooler, "pgweir.log")
    connect(pooler.port).ask("select 1")
    wait_until(lambda: "logged in" in log.read_text(), 5, what="the login in the log")
    assert "logged in" not in pooler.log.read_text()


@pytest.mark.parametrize("how", ["RELOAD", "SIGHUP", "SIGHUP with a broken file"])
def test_a_log_file_that_was_renamed_is_made_again(start_pooler, connect, how):
    pooler, log = with_log_file(start_pooler, "pgweir.log")
    log.rename(pooler.folder / "pgweir.log.1")
    if how.endswith("broken file"):
        (pooler.folder / "pooler.toml").write_text("no_such_key_at_all = [[[\n")
    if how == "RELOAD":
        succeed(console(pooler, "RELOAD"))
    else:
        pooler.signal(signal.SIGHUP)
    wait_until(log.exists, 5, what="the new log file")
    connect(pooler.port).ask("select 1")
    wait_until(lambda: "logged in" in log.read_text(), 5, what="the login in the new file")
    assert "listening" in (pooler.folder / "pgweir.log.1").read_text()


def test_a_log_file_that_cannot_be_opened_stops_the_start_but_no_reload(postgres, start_pooler):
    pooler, log = with_log_file(start_pooler, "pgweir.log")
    pooler.sections["log"]["file"] = "no/such/folder/pgweir.log"
    file = pooler.write()
    done = console(pooler, "RELOAD")
    assert "RELOAD failed" in done.stderr and "No such file or directory" in done.stderr
    assert pooler.is_running() and "RELOAD" in log.read_text()
    second = subprocess.run([BINARY, file], capture_output=True, text=True, timeout=10)
    assert second.returncode != 0
    assert "the log file cannot be opened" in second.stderr and "[log]" in second.stderr


def test_log_stats_writes_a_line_each_period(start_pooler, connect):
    pooler = start_pooler({"stats_period": 1})
    client = connect(pooler.port)
    pattern = re.compile(
        r"stats: (\d+) xacts/s, (\d+) queries/s, \d+ client parses/s, \d+ server parses/s, "
        r"\d+ binds/s, \d+ client logins/s, in (\d+) B/s, out (\d+) B/s, xact \d+ us, "
        r"query \d+ us, wait \d+ us\n"
    )

    def lines():
        return pattern.findall(pooler.log.read_text())

    def is_busy():
        for _ in range(5):
            client.ask("select 1")
        return any(int(one[0]) and int(one[1]) and int(one[2]) and int(one[3]) for one in lines())

    wait_until(is_busy, 5, what="a line with figures")
    count = len(lines())
    time.sleep(2.5)
    assert count + 2 <= len(lines()) <= count + 3


def test_log_stats_off_writes_none(start_pooler):
    pooler = start_pooler({"stats_period": 0.2, "log_stats": False})
    time.sleep(1)
    assert "stats:" not in pooler.log.read_text()


# Keys that are refused


@pytest.mark.parametrize("command", [["check"], []])
@pytest.mark.parametrize(
    "section, line, key",
    [('[pgweir]\nio = "epoll"', 2, "io"), ('[http]\nlisten = "127.0.0.1:9930"', 2, "listen")],
)
def test_what_this_version_cannot_do_is_refused_by_name(tmp_path, command, section, line, key):
    file = tmp_path / "weir.toml"
    rest = '[databases."*"]\nhost = "h"\n'
    file.write_text(f"{section}\n{rest}")
    done = subprocess.run([BINARY, *command, file], capture_output=True, text=True, timeout=10)
    assert done.returncode != 0
    assert f"{file}:{line}: {key}: " in done.stderr and "leave the key out" in done.stderr


# Listening


@pytest.mark.parametrize("seconds, isSeen", [(0, True), (30, False)])
def test_tcp_defer_accept_keeps_silent_connections_away(start_pooler, seconds, isSeen):
    pooler = start_pooler({"tcp_defer_accept": seconds})
    with socket.create_connection(("127.0.0.1", pooler.port)):
        time.sleep(0.3)
        seen = [row for row in show(pooler, "clients") if row["state"] == "login"]
        assert bool(seen) == isSeen


# Databases that come from "*"


def pools(pooler):
    return {(row["database"], row["user"]) for row in show(pooler, "pools")}


def test_an_unused_pool_of_the_wildcard_is_forgotten(start_pooler, postgres, connect):
    server = {"host": "127.0.0.1", "port": postgres.port}
    pooler = start_pooler(
        {"autodb_idle_timeout": 1, "server_idle_timeout": 0.2},
        databases={"app": server, "*": server},
    )
    stays, leaves, named = (
        connect(pooler.port, database="app2"),
        connect(pooler.port, database="postgres"),
        connect(pooler.port, database="app"),
    )
    for client in (stays, leaves, named):
        client.ask("select 1")
    leaves.abandon()
    named.abandon()
    wait_until(lambda: ("postgres", "app") not in pools(pooler), 10, what="the end of the pool")
    time.sleep(1.5)
    assert pools(pooler) == {("app2", "app"), ("app", "app")}
    assert values(stays.ask("select 1")) == [(b"1",)]
    assert values(connect(pooler.port, database="postgres").ask("select 2")) == [(b"2",)]


def test_clients_come_while_pools_are_forgotten(start_pooler, postgres, connect):
    server = {"host": "127.0.0.1", "port": postgres.port}
    pooler = start_pooler(
        {
            "autodb_idle_timeout": 0,
            "server_idle_timeout": 0.05,
            "workers": 2,
            "log_connections": False,
            "log_disconnections": False,
        },
        databases={"*": server},
    )
    end = time.monotonic() + 4
    seen = set()

    def come_and_go(database):
        count = 0
        while time.monotonic() < end:
            client = connect(pooler.port, database=database)
            if values(client.ask("select current_database()")) != [(database.encode(),)]:
                return None
            client.abandon()
            count += 1
            time.sleep(0.01 * (count % 20))
        return count

    threads = [in_thread(lambda name=name: come_and_go(name)) for name in ("app", "app2") * 2]
    while time.monotonic() < end:
        seen.add(frozenset(pools(pooler)))
    for thread, results in threads:
        thread.join(timeout=20)
        assert results and results[0]
    assert len(seen) > 1
    wait_until(lambda: pools(pooler) == set(), 5, what="the end of all pools")
    # A pool that was forgotten with a client in it would keep its servers.
    wait_until(lambda: postgres.server_count("app") == 0, 5, what="the end of all servers")


# PAUSE, DISABLE


@pytest.mark.parametrize("command", ["PAUSE", "PAUSE app"])
def test_pause_holds_pools_that_come_later(start_pooler, postgres, connect, command):
    pooler = start_pooler()
    succeed(console(pooler, command))
    succeed(console(pooler, "RELOAD"))
    thread, results = in_thread(lambda: connect(pooler.port, user="other"))
    thread.join(timeout=0.7)
    assert results == [] and postgres.server_count("app") == 0
    assert [row["cl_waiting"] for row in show(pooler, "pools")] == ["1"]
    succeed(console(pooler, command.replace("PAUSE", "RESUME")))
    thread.join(timeout=5)
    assert values(results[0].ask("select 1")) == [(b"1",)]


def test_disable_holds_for_users_that_come_later(start_pooler, connect):
    pooler = start_pooler()
    client = connect(pooler.port)
    client.ask("select 1")
    succeed(console(pooler, "DISABLE app"))
    succeed(console(pooler, "RELOAD"))
    for user in ("app", "other"):
        done = console(pooler, "select 1", dbname="app", user=user)
        assert 'database "app" is disabled' in done.stderr
    assert values(client.ask("select 1")) == [(b"1",)]
    rows = {row["name"]: row["disabled"] for row in show(pooler, "databases")}
    assert rows["app"] == "1" and rows["app2"] == "0"
    succeed(console(pooler, "ENABLE app"))
    assert values(connect(pooler.port, user="other").ask("select 1")) == [(b"1",)]


def test_pause_is_done_only_when_busy_servers_of_all_users_are_gone(start_pooler, connect):
    pooler = start_pooler()
    one, two = connect(pooler.port), connect(pooler.port, user="other")
    one.ask("begin")
    two.ask("begin")
    thread, answers = in_thread(lambda: console(pooler, "PAUSE app"))
    one.ask("commit")
    thread.join(timeout=0.5)
    assert answers == []
    two.ask("commit")
    thread.join(timeout=5)
    assert "PAUSE" in succeed(answers[0])
    succeed(console(pooler, "RESUME app"))


# RECONNECT, WAIT_CLOSE


@pytest.mark.parametrize("command", ["WAIT_CLOSE", "WAIT_CLOSE app"])
def test_wait_close_waits_for_servers_from_before_reconnect(start_pooler, connect, command):
    pooler = start_pooler()
    client = connect(pooler.port)
    client.ask("begin")
    succeed(console(pooler, "RECONNECT"))
    assert [row["close_needed"] for row in show(pooler, "servers")] == ["1"]
    thread, answers = in_thread(lambda: console(pooler, command))
    thread.join(timeout=0.7)
    assert answers == []
    assert "WAIT_CLOSE" in succeed(console(pooler, "WAIT_CLOSE app2"))
    client.ask("commit")
    thread.join(timeout=5)
    assert "WAIT_CLOSE" in succeed(answers[0])
    client.ask("begin")
    assert [row["close_needed"] for row in show(pooler, "servers")] == ["0"]
    assert "WAIT_CLOSE" in succeed(console(pooler, command))


def test_wait_close_of_the_console_is_refused(pooler):
    done = console(pooler, "WAIT_CLOSE pgbouncer")
    assert "cannot wait in admin db: pgbouncer" in done.stderr


# SET


def test_set_holds_until_reload(start_pooler):
    pooler = start_pooler()
    assert succeed(console(pooler, "SET default_pool_size = 7")).strip() == "SET default_pool_size=7"
    assert setting(pooler, "default_pool_size") == "7"
    rows = {row["name"]: row for row in show(pooler, "databases")}
    assert rows["app"]["pool_size"] == "7"
    succeed(console(pooler, "RELOAD"))
    assert setting(pooler, "default_pool_size") == "5"


def test_set_holds_for_clients_that_are_there(start_pooler, connect):
    pooler = start_pooler()
    client = connect(pooler.port)
    client.ask("select 1")
    succeed(console(pooler, "SET query_timeout = '0.5'"))
    client.send(query("select pg_sleep(20)"))
    with pytest.raises(Closed):
        while True:
            message = client.message()
            assert message[0] == "E" and message[1]["M"] == "query timeout"


def test_set_verbose_and_logfile_change_the_log(start_pooler, connect):
    pooler = start_pooler()
    log = pooler.folder / "other.log"
    succeed(console(pooler, "SET verbose = 1"))
    succeed(console(pooler, f"SET logfile = '{log}'"))
    assert setting(pooler, "verbose") == "1"
    connect(pooler.port).ask("select 1")
    wait_until(lambda: "logged in" in log.read_text(), 5, what="the login in the new log")


@pytest.mark.parametrize(
    "assignment, reason",
    [
        ("listen_port = 1", "listen_port: read at the start only"),
        ("default_pool_siez = 1", "did you mean default_pool_size?"),
        ("max_client_conn = many", "max_client_conn: expected a whole number"),
        ("pool_mode = sometimes", "is not one of session, transaction, statement"),
        ("pkt_buf = 4096", "pkt_buf: ignored"),
        ("auth_file = '/nowhere'", "/nowhere does not exist"),
        ("client_tls_sslmode = require", "requires client_tls_cert_file"),
        ("logfile = '/no/such/folder/log'", "the log file cannot be opened"),
    ],
)
def test_set_says_why_it_failed(pooler, assignment, reason):
    before = show(pooler, "config")
    done = console(pooler, f"SET {assignment}")
    assert "ERROR:  SET failed" in done.stderr and reason in done.stderr
    assert show(pooler, "config") == before


def test_set_needs_an_admin(pooler):
    done = console(pooler, "SET default_pool_size = 7", user="other")
    assert "admin access needed" in done.stderr
    assert "SET ignored" in console(pooler, "SET datestyle = 'ISO'", user="other").stderr
    assert setting(pooler, "default_pool_size") == "5"


# SHOW


def columns(pooler, what):
    return succeed(console(pooler, f"SHOW {what}")).splitlines()[0].split("\t")


def test_sockets_have_pgbouncers_columns_behind_those_of_clients(pooler, connect):
    connect(pooler.port).ask("begin")
    names = columns(pooler, "clients")
    more = "recv_pos pkt_pos pkt_remain send_pos send_remain pkt_avail send_avail".split()
    assert columns(pooler, "sockets") == names + more
    assert columns(pooler, "active_sockets") == names + more
    rows = show(pooler, "sockets")
    assert {row["type"] for row in rows} == {"C", "S"}
    assert [row["type"] for row in rows] == sorted(row["type"] for row in rows)


def test_active_sockets_are_those_with_bytes_in_our_buffers(start_pooler, connect):
    pooler = start_pooler({"default_pool_size": 1})
    holder, waiter = connect(pooler.port), connect(pooler.port)
    holder.ask("begin")
    assert [row for row in show(pooler, "active_sockets") if row["database"] == "app"] == []
    message = query("select 1")
    waiter.send(message)
    time.sleep(0.3)
    (row,) = [row for row in show(pooler, "active_sockets") if row["database"] == "app"]
    assert row["state"] == "waiting" and row["pkt_avail"] == str(len(message))


def test_mem_adds_up(pooler, connect):
    connect(pooler.port).ask("select 1")
    rows = {row["name"]: row for row in show(pooler, "mem")}
    assert list(rows["client_cache"]) == ["name", "size", "used", "free", "memtotal"]
    assert int(rows["client_cache"]["used"]) >= 2 and int(rows["server_cache"]["used"]) >= 1
    for row in rows.values():
        assert (int(row["used"]) + int(row["free"])) * int(row["size"]) == int(row["memtotal"])


def test_dns_hosts_are_the_names_that_were_looked_up(start_pooler, postgres, connect):
    pooler = start_pooler(
        {"dns_max_ttl": 100}, databases={"app": {"host": "localhost", "port": postgres.port}}
    )
    assert columns(pooler, "dns_hosts") == ["hostname", "ttl", "addrs"]
    assert columns(pooler, "dns_zones") == ["zonename", "serial", "count"]
    assert show(pooler, "dns_hosts") == []
    connect(pooler.port).ask("select 1")
    (row,) = show(pooler, "dns_hosts")
    assert row["hostname"] == "localhost" and 90 <= int(row["ttl"]) <= 100
    assert "127.0.0.1" in row["addrs"].split(",")
    lists = {row["list"]: row["items"] for row in show(pooler, "lists")}
    assert lists["dns_names"] == "1"


def test_dns_max_ttl_can_be_changed(start_pooler, postgres, connect):
    pooler = start_pooler(databases={"app": {"host": "localhost", "port": postgres.port}})
    succeed(console(pooler, "SET dns_max_ttl = 1000"))
    connect(pooler.port).ask("select 1")
    assert int(show(pooler, "dns_hosts")[0]["ttl"]) > 900


def test_fds_are_refused(pooler):
    assert "admin access needed" in console(pooler, "SHOW FDS", user="other").stderr
    done = console(pooler, "SHOW FDS")
    assert "SHOW FDS is not supported" in done.stderr and "SHOW SOCKETS" in done.stderr


def test_help_names_every_command_and_each_of_them_works(pooler):
    text = console(pooler, "SHOW HELP").stderr
    assert "Console usage" in text
    lines = re.findall(r"SHOW ([A-Z_|]+)$", text, re.MULTILINE)
    named = [one for line in lines for one in line.split("|")]
    assert {"SOCKETS", "ACTIVE_SOCKETS", "MEM", "DNS_HOSTS", "DNS_ZONES", "PEER_POOLS"} <= set(named)
    assert {"SHARDS", "TENANTS"} <= set(named)
    for what in named:
        assert "ERROR" not in console(pooler, f"SHOW {what}").stderr
    for command in ("SET key = arg", "WAIT_CLOSE [<db>]", "KILL_CLIENT <client_id>"):
        assert command in text
    assert "SHOW ROUTE FOR '<statement>' [IN <db>]" in text


def test_a_replication_connection_is_told_where_to_go(pooler):
    address = f"host=127.0.0.1 port={pooler.port} user=app password={PASSWORDS['app']}"
    done = run("psql", pooler, f"{address} dbname=app replication=database", "-c", "select 1")
    assert "replication connections are not supported" in done.stderr
    assert "Connect to PostgreSQL directly" in done.stderr
