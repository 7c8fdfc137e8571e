"""The admin console, as PgBouncer's operators and tools know it."""

import signal
import threading
import time

import pytest
from support.pooler import KIND
from support.processes import wait_until
from support.programs import psql, run, succeed
from support.wire import query, values

pytestmark = pytest.mark.pooler_only
NAMES = ["pgbouncer", pytest.param("pgweir", marks=pytest.mark.pgweir_only)]

SOCKET = (
    "type user database replication state addr port local_addr local_port connect_time"
    " request_time wait wait_us close_needed ptr link remote_pid tls application_name"
    " prepared_statements id"
).split()
COUNTS = "server_assignment_count xact_count query_count".split()
TIMES = "xact_time query_time wait_time client_parse_count server_parse_count bind_count".split()
COLUMNS = {
    "pools": "database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req"
    " sv_active sv_active_cancel sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait"
    " maxwait_us pool_mode load_balance_hosts".split(),
    "clients": SOCKET,
    "servers": SOCKET,
    "databases": "name host port database force_user pool_size min_pool_size reserve_pool_size"
    " server_lifetime pool_mode load_balance_hosts max_connections current_connections"
    " max_client_connections current_client_connections paused disabled".split(),
    "stats": [
        "database",
        *("total_" + it for it in [*COUNTS, "received", "sent", *TIMES, "client_login_count"]),
        *("avg_" + it for it in [*COUNTS, "recv", "sent", *TIMES, "client_login_count"]),
    ],
    "lists": ["list", "items"],
    "config": ["key", "value", "default", "changeable"],
    "version": ["version"],
}


def console(pooler, command, dbname="pgbouncer", user="admin", **more):
    return run(
        "psql",
        pooler,
        "-X",
        "-A",
        "-F",
        "\t",
        "-P",
        "footer=off",
        "-c",
        command,
        dbname=dbname,
        user=user,
        **{"timeout": 10, **more},
    )


def show(pooler, what, **more):
    """SHOW's rows as dictionaries."""
    lines = succeed(console(pooler, f"SHOW {what}", **more)).splitlines()
    names = lines[0].split("\t")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:]]


@pytest.mark.parametrize("dbname", NAMES)
@pytest.mark.parametrize("what", COLUMNS)
def test_show_has_pgbouncers_columns(pooler, connect, what, dbname):
    connect(pooler.port).ask("select 1")
    rows = show(pooler, what, dbname=dbname)
    assert rows
    if KIND == "pgweir":
        # Columns of our own may follow PgBouncer's.
        assert list(rows[0])[: len(COLUMNS[what])] == COLUMNS[what]


def test_show_counts_what_there_is(pooler, connect):
    idle, busy = connect(pooler.port), connect(pooler.port)
    idle.ask("select 1")
    busy.ask("begin")
    pool = next(row for row in show(pooler, "POOLS") if row["database"] == "app")
    assert pool["user"] == "app" and pool["pool_mode"] == "transaction"
    assert int(pool["sv_active"]) == 1
    clients = [row for row in show(pooler, "clients;") if row["database"] == "app"]
    assert len(clients) == 2
    before = int(
        next(row for row in show(pooler, "stats") if row["database"] == "app")["total_query_count"]
    )
    for _ in range(5):
        busy.ask("select 1")
    busy.ask("commit")
    pooler.wait_for_release()
    stats = next(row for row in show(pooler, "stats") if row["database"] == "app")
    assert int(stats["total_query_count"]) >= before + 5
    assert int(stats["total_received"]) >= 5 * len(query("select 1"))
    assert int(stats["total_sent"]) >= 5 * len(query("select 1"))


def test_show_config_hides_no_key_and_tells_no_secret(pooler):
    done = console(pooler, "SHOW CONFIG")
    keys = {line.split("\t")[0] for line in succeed(done).splitlines()}
    assert {"default_pool_size", "max_client_conn", "pool_mode", "listen_port"} <= keys
    assert "secret" not in done.stdout


