"""What queries and messages cost, counted by callgrind: Benchmarks/limits.py says how much at most.

Passing a message on allocates nothing and counts no reference.
"""

import pytest
from support.costs import Costs, limits

pytestmark = [pytest.mark.pgweir_only, pytest.mark.timeout(120)]
MODES = ("simple", "extended", "prepared")


@pytest.fixture(scope="module")
def costs():
    with Costs() as costs:
        yield costs


def test_what_a_login_allocates_and_retains_is_counted(costs):
    """Otherwise counting none elsewhere would prove nothing."""
    cost = costs.login().cost
    assert cost.allocations >= 1 and cost.retains >= 1 and cost.releases >= 1


@pytest.mark.parametrize("name", limits.MESSAGES)
def test_a_message_is_passed_on_without_allocating_or_retaining(costs, name):
    limits.check(name, costs.message(name), limits.MESSAGES[name], limits.SLACK)


@pytest.mark.parametrize("name", limits.QUERIES)
def test_a_query_costs_no_more_than_it_may(costs, name):
    limits.check(name, costs.query(name), limits.QUERIES[name], limits.QUERY_SLACK)


def test_with_a_second_worker_a_query_is_hardly_dearer(costs):
    ones = {mode: costs.query(mode).cost.instructions for mode in MODES}
    for mode, one in ones.items():
        two = costs.query(mode, workers=2).cost.instructions
        assert two <= limits.SECOND_WORKER * one, (
            f"{mode}: {two:,.0f} instructions with two workers, {one:,.0f} with one"
        )
