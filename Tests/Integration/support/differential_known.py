"""Differences that are known, and what random scripts have found that is mended.

Random scripts leave out what is known; a test for each passes as long as it is there. Once one is
mended its test says so: take it out of KNOWN, and what leaves it out where it is named.
"""

from .differential import script, turn

SYNC = ("S",)

KNOWN = {
    # Author.parameterised
    "EXECUTE does not find a statement that names statements itself": script(
        turn(0, ("P", "deallocate b", "a"), SYNC),
        turn(0, ("Q", "prepare b as select 1"), ("Q", "execute a")),
    ),
    # Difference.is_known
    "Describe of an EXECUTE that was parsed before what it names": script(
        turn(0, ("P", "execute a", "d"), SYNC),
        turn(0, ("P", "select 1", "a"), SYNC),
        turn(0, ("D", "S", "d"), SYNC),
    ),
    # Difference.is_known
    "Describe of an EXECUTE behind the Close of what it names": script(
        turn(0, ("P", "select 1", "a"), ("P", "execute a", "d"), SYNC),
        turn(0, ("C", "S", "a"), SYNC),
        turn(0, ("D", "S", "d"), SYNC),
    ),
    # Author.own
    "Of two names with the same text, an error tells the wrong one": script(
        turn(0, ("P", "select $1::int", "a"), ("P", "select $1::int", "b"), SYNC),
        turn(0, ("B", [], "a"), SYNC),
        turn(0, ("B", [], "b"), SYNC),
    ),
    # Difference.is_known
    "Describe of a named statement in a failed transaction, on another server": script(
        turn(0, ("P", "set work_mem = '2MB'", "a"), SYNC),
        turn(1, ("Q", "discard all")),
        turn(0, ("Q", "begin"), ("Q", "selec")),
        turn(0, ("D", "S", "a"), SYNC),
    ),
    # Difference.is_known
    "BEGIN ISOLATION LEVEL behind what made us parse a statement in the same batch": script(
        turn(0, ("P", "select 1 /* c */", "c"), SYNC),
        turn(1, ("Q", "discard all")),
        turn(
            0,
            *[("P", "execute c /* d */", "d"), ("D", "S", "d")],
            *[("P", "begin isolation level serializable"), ("B", []), ("E",), SYNC],
        ),
    ),
    # Difference.is_known
    "BEGIN ISOLATION LEVEL behind a Parse, in the same batch, of what the server has": script(
        turn(1, ("P", "select 1 /* a */", "a"), SYNC),
        turn(0, ("P", "select 1 /* a */", "a"), ("Q", "begin isolation level serializable")),
    ),
    # Difference.is_known
    "Where an error stands in a statement that an EXECUTE names": script(
        turn(0, ("P", "select count(*) from items_0_0", "b"), SYNC),
        turn(0, ("Q", "set search_path to pg_catalog")),
        turn(0, ("Q", "execute b; select 1")),
    ),
    # Difference.is_known
    "EXECUTE of what cannot be parsed any more, on another server": script(
        turn(0, ("P", "select count(*) from items_0_0", "c"), SYNC),
        turn(1, ("Q", "discard all")),
        turn(0, ("Q", "set search_path = ''")),
        turn(0, ("Q", "execute c")),
    ),
    # differential_statements.setting: these are not shown.
    "SHOW of a dotted name that another client has used": script(
        turn(0, ("Q", "set my.a = 'x'"), ("Q", "reset my.a")),
        turn(1, ("Q", "show my.a")),
    ),
}

MENDED = {
    "A statement that fails in an open batch, behind it an EXECUTE in a Query": script(
        turn(0, ("P", "select $1::int /* c */", "c"), SYNC),
        turn(1, ("Q", "discard all")),
        turn(0, ("D", "P", "d"), ("F", 177, [b"\0\0\0\2", b"\0\0\0\3"]), ("Q", "execute c(2)")),
    ),
    "An unnamed statement goes again in a batch that fails, and is used by the next": script(
        turn(0, ("P", "select 'mine'"), SYNC),
        turn(1, ("P", "select 'theirs'"), SYNC),
        turn(0, ("D", "P", "d"), ("B", []), ("E",), SYNC, ("B", []), ("E",), SYNC),
    ),
    "A named statement goes again in a batch that fails, and is used by the next": script(
        turn(0, ("P", "select 'mine'", "a"), SYNC),
        turn(1, ("Q", "discard all")),
        turn(0, ("D", "P", "d"), ("B", [], "a"), ("E",), SYNC, ("B", [], "a"), ("E",), SYNC),
    ),
    "A Bind that fails leaves the unnamed statement, for a failed transaction too": script(
        turn(0, ("Q", "begin")),
        turn(0, ("P", "select $1::text"), ("B", []), SYNC, ("B", []), SYNC),
    ),
    "A text that executes a statement, deallocates all and prepares the same again": script(
        turn(0, ("Q", "prepare y(int) as select -$1")),
        turn(0, ("Q", "execute y(1); deallocate all; prepare y(int) as select -$1; execute y(5)")),
    ),
    "A statement that is parsed again in a batch that fails is there as it was": script(
        turn(1, ("P", "select 1", "d"), SYNC),
        turn(0, ("E",), SYNC, ("E",), ("P", "select 1", "d"), SYNC),
        turn(1, ("B", [], "d"), SYNC),
    ),
    "Where a notice stands in a text that names a statement": script(
        turn(0, ("Q", "set standard_conforming_strings = off"), ("Q", "prepare b as select 1")),
        turn(0, ("Q", "deallocate prepare b; select 'a\\\\b'; select 1")),
    ),
}
