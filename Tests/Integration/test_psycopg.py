"""psycopg 3: prepared statements, pipelines, server-side cursors, COPY."""

import threading

import psycopg
import pytest

SETTINGS = {"default_pool_size": 2}


def connect(pooler, **more):
    return psycopg.connect(pooler.uri(), connect_timeout=10, **more)


@pytest.mark.pgweir_or_direct
def test_statements_are_prepared_at_first_use(pooler):
    with connect(pooler, prepare_threshold=1, autocommit=True) as connection:
        for n in range(50):
            assert connection.execute("select %s::int + 1", (n,)).fetchone() == (n + 1,)


@pytest.mark.pgweir_or_direct
def test_many_threads_prepare_the_same_and_other_statements(pooler):
    failures = []

    def work(number):
        try:
            with connect(pooler, prepare_threshold=0, autocommit=True) as connection:
                for n in range(40):
                    row = connection.execute(
                        f"select %s::text, {number if n % 2 else 0}", (f"{number}-{n}",)
                    ).fetchone()
                    assert row == (f"{number}-{n}", number if n % 2 else 0)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.pgweir_or_direct
def test_more_statements_than_the_cache_holds(pooler):
    with connect(pooler, prepare_threshold=0, autocommit=True) as connection:
        connection.prepared_max = 50
        for turn in range(3):
            for n in range(120):
                assert connection.execute(f"select %s::int + {n}", (turn,)).fetchone() == (
                    turn + n,
                )


def test_pipeline_mode(pooler):
    with connect(pooler, autocommit=True, prepare_threshold=None) as connection:
        with connection.pipeline():
            cursors = [connection.execute("select %s::int", (n,)) for n in range(100)]
        assert [cursor.fetchone()[0] for cursor in cursors] == list(range(100))


@pytest.mark.pgweir_or_direct
def test_pipeline_mode_with_prepared_statements(pooler):
    with connect(pooler, autocommit=True, prepare_threshold=0) as connection:
        for _ in range(3):
            with connection.pipeline() as pipeline:
                cursors = []
                for n in range(30):
                    cursors.append(connection.execute("select %s::int", (n,)))
                    if n % 10 == 9:
                        pipeline.sync()
            assert [cursor.fetchone()[0] for cursor in cursors] == list(range(30))


def test_an_error_in_a_pipeline_spares_what_follows_the_sync(pooler):
    with connect(pooler, autocommit=True, prepare_threshold=None) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            with connection.pipeline():
                connection.execute("select 1/%s::int", (0,))
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_server_cursor_in_a_transaction(pooler):
    with connect(pooler) as connection:
        with connection.cursor("reader") as cursor:
            cursor.itersize = 100
            cursor.execute("select generate_series(1, 1000)")
            assert [row[0] for row in cursor] == list(range(1, 1001))


def test_copy_in_and_out(pooler, postgres):
    postgres.sql(
        "drop table if exists psycopg_copy; create table psycopg_copy (n int, t text);"
        " alter table psycopg_copy owner to app"
    )
    with connect(pooler) as connection:
        with connection.cursor().copy("copy psycopg_copy from stdin") as copy:
            for n in range(5000):
                copy.write_row((n, f"text {n}"))
        with connection.cursor().copy("copy psycopg_copy (n) to stdout") as copy:
            assert sum(int(row[0]) for row in copy.rows()) == sum(range(5000))


def test_binary_values_come_back_as_sent(pooler):
    data = bytes(range(256)) * 1000
    with connect(pooler, prepare_threshold=None) as connection:
        with connection.cursor(binary=True) as cursor:
            assert cursor.execute("select %b::bytea", (data,)).fetchone() == (data,)


def test_a_transaction_rolls_back_on_error_and_the_connection_goes_on(pooler):
    with connect(pooler, prepare_threshold=None) as connection:
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("select * from no_such_table")
        connection.rollback()
        with connection.transaction():
            with pytest.raises(psycopg.errors.DivisionByZero):
                with connection.transaction():
                    connection.execute("select 1/0")
            assert connection.execute("select 2").fetchone() == (2,)
