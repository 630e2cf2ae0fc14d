"""Files: holds exclude others, with locks of the system and without; tables are read as they were written."""

import csv
import errno
import json
import os
import re
import subprocess
import threading
from pathlib import Path

import pytest

from cyclecolor.files import Busy, csv_bytes, hold_file, hold_folder, json_bytes, locks, names, quoted, shown


@pytest.fixture(params=["posix", "elsewhere"])
def system(request, monkeypatch):
    """Each test by the system's own locks, and as where it has none."""
    if request.param == "elsewhere":
        monkeypatch.setattr(locks, "fcntl", None)


def told(path: Path, note: str) -> str:
    """What another process is told that tries to hold a file; `held` if it can."""
    ours, theirs = os.pipe()
    if child := os.fork():
        os.close(theirs)
        with open(ours, encoding="utf-8") as answer:
            said = answer.read()
        os.waitpid(child, 0)
        return said
    try:
        hold_file(path, note)
        os.write(theirs, b"held")
    except Busy as busy:
        os.write(theirs, str(busy).encode())
    finally:
        os._exit(0)


@pytest.mark.parametrize(
    ("note", "start"),
    [("process 7 on pc\n", "process 7 on pc"), ("n" * 300, "n" * 200), ("x" + "é" * 150, "xé")],
)
def test_who_comes_second_is_told_by_whom_a_file_is_held(system, tmp_path, note, start):
    path = tmp_path / "run.lock"
    path.write_text("an older note, and a longer one" * 20)
    release = hold_file(path, note)
    said = told(path, "another")
    assert said.startswith(start)
    assert len(said) == min(len(said), 200) == len(said.strip())
    assert path.read_text(encoding="utf-8") == note
    release()
    assert told(path, "another") == "held"
    assert path.read_text() == "another"


@pytest.mark.skipif(locks.fcntl is None, reason="locks of POSIX")
def test_a_file_system_without_locks_holds_nobody_up(tmp_path, monkeypatch):
    def without_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "lockf", without_locks)
    hold_file(tmp_path / "run.lock", "a note")()
    assert (tmp_path / "run.lock").read_text() == "a note"


def test_another_thread_may_end_a_hold(system, tmp_path):
    release = hold_file(tmp_path / "run.lock", "")
    thread = threading.Thread(target=release)
    thread.start()
    thread.join()
    assert told(tmp_path / "run.lock", "another") == "held"


def test_a_note_that_is_no_text_is_shown_as_far_as_it_is(system, tmp_path):
    release = hold_file(tmp_path / "run.lock", "")
    if not (child := os.fork()):  # to close it in this process would end the hold
        try:
            (tmp_path / "run.lock").write_bytes(b"process \xff7 on pc")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert told(tmp_path / "run.lock", "another") == "process \N{REPLACEMENT CHARACTER}7 on pc"
    release()


def test_a_folder_is_held_by_one_or_in_parts(system, tmp_path):
    def refused(part: str | None) -> None:
        with pytest.raises(Busy, match=re.escape(str(tmp_path / part if part else tmp_path))):
            hold_folder(tmp_path, part)

    release = hold_folder(tmp_path)
    refused(None)
    with pytest.raises(Busy):
        hold_folder(tmp_path, "a")
    release()
    parts = [hold_folder(tmp_path, part) for part in ("a", "b")]
    for part in (None, "a", "b"):
        refused(part)
    for release in parts:
        release()
    hold_folder(tmp_path)()  # what was refused holds nothing


def test_files_of_holds_are_no_programs(tmp_path):
    hold_file(tmp_path / "run.lock", "")()
    hold_folder(tmp_path, "a")()
    assert not any((tmp_path / name).stat().st_mode & 0o111 for name in ("run.lock", "a"))


def test_where_a_file_system_has_no_locks_folders_are_not_refused(tmp_path, monkeypatch):
    def flock(descriptor, kind):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    for _ in range(2):
        hold_folder(tmp_path, "a")


def test_names_in_messages_are_one_line_of_text(tmp_path):
    assert shown(tmp_path / "Fußball, 1924.tif") == str(tmp_path / "Fußball, 1924.tif")
    assert shown("two\nlines\udcff") == "two\\nlines\\udcff"


def test_words_of_commands_are_quoted_for_the_users_shell(monkeypatch):
    word = "it's a $PATH photo.jpg"
    there = subprocess.run(["sh", "-c", f"printf %s {quoted(Path(word))}"], capture_output=True, check=True)
    assert there.stdout.decode() == word
    with monkeypatch.context() as windows:
        windows.setattr(names.os, "name", "nt")
        there = quoted(word)
    assert there == f'"{word}"'


def test_tables_and_records_are_read_again_as_they_were():
    rows = [["file", "reason"], ["a, b.jpg", 'not "a" photo'], ["\udcff.jpg", "2"]]
    content = csv_bytes(rows)
    assert b"\r" not in content
    text = content.decode("utf-8", "surrogateescape")
    assert list(csv.reader(text.splitlines())) == rows
    record = {"name": "\udcff", "scores": [0.5, None]}
    assert json.loads(json_bytes(record)) == record
    assert json_bytes({"a": 1}) == b'{\n  "a": 1\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        json_bytes({"a": float("nan")})
