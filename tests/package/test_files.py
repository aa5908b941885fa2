"""How files are written and small ones read: whole or not at all, never over an input, never waiting."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from glcic_lite import files
from glcic_lite.files import expect_writable, read_text, write_bytes, written_beside

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has neither these signals nor named pipes")


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_mark_at_the_beginning_of_a_text_is_no_part_of_it(tmp_path):
    (tmp_path / "settings.json").write_bytes(b'\xef\xbb\xbf{"width": 1}')
    assert files.read_json(tmp_path / "settings.json") == {"width": 1}


# What killed processes leave behind

KILLED = """
import os, signal, sys
from pathlib import Path
from glcic_lite import files
files.os.fsync = lambda number: os.kill(os.getpid(), signal.SIGKILL)
files.write_bytes(Path(sys.argv[1]), b"half")
"""


@posix
def test_what_a_killed_process_left_is_gone_after_the_next_write_of_the_same_file(tmp_path):
    target = tmp_path / "r.png"
    target.write_bytes(b"old")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(target)], cwd=files.REPOSITORY, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert target.read_bytes() == b"old" and len(names(tmp_path)) == 2
    write_bytes(target, b"new")
    assert target.read_bytes() == b"new" and names(tmp_path) == ["r.png"]


@posix
def test_what_others_are_writing_now_and_files_of_other_names_are_left_alone(tmp_path):
    running = f".r.png.{os.getppid()}.partial"
    others = [running, ".r.png.partial", ".r.png.x.partial", ".r.pngs.999999999.partial", "r.png.999999999.partial"]
    for name in (*others, ".r.png.999999999.partial"):
        (tmp_path / name).touch()
    write_bytes(tmp_path / "r.png", b"new")
    assert names(tmp_path) == sorted([*others, "r.png"])


def test_a_left_over_folder_is_deleted_too_and_a_link_is_not_followed(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/photo.png").write_bytes(b"precious")
    (tmp_path / ".w.999999998.partial").mkdir()
    os.symlink(tmp_path / "precious", tmp_path / ".w.999999999.partial")
    os.symlink(tmp_path / "precious/photo.png", tmp_path / f".w.{os.getpid()}.partial")
    write_bytes(tmp_path / "w", b"new")
    assert names(tmp_path) == ["precious", "w"]
    assert (tmp_path / "precious/photo.png").read_bytes() == b"precious"


def test_a_folder_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), written_beside(tmp_path / "weights") as partial:
        partial.mkdir()
        (partial / "half").touch()
        raise ZeroDivisionError
    assert names(tmp_path) == []


def _write_often(path: Path, letter: bytes) -> None:
    for _ in range(40):
        write_bytes(path, letter * 1000)


def test_two_processes_and_two_threads_may_write_the_same_file(tmp_path):
    context = multiprocessing.get_context("spawn" if os.name == "nt" else "fork")
    writers = [context.Process(target=_write_often, args=(tmp_path / "r.png", letter)) for letter in (b"a", b"b")]
    writers += [threading.Thread(target=_write_often, args=(tmp_path / "r.png", letter)) for letter in (b"c", b"d")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers[:2]] == [0, 0]
    assert names(tmp_path) == ["r.png"] and len(set((tmp_path / "r.png").read_bytes())) == 1


# What cannot be written


@posix
@pytest.mark.parametrize("before", [None, b"old"])
def test_a_disk_without_room_names_the_file_and_leaves_no_half_of_it(tmp_path, before):
    """A real limit on the size of files stands in for the disk's end."""
    target = tmp_path / "r.png"
    if before:
        target.write_bytes(before)
    call = "import resource, sys; from pathlib import Path; from glcic_lite.files import write_bytes\n"
    call += "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
    call += "try: write_bytes(Path(sys.argv[1]), bytes(9999))\nexcept OSError as error: print(error)"
    told = subprocess.run(
        [sys.executable, "-c", call, str(target)], cwd=files.REPOSITORY, capture_output=True, text=True, timeout=60
    )
    assert told.stdout == f"[Errno {errno.EFBIG}] File too large: '{target}'\n", told.stderr
    assert (target.read_bytes() if before else None) == before and names(tmp_path) == ["r.png"] * bool(before)


@pytest.mark.parametrize(
    "pair", [("r.png", "R.png"), ("Ä.png", "ä.png"), ("a/r.png", "A/r.png"), ("é.png", "e\u0301.png")]
)
def test_two_results_that_are_one_file_where_case_does_not_count_are_refused(tmp_path, monkeypatch, pair):
    targets = [tmp_path / name for name in pair]
    expect_writable(targets)  # on this file system they are two
    monkeypatch.setattr(files, "_ignores_case", lambda folder: True)
    with pytest.raises(FileExistsError, match=f"{pair[1]}: would replace .*{pair[0]}"):
        expect_writable(targets)
    assert names(tmp_path) == []


def test_whether_case_counts_is_found_out_by_trying(tmp_path):
    (tmp_path / "a").touch()
    assert files._ignores_case(tmp_path) is (tmp_path / "A").exists()
    assert names(tmp_path) == ["a"]


@posix
@pytest.mark.parametrize("name", ["x" * 256, "/".join(["x" * 200] * 25), "ä" * 130, "folder", "pipe"])
def test_names_that_no_file_can_have_are_refused(tmp_path, name):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=name[:100]):
        expect_writable([tmp_path / name])


# What is read


@posix
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "large", "loop"])
def test_a_small_text_is_read_only_from_a_small_regular_file(tmp_path, kind):
    path = tmp_path / "settings.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "large":
        with open(path, "wb") as file:
            file.truncate(2**40)  # a hole: it takes no room on the disk
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path)
    with pytest.raises(OSError, match="settings.json.*"):
        read_text(path)


def test_a_text_is_read_as_it_is(tmp_path):
    (tmp_path / "a.json").write_bytes("ä\r\n".encode())
    assert read_text(tmp_path / "a.json") == "ä\r\n"
