"""pgbench in all its modes, twenty clients over five servers."""

import re

import pytest
from support.programs import run, succeed

CLIENTS, TRANSACTIONS = 20, 200
ONE = "select 1;\n"
MODES = [
    "simple",
    pytest.param("extended"),
    pytest.param("prepared", marks=pytest.mark.pgweir_or_direct),
]


@pytest.fixture(scope="module")
def tables(postgres):
    """pgbench's own tables, made past the pooler."""
    succeed(run("pgbench", postgres, "-i", "-q", "-s", "2"))


def check(pooler, *arguments, transactions=TRANSACTIONS, threads=2):
    done = run(
        "pgbench", pooler, "-n", "-c", CLIENTS, "-j", threads, "-t", transactions, *arguments
    )
    output = succeed(done)
    wanted = CLIENTS * transactions
    assert f"actually processed: {wanted}/{wanted}" in output, output + done.stderr
    failed = re.search(r"number of failed transactions: (\d+)", output)
    assert failed is None or failed[1] == "0", output
    return output


@pytest.mark.parametrize("mode", MODES)
def test_select_one(pooler, tmp_path, mode):
    script = tmp_path / "one.sql"
    script.write_text(ONE)
    check(pooler, "-M", mode, "-f", script)


@pytest.mark.parametrize("mode", MODES)
def test_tpc_b(pooler, postgres, tables, mode):
    before = postgres.value("select count(*) from pgbench_history")
    # pgbench waits while it prepares a statement: it would wait for a server that another client
    # of the same thread holds, and never let that one go on. So each client has its own thread.
    check(pooler, "-M", mode, threads=CLIENTS if mode == "prepared" else 2)
    after = postgres.value("select count(*) from pgbench_history")
    assert after - before == CLIENTS * TRANSACTIONS
    assert postgres.value("select sum(bbalance) from pgbench_branches") == postgres.value(
        "select sum(delta) from pgbench_history"
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_connection_for_every_transaction(pooler, tmp_path, mode):
    script = tmp_path / "one.sql"
    script.write_text(ONE)
    check(pooler, "-C", "-M", mode, "-f", script, transactions=10)


@pytest.mark.pgweir_or_direct
def test_pipelines(pooler, tmp_path):
    script = tmp_path / "pipeline.sql"
    script.write_text("\\startpipeline\n" + ONE * 10 + "\\endpipeline\n")
    for mode in ("extended", "prepared"):
        check(pooler, "-M", mode, "-f", script, transactions=50)
