"""Django's ORM and its migrations, with its connection settings as they come, over two servers."""

import subprocess
import sys
import textwrap

import pytest
from support.postgres import PASSWORDS

SETTINGS = {"default_pool_size": 2}
SETUP = textwrap.dedent("""
    import sys
    import django
    from django.conf import settings
    settings.configure(DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql", "NAME": "app", "USER": "app",
        "PASSWORD": sys.argv[2], "HOST": "127.0.0.1", "PORT": sys.argv[1],
        "DISABLE_SERVER_SIDE_CURSORS": sys.argv[4] == "disabled",
        "OPTIONS": {"server_side_binding": sys.argv[3] == "binding"}}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField", USE_TZ=True,
        INSTALLED_APPS=sys.argv[5:])
    django.setup()
""")
ORM = SETUP + textwrap.dedent("""
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
        words = [f"note {n}" for n in range(500)]
        found = Note.objects.order_by("id").values_list("words", flat=True)
        assert list(found.iterator(chunk_size=100)) == words
        # Two at once, and other statements between their pages.
        pages = zip(found.iterator(chunk_size=50), found.iterator(chunk_size=70))
        for n, (one, other) in enumerate(pages):
            assert one == other == words[n]
            if n % 60 == 0:
                assert Note.objects.count() == 500
        with transaction.atomic():
            assert list(found.iterator(chunk_size=100)) == words
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(Note)
    print("done")
""")
MIGRATE = SETUP + textwrap.dedent("""
    import time
    from django.core.management import call_command
    from django.db import connection

    with connection.cursor() as cursor:
        # Who waits in pg_advisory_lock holds a snapshot, for which CREATE INDEX CONCURRENTLY waits.
        while True:
            cursor.execute("select pg_try_advisory_lock(4711)")
            if cursor.fetchone() == (True,):
                break
            time.sleep(0.05)
        try:
            call_command("migrate", verbosity=0)
        finally:
            cursor.execute("select pg_advisory_unlock(4711)")
            assert cursor.fetchone() == (True,)
    print("done")
""")
MIGRATIONS = {
    "0001_initial": """
from django.db import migrations, models

class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel("Entry", [
            ("id", models.AutoField(primary_key=True)), ("words", models.TextField())]),
    ]
""",
    "0002_fill": """
import time
from django.db import migrations

def fill(apps, editor):
    Entry = apps.get_model("journal", "Entry")
    Entry.objects.bulk_create(Entry(words=f"entry {n}") for n in range(100))
    time.sleep(0.2)

class Migration(migrations.Migration):
    dependencies = [("journal", "0001_initial")]
    operations = [migrations.RunPython(fill)]
""",
    "0003_index": """
from django.db import migrations, models
from django.contrib.postgres.operations import AddIndexConcurrently

class Migration(migrations.Migration):
    atomic = False
    dependencies = [("journal", "0002_fill")]
    operations = [
        AddIndexConcurrently("entry", models.Index(fields=["words"], name="entry_words")),
    ]
""",
}


def start(program, pooler, *arguments, **more):
    return subprocess.Popen(
        [sys.executable, "-c", program, str(pooler.port), PASSWORDS["app"], *arguments],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **more,
    )


def finish(process):
    output, complaints = process.communicate(timeout=50)
    assert process.returncode == 0 and output == "done\n", output + complaints


@pytest.mark.parametrize(
    "cursors", [pytest.param("cursors", marks=pytest.mark.pgweir_or_direct), "disabled"]
)
@pytest.mark.parametrize("binding", ["plain", "binding"])
def test_django(pooler, postgres, binding, cursors):
    postgres.sql("grant create on schema public to app; drop table if exists notes_note")
    finish(start(ORM, pooler, binding, cursors))


@pytest.mark.pgweir_or_direct
def test_five_migrations_at_once_behind_an_advisory_lock(pooler, postgres, tmp_path):
    """One of them migrates, the others find nothing to do, and no lock is left."""
    postgres.sql(
        "grant create on schema public to app;"
        " drop table if exists journal_entry, django_migrations"
    )
    folder = tmp_path / "journal/migrations"
    folder.mkdir(parents=True)
    for package in (folder, folder.parent):
        (package / "__init__.py").touch()
    for name, text in MIGRATIONS.items():
        (folder / f"{name}.py").write_text(text)
    processes = [
        start(MIGRATE, pooler, "plain", "cursors", "journal", cwd=tmp_path) for _ in range(5)
    ]
    for process in processes:
        finish(process)
    assert postgres.value("select count(*) from journal_entry") == 100
    assert postgres.value("select count(*) from django_migrations where app = 'journal'") == 3
    assert postgres.value("select count(*) from pg_locks where locktype = 'advisory'") == 0
