"""Django as storm.py needs it."""

import contextlib
import threading

import psycopg
import sqlalchemy
from common import copied, judge, percent


class Django:
    """Django's ORM and cursors over psycopg, with bound parameters; a connection for a thread."""

    lock = threading.Lock()

    def __init__(self, url):
        with self.lock:
            self.configure(url)

    @staticmethod
    def configure(url):
        import django
        from django.conf import settings

        if settings.configured:
            return
        parts = sqlalchemy.make_url(url)
        database = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parts.database,
            "USER": parts.username,
            "PASSWORD": parts.password,
            "HOST": parts.host,
            "PORT": parts.port,
            "OPTIONS": {"server_side_binding": True, "prepare_threshold": 1},
        }
        settings.configure(
            DATABASES={"default": database}, DEFAULT_AUTO_FIELD="django.db.models.AutoField"
        )
        django.setup()
        from django.db import models

        class Number(models.Model):
            n = models.IntegerField(primary_key=True)

            class Meta:
                app_label = "storm"
                db_table = "storm_numbers"

        Django.Number = Number

    @property
    def connection(self):
        from django.db import connection

        return connection

    @contextlib.contextmanager
    def judged(self):
        from django.db import Error

        try:
            yield
        except (Error, psycopg.Error) as error:
            inner = self.connection.connection
            judge(error.__cause__ or error, inner is None or inner.closed)

    def open(self):
        with self.judged():
            self.connection.ensure_connection()

    def close(self):
        self.connection.close()

    def rows(self, sql, values):
        with self.judged(), self.connection.cursor() as cursor:
            cursor.execute(sql, values)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def prepared(self, sql, *values):
        return self.rows(percent(sql), values)

    def simple(self, sql):
        return self.rows(sql, None)

    def begin(self):
        from django.db import transaction

        with self.judged():
            transaction.set_autocommit(False)

    def commit(self):
        from django.db import transaction

        with self.judged():
            transaction.commit()
            transaction.set_autocommit(True)

    def rollback(self):
        from django.db import transaction

        with self.judged():
            transaction.rollback()
            transaction.set_autocommit(True)

    def savepoint(self):
        from django.db import transaction

        with self.judged():
            self.nested = transaction.savepoint()

    def rollback_to_savepoint(self):
        from django.db import transaction

        with self.judged():
            transaction.savepoint_rollback(self.nested)

    def cursor(self, count):
        """Outside of a transaction the iterator's cursor is WITH HOLD."""
        from django.db.models import F, Func, Value

        token = Func(Value("app.token"), function="current_setting")
        numbers = self.Number.objects.filter(n__lte=count).order_by("n").annotate(token=token)
        with self.judged():
            return list(numbers.values_list(F("n"), "token").iterator(chunk_size=50))

    def copy(self, rows):
        with self.judged(), self.connection.cursor() as cursor:
            return copied(cursor, rows)
