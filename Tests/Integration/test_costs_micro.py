"""What small parts of the data path cost, counted by callgrind: Benchmarks/Micro does each of them
often, and Benchmarks/limits.py says what one may cost at most."""

from dataclasses import asdict

import pytest
from support.costs import counts, limits, require

pytestmark = pytest.mark.pgweir_only


@pytest.fixture(scope="module")
def operations(tmp_path_factory):
    """What all operations cost, counted in one run."""
    require(counts.MICRO)
    return counts.count_operations(counts.operation_names(), tmp_path_factory.mktemp("micro"))


def test_every_operation_has_a_limit(operations):
    assert sorted(operations) == sorted([*limits.OPERATIONS, *limits.CONTROLS])


@pytest.mark.parametrize("name", limits.CONTROLS)
def test_what_is_known_to_allocate_or_retain_is_counted(operations, name):
    cost = asdict(operations[name].cost)
    assert {kind: round(cost[kind], 2) for kind in limits.CONTROLS[name]} == limits.CONTROLS[name]


@pytest.mark.parametrize("name", limits.OPERATIONS)
def test_an_operation_costs_no_more_than_it_may(operations, name):
    limits.check(name, operations[name], limits.OPERATIONS[name], limits.SLACK)
