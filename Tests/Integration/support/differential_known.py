"""Differences that are known. Random scripts leave them out; a test for each passes as long as it
is there.

Once one is mended its test says so: take it out here, and what leaves it out where it is named.
"""

from .differential import script, turn

SYNC = ("S",)

KNOWN = {
    # differential_statements: PREPARE has names of its own.
    "PREPARE does not see the names that Parse has given": script(
        turn(0, ("P", "select 1", "a"), SYNC),
        turn(0, ("Q", "prepare a as select 2")),
    ),
    "Parse does not see the names that PREPARE has given": script(
        turn(0, ("Q", "prepare a as select 2")),
        turn(0, ("P", "select 1", "a"), SYNC),
    ),
    # differential_statements.ALONE
    "EXECUTE in a Parse does not find what a Parse has named": script(
        turn(0, ("P", "select 1", "a"), SYNC),
        turn(0, ("P", "execute a"), ("B", []), ("E",), SYNC),
    ),
    "DEALLOCATE in a Parse does not find what a Parse has named": script(
        turn(0, ("P", "select 1", "a"), SYNC),
        turn(0, ("P", "deallocate a"), ("B", []), ("E",), SYNC),
    ),
    # Author.own
    "Of two names with the same text, an error tells the wrong one": script(
        turn(0, ("P", "select $1::int", "a"), ("P", "select $1::int", "b"), SYNC),
        turn(0, ("B", [], "a"), SYNC),
        turn(0, ("B", [], "b"), SYNC),
    ),
    "An error of a query behind a Parse that fails tells our name": script(
        turn(0, ("P", "select 'x'::int", "a"), SYNC, ("Q", "execute a")),
    ),
    "DEALLOCATE ALL and DEALLOCATE in one query: the error tells our name": script(
        turn(0, ("P", "select 1", "a"), SYNC),
        turn(0, ("Q", "deallocate all; deallocate a")),
    ),
    # Author.copy_in
    "A Sync behind bad data of a copy": script(
        turn(0, ("P", "copy items_0_0 from stdin"), ("B", []), ("E",), ("d", "bad\n"), SYNC),
    ),
    "A Query that names a statement, in a batch that has failed": script(
        turn(0, ("P", "select 1", "b"), SYNC),
        turn(1, ("Q", "discard all")),
        turn(0, ("P", "selec"), ("Q", "execute b"), SYNC),
    ),
    # Author.turn
    "A Parse without a name is skipped: Bind finds the statement of another client": script(
        turn(1, ("P", "select 'a secret'"), SYNC),
        turn(0, ("E", "nowhere"), ("P", "select 1"), SYNC, ("B", []), ("E",), SYNC),
    ),
    # Difference.is_known
    "Describe of a named statement in a failed transaction, on another server": script(
        turn(0, ("P", "set work_mem = '2MB'", "a"), SYNC),
        turn(1, ("Q", "discard all")),
        turn(0, ("Q", "begin"), ("Q", "selec")),
        turn(0, ("D", "S", "a"), SYNC),
    ),
    # FEATURES["roles"]
    "RESET SESSION AUTHORIZATION resets the role as well": script(
        turn(0, ("Q", "set role differential")),
        turn(0, ("Q", "reset session authorization")),
        turn(1, ("Q", "select 1")),
        turn(0, ("Q", "select current_user")),
    ),
    # FEATURES["resets"], differential_statements.ALONE
    "A parameter is set, and its reset rolled back": script(
        turn(
            0,
            ("Q", "begin; set work_mem = '3MB'; savepoint a; reset work_mem"),
            ("Q", "rollback to a; commit"),
        ),
        turn(1, ("Q", "show work_mem")),
    ),
    "A role is set, and in the next query its reset fails": script(
        turn(0, ("Q", "set role differential"), ("Q", "set role none; select 1/0")),
        turn(1, ("Q", "select current_user")),
    ),
    # differential_statements.setting: these are not shown.
    "SHOW of a dotted name that another client has used": script(
        turn(0, ("Q", "set my.a = 'x'"), ("Q", "reset my.a")),
        turn(1, ("Q", "show my.a")),
    ),
    "SHOW of a dotted name that was reset, on another server": script(
        turn(0, ("Q", "set my.a = 'x'"), ("Q", "reset my.a")),
        turn(1, ("Q", "begin")),
        turn(0, ("Q", "show my.a")),
        servers=2,
    ),
}

# Differences that are seen only when a client does not rest between two turns and its messages
# are cut: differential_run.REST.
HASTY = {
    # The second turn comes while the server is asked about the first one: nobody asks about it.
    "What is left while the server is asked stays for the next client": script(
        turn(0, ("Q", "set work_mem = '3MB'")),
        turn(0, ("Q", "create temp table mine (n int)")),
        turn(1, ("Q", "drop table mine")),
    ),
    # The receive that was armed when a message was there in part is not the next worker's.
    "A server is lost when a message behind a failed copy comes in parts": script(
        turn(1, ("Q", "copy nowhere from stdin"), ("d", "1.0.3\n"), cuts=(0.774, 0.275)),
        turn(0, ("Q", "select 1")),
    ),
}
