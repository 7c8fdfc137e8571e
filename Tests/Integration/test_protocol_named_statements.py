"""Named statements: the same answers through the pooler as without it."""

import pytest
from support.traces import sent
from support.wire import SYNC, bind, close, describe, execute, parse, query


@pytest.mark.pgweir_or_direct
class TestNamedStatements:
    def test_a_statement_used_over_several_syncs(self, same):
        use = (bind(["5"], name="s"), describe(), execute(), SYNC)
        same(sent(parse("select $1::int * 2", "s"), describe("S", "s"), SYNC, *use * 10, syncs=11))

    def test_an_unknown_statement(self, same):
        same(
            sent(
                bind(name="nope"),
                execute(),
                SYNC,
                describe("S", "nope"),
                SYNC,
                query("select 1"),
                syncs=3,
            )
        )

    def test_a_name_used_twice(self, same):
        same(
            sent(
                parse("select 1", "s"),
                SYNC,
                parse("select 2", "s"),
                SYNC,
                bind(name="s"),
                execute(),
                SYNC,
                syncs=3,
            )
        )

    def test_close_frees_the_name(self, same):
        same(
            sent(
                parse("select 1", "s"),
                close("S", "s"),
                parse("select 2", "s"),
                bind(name="s"),
                execute(),
                SYNC,
                close("S", "s"),
                close("S", "never"),
                SYNC,
                bind(name="s"),
                SYNC,
                syncs=3,
            )
        )

    def test_a_statement_that_does_not_parse_leaves_its_name_free(self, same):
        same(
            sent(
                parse("selec", "s"),
                SYNC,
                parse("select 1", "s"),
                bind(name="s"),
                execute(),
                SYNC,
                syncs=2,
            )
        )

    def test_a_statement_parsed_behind_an_error_does_not_exist(self, same):
        same(
            sent(
                parse("selec"),
                parse("select 1", "s"),
                SYNC,
                bind(name="s"),
                execute(),
                SYNC,
                syncs=2,
            )
        )

    def test_deallocate_all_frees_every_name(self, same):
        same(
            sent(
                parse("select 1", "s"),
                SYNC,
                query("deallocate all"),
                bind(name="s"),
                SYNC,
                parse("select 2", "s"),
                bind(name="s"),
                execute(),
                SYNC,
                syncs=4,
            )
        )

    def test_the_unnamed_statement_lives_over_syncs(self, same):
        same(
            sent(
                parse("select $1::int"),
                SYNC,
                bind(["1"]),
                execute(),
                SYNC,
                bind(["2"]),
                execute(),
                SYNC,
                syncs=3,
            )
        )
