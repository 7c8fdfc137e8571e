"""Building the Java and Go programs of the tests, into .build, only when they have changed."""

import os
import subprocess
from pathlib import Path

from .pooler import ROOT

FOLDER = ROOT / ".build/drivers"
JAR = Path("/usr/share/java/postgresql.jar")
GO_SOURCES = Path("/usr/share/gocode")


def java(source):
    """The class path with the program in `source`."""
    assert JAR.exists(), f"{JAR} is missing: run make setup"
    classes = FOLDER / "classes"
    built = classes / f"{source.stem}.class"
    if not built.exists() or built.stat().st_mtime < source.stat().st_mtime:
        classes.mkdir(parents=True, exist_ok=True)
        run(["javac", "-cp", JAR, "-d", classes, source])
    return f"{classes}:{JAR}"


def go(folder):
    """The program made of the Go files in `folder`; Go itself knows what has changed.

    Nothing is fetched: the driver comes from Debian's packages.
    """
    assert (GO_SOURCES / "src/github.com/jackc/pgx").exists(), "pgx is missing: run make setup"
    program = FOLDER / folder.name
    environment = {
        "GO111MODULE": "off",
        "GOPATH": str(GO_SOURCES),
        "GOCACHE": str(FOLDER / "go-cache"),
        "GOFLAGS": "",
    }
    run(["go", "build", "-o", program, "."], cwd=folder, env=os.environ | environment)
    return program


def run(command, **how):
    done = subprocess.run(command, text=True, capture_output=True, **how)
    assert done.returncode == 0, done.stdout + done.stderr
