"""psql, as people use it."""

from support.programs import psql, succeed


def test_psql_runs_a_statement(pooler):
    assert succeed(psql(pooler, "-c", "select 6 * 7")) == "42\n"


def test_psql_runs_several_statements_in_one_query(pooler):
    output = succeed(psql(pooler, "-c", "select 1; select 2; select 3"))
    assert output == "1\n2\n3\n"


def test_psql_shows_an_error_with_its_position(pooler):
    done = psql(pooler, "-c", "select no_such_column")
    assert done.returncode == 1
    assert 'ERROR:  column "no_such_column" does not exist' in done.stderr
    assert "LINE 1: select no_such_column" in done.stderr


def test_psql_goes_on_after_an_error(pooler):
    done = psql(pooler, text="select 1/0;\nselect 'after';\n")
    assert "division by zero" in done.stderr
    assert done.stdout == "after\n"


def test_psql_copies_a_hundred_thousand_rows_in_and_out(pooler, postgres, tmp_path):
    postgres.sql(
        "drop table if exists copied; create table copied (id int, words text);"
        " alter table copied owner to app"
    )
    rows = tmp_path / "rows.tsv"
    rows.write_text("".join(f"{n}\trow number {n} ä\n" for n in range(100_000)))
    back = tmp_path / "back.tsv"
    succeed(psql(pooler, "-c", f"\\copy copied from '{rows}'"))
    assert postgres.value("select count(*) from copied") == 100_000
    succeed(psql(pooler, "-c", f"\\copy (select * from copied order by id) to '{back}'"))
    assert back.read_bytes() == rows.read_bytes()


def test_psql_receives_fifty_megabytes(pooler):
    output = succeed(psql(pooler, "-c", "select repeat('x', 1000) from generate_series(1, 50000)"))
    assert len(output) == 50_000 * 1001
    assert output.strip("x\n") == ""


def test_psql_receives_a_single_row_of_twenty_megabytes(pooler):
    assert succeed(psql(pooler, "-c", "select repeat('y', 20000000)")) == "y" * 20_000_000 + "\n"


def test_psql_sends_a_statement_of_five_megabytes(pooler):
    done = psql(pooler, text=f"select length('{'z' * 5_000_000}');\n")
    assert succeed(done) == "5000000\n"


def test_psql_keeps_a_transaction_over_several_queries(pooler, postgres):
    postgres.sql(
        "drop table if exists kept; create table kept (n int); alter table kept owner to app"
    )
    succeed(
        psql(
            pooler,
            text="begin;\ninsert into kept values (1);\nrollback;\n"
            "begin;\ninsert into kept values (2);\ncommit;\n",
        )
    )
    assert postgres.sql("select n from kept") == [(2,)]


def test_psql_describes_a_table(pooler, postgres):
    postgres.sql(
        "drop table if exists described; create table described (n int primary key);"
        " alter table described owner to app"
    )
    assert succeed(psql(pooler, "-c", "\\d described")) == "n|integer||not null|\n"
