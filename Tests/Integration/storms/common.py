"""What the drivers of storm.py share."""

import re

GONE = {"57P01", "57P02", "57P03", "08000", "08001", "08003", "08006"}
"""SQLSTATEs of a connection that is lost; no other end of a connection is allowed."""
PARAMETER = re.compile(r"\$(\d)")
CURSOR = "select n, current_setting('app.token') from storm_numbers where n <= {} order by n"


class Death(Exception):
    """The connection is gone."""


class Refused(Exception):
    """A statement failed with `code`."""

    def __init__(self, code, words):
        super().__init__(f"{code}: {words}")
        self.code = code


def percent(sql):
    return PARAMETER.sub("%s", sql)


def judge(error, is_closed):
    """Raises what the error of a driver is."""
    code = getattr(error, "sqlstate", None)
    # psycopg says so of a socket before it closes its connection.
    is_closed = is_closed or "socket closed" in str(error)
    if code in GONE or (code is None and is_closed):
        raise Death(str(error)) from error
    if code is None:
        raise error
    raise Refused(code, str(error)) from error


def copied(cursor, rows):
    """COPY in and out with psycopg's cursor."""
    with cursor.copy("copy storm (id, token) from stdin") as copy:
        for row in rows:
            copy.write_row(row)
    between = f"{rows[0][0]} and {rows[-1][0]}"
    with cursor.copy(
        f"copy (select id from storm where id between {between} order by id) to stdout"
    ) as copy:
        return [int(row[0]) for row in copy.rows()]
