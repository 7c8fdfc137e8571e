"""What PostgreSQL says of Tests/ShardingTests/Vectors/partition-hash.jsonl, line by line.

The file has keys, as text and in binary, and the remainders of PostgreSQL's hash partitioning;
the unit tests of Sharding compute the same from it. PGWEIR_WRITE_VECTORS=1 makes the file anew.
"""

import json
import os
import random
from pathlib import Path

import pytest

VECTORS = Path(__file__).resolve().parents[1] / "ShardingTests/Vectors/partition-hash.jsonl"
MODULI = (2, 3, 8, 97, 1009)

VALUES = {
    "smallint": ["0", "1", "-1", "32767", "-32768", " 42 ", "+7"],
    "integer": ["0", "1", "-1", "2147483647", "-2147483648", "\t42\n", "+7", "007"],
    "bigint": [
        *("0", "1", "-1", "42", "4294967296", "-4294967296", "2147483648", "-2147483649"),
        *("9223372036854775807", "-9223372036854775808", " -42 ", "0000000000000000000000000042"),
    ],
    "oid": ["0", "1", "26", "2147483648", "4294967295", " 42 "],
    "text": [
        *("", "x", "hello", "héllo wörld", "'", "\\", "a'b\"c", "日本語", "🐘", " x ", "\t\n"),
        *("a" * 11, "a" * 12, "a" * 13, "ab" * 12, "ab" * 12 + "c", "é" * 100),
    ],
    "varchar": ["", "x", "hello", "héllo wörld", "a" * 24, " x"],
    "uuid": [
        *("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"),
        *("{a0eebc999c0b4ef8bb6d6bb9bd380a11}", "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11"),
        *("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    ],
    "date": [
        *("2000-01-01", "1999-12-31", "2026-07-29", "2024-02-29", "0001-01-01", "9999-12-31"),
        *("1900-03-01", "2000-02-29", "2100-02-28", "infinity", "-infinity"),
    ],
    "timestamp": [
        *("2000-01-01 00:00:00", "1999-12-31 23:59:59.999999", "2026-07-29T12:30:00"),
        *("0001-01-01 00:00", "9999-12-31 23:59:59.5", "infinity", "-infinity"),
    ],
    "timestamptz": [
        *("2000-01-01 00:00:00+00", "1999-12-31 23:59:59.999999Z", "2026-07-29 12:30:00+02"),
        *("2026-07-29T12:30:00-05:30", "2026-07-29 12:30+0545", "0001-01-01 00:00:00+00"),
        *("2026-07-29 00:30:00.25+01", "infinity", "-infinity"),
    ],
    "boolean": ["true", "false", "t", "f", " YES ", "n", "on", "of", "1", "0"],
    "bytea": ["", "x", "\\x", "\\x00ff", "\\xDEADBEEF", "a\\\\b", "a\\001\\377", "\\x" + "01" * 30],
}
"""Of each type, in every notation that is read for certain."""

SEND = {
    "smallint": "int2send",
    "integer": "int4send",
    "bigint": "int8send",
    "oid": "oidsend",
    "text": "textsend",
    "varchar": "varcharsend",
    "uuid": "uuid_send",
    "date": "date_send",
    "timestamp": "timestamp_send",
    "timestamptz": "timestamptz_send",
    "boolean": "boolsend",
    "bytea": "byteasend",
}


def random_value(rng, kind):
    if kind in ("smallint", "integer", "bigint"):
        bits = {"smallint": 16, "integer": 32, "bigint": 64}[kind]
        return str(rng.randrange(-(2 ** (bits - 1)), 2 ** (bits - 1)) >> rng.randrange(bits))
    if kind == "oid":
        return str(rng.randrange(2**32))
    if kind in ("text", "varchar"):
        return "".join(rng.choices("abcXYZ 019_-äß€", k=rng.randrange(40))) + "."
    if kind == "uuid":
        return f"{rng.randrange(2**128):032x}"
    day = f"{rng.randrange(1, 10000):04}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
    time = f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
    if kind == "date":
        return day
    if kind == "timestamp":
        return f"{day} {time}.{rng.randrange(10**6):06}"
    if kind == "timestamptz":
        return f"{day} {time}.{rng.randrange(1000)}{rng.choice('+-')}{rng.randrange(16):02}:15"
    if kind == "boolean":
        return rng.choice(["true", "false"])
    return "\\x" + rng.randbytes(rng.randrange(40)).hex()


def keys():
    """(types, texts): one column of each type, then two and three, None being NULL."""
    rng = random.Random(1)
    for kind, texts in VALUES.items():
        for text in texts + [random_value(rng, kind) for _ in range(15)]:
            yield (kind,), (text,)
    for count, keys_of_count in ((2, 120), (3, 120)):
        for _ in range(keys_of_count):
            types = tuple(rng.choices(list(VALUES), k=count))
            texts = [random_value(rng, kind) for kind in types]
            if rng.random() < 0.15:
                texts[rng.randrange(count)] = None
            yield types, tuple(texts)
    yield ("bigint",), (None,)
    yield ("bigint", "text"), (None, None)
    # The vectors published elsewhere.
    yield ("bigint", "text"), ("42", "x")
    yield ("integer", "text", "date", "boolean", "bigint"), ("42", "hello", "2026-07-29", "t", "-1")


def judged(connection):
    """The lines of the file, as this PostgreSQL would have them."""
    parents = {}
    lines = []
    for types, texts in keys():
        if types not in parents:
            parents[types] = f"parent_{len(parents)}"
            columns = [f"k{index}" for index in range(len(types))]
            typed = ", ".join(f"{name} {kind}" for name, kind in zip(columns, types, strict=True))
            connection.execute(
                f"create temp table {parents[types]} ({typed}) partition by hash"
                f" ({', '.join(columns)})"
            )
        values = ", ".join(f"%s::{kind}" for kind in types)
        sends = ", ".join(f"encode({SEND[kind]}(%s::{kind}), 'hex')" for kind in types)
        binary = connection.execute(f"select {sends}", texts).fetchone()
        remainders = connection.execute(
            f"select modulus, remainder from unnest(%s::int[]) modulus,"
            f" generate_series(0, modulus - 1) remainder where"
            f" satisfies_hash_partition('{parents[types]}'::regclass, modulus, remainder,"
            f" {values}) order by 1",
            (list(MODULI), *texts),
        ).fetchall()
        assert [modulus for modulus, _ in remainders] == list(MODULI)
        line = {
            "types": types,
            "texts": texts,
            "binaries": binary,
            "remainders": [remainder for _, remainder in remainders],
        }
        lines.append(json.dumps(line, ensure_ascii=False))
    return lines


@pytest.mark.timeout(120)
def test_postgresql_agrees_with_the_vectors(postgres):
    with postgres.connect("app") as connection:
        lines = judged(connection)
    if os.environ.get("PGWEIR_WRITE_VECTORS") == "1":
        VECTORS.parent.mkdir(exist_ok=True)
        VECTORS.write_text("\n".join(lines) + "\n")
    assert len(lines) > 500
    assert VECTORS.read_text().splitlines() == lines


def test_settings_of_a_session_do_not_change_how_the_keys_are_read(postgres):
    texts = [(kind, text) for kind in VALUES for text in VALUES[kind]]
    with postgres.connect("app") as connection:
        readings = []
        for settings in (
            "set datestyle = 'iso, mdy'; set timezone = 'UTC'",
            "set datestyle = 'german, dmy'; set timezone = 'Asia/Kolkata'",
            "set datestyle = 'sql, ymd'; set intervalstyle = 'iso_8601'; set timezone = 'PST8PDT'",
        ):
            connection.execute(settings)
            readings.append(
                [
                    connection.execute(f"select {SEND[kind]}(%s::{kind})", (text,)).fetchone()
                    for kind, text in texts
                ]
            )
    assert readings[0] == readings[1] == readings[2]