def test_a_nonsense_command_is_an_error_and_the_console_goes_on(pooler):
    done = psql(pooler, dbname="pgbouncer", user="admin", text="FROBNICATE;\nSHOW VERSION;\n")
    assert "ERROR" in done.stderr and done.stdout.strip()


def test_who_is_no_admin_is_kept_out(pooler):
    done = console(pooler, "SHOW POOLS", user="app")
    assert done.returncode != 0 and "not allowed" in done.stderr


def test_a_stats_user_may_look_but_not_touch(pooler):
    assert show(pooler, "pools", user="other")
    done = console(pooler, "PAUSE", user="other")
    assert "admin access needed" in done.stderr


def test_pause_holds_queries_and_resume_lets_them_go(pooler, postgres, connect):
    client = connect(pooler.port)
    client.ask("select 1")
    assert "PAUSE" in succeed(console(pooler, "PAUSE"))
    try:
        assert postgres.server_count("app") == 0
        client.send(query("select 'held'"))
        client.socket.settimeout(0.7)
        with pytest.raises(TimeoutError):
            client.message()
    finally:
        assert "RESUME" in succeed(console(pooler, "RESUME"))
    client.socket.settimeout(10)
    assert values(client.until_ready()) == [(b"held",)]


def test_pause_waits_for_transactions_to_end(pooler, connect):
    client = connect(pooler.port)
    client.ask("begin")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(console(pooler, "PAUSE app")))
    thread.start()
    time.sleep(0.5)
    assert answers == []
    client.ask("commit")
    thread.join(timeout=10)
    succeed(console(pooler, "RESUME app"))
    assert "PAUSE" in succeed(answers[0])
    assert values(client.ask("select 1")) == [(b"1",)]


def setting(pooler, key):
    return next(row["value"] for row in show(pooler, "config") if row["key"] == key)


@pytest.mark.parametrize("how", ["RELOAD", "SIGHUP"])
def test_reload_takes_the_new_configuration_and_keeps_the_clients(start_pooler, connect, how):
    pooler = start_pooler()
    client = connect(pooler.port)
    client.ask("begin")
    pooler.sections["pgweir"]["default_pool_size"] = 13
    pooler.write()
    if how == "RELOAD":
        assert "RELOAD" in succeed(console(pooler, "RELOAD"))
    else:
        pooler.signal(signal.SIGHUP)
    wait_until(lambda: setting(pooler, "default_pool_size") == "13", 5, what="the new value")
    assert values(client.ask("select 1")) == [(b"1",)]
    client.ask("commit")


def test_reload_of_a_broken_file_keeps_the_old_configuration(start_pooler, connect):
    pooler = start_pooler()
    good = pooler.write().read_text()
    pooler.write().write_text(good + "\nno_such_key_at_all = [[[\n")
    console(pooler, "RELOAD")
    assert pooler.is_running()
    assert setting(pooler, "default_pool_size") == "5"
    assert values(connect(pooler.port).ask("select 1")) == [(b"1",)]


def test_shutdown_ends_the_process(start_pooler, connect):
    pooler = start_pooler()
    connect(pooler.port).ask("select 1")
    console(pooler, "SHUTDOWN")
    assert pooler.process.wait(timeout=5) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_ends_a_pooler_without_clients(start_pooler, number):
    pooler = start_pooler()
    succeed(psql(pooler, "-c", "select 1"))
    time.sleep(0.1)
    pooler.signal(number)
    code = pooler.process.wait(timeout=5)
    assert code == 0 or KIND == "pgbouncer"


@pytest.mark.pgweir_only
def test_sigterm_lets_clients_finish(start_pooler, connect):
    pooler = start_pooler()
    client = connect(pooler.port)
    client.ask("begin")
    pooler.signal(signal.SIGTERM)
    time.sleep(0.5)
    assert pooler.is_running()
    assert values(client.ask("select 1")) == [(b"1",)]
    client.ask("commit")
    client.abandon()
    assert pooler.process.wait(timeout=5) == 0
