"""Django's ORM, with its connection settings as they come."""

import subprocess
import sys
import textwrap

import pytest
from support.postgres import PASSWORDS

PROGRAM = textwrap.dedent("""
    import sys
    import django
    from django.conf import settings
    settings.configure(DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql", "NAME": "app", "USER": "app",
        "PASSWORD": sys.argv[2], "HOST": "127.0.0.1", "PORT": sys.argv[1],
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {"server_side_binding": sys.argv[3] == "binding"}}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField", USE_TZ=True)
    django.setup()
    from django.db import connection, models, transaction

    class Note(models.Model):
        words = models.TextField()
        at = models.DateTimeField(auto_now_add=True)
        class Meta:
            app_label = "notes"

    with connection.schema_editor() as editor:
        editor.create_model(Note)
    try:
        Note.objects.bulk_create(Note(words=f"note {n}") for n in range(500))
        for n in range(50):
            assert Note.objects.get(words=f"note {n}").words == f"note {n}"
        try:
            with transaction.atomic():
                Note.objects.all().delete()
                raise ValueError
        except ValueError:
            pass
        assert Note.objects.count() == 500
        assert len(list(Note.objects.iterator(chunk_size=100))) == 500
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(Note)
    print("done")
""")


@pytest.mark.parametrize("binding", ["plain", "binding"])
def test_django(pooler, postgres, binding):
    postgres.sql("grant create on schema public to app; drop table if exists notes_note")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(pooler.port), PASSWORDS["app"], binding],
        text=True,
        capture_output=True,
        timeout=50,
    )
    assert done.returncode == 0 and done.stdout == "done\n", done.stdout + done.stderr
