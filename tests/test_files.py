"""Atomic writes of files and folders."""

import os
import stat
import threading
from pathlib import Path

import pytest

from kerasrec.files import REPLACED, UNFINISHED, atomic_file, atomic_folder, remove_folder


def test_a_file_appears_only_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "scores.bin"
    with atomic_file(path) as file:
        file.write(b"half")
        assert not path.exists()
        file.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert os.listdir(tmp_path) == ["scores.bin"]


def test_text_is_utf_8_and_line_ends_are_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "titles.csv"
    with atomic_file(path, "w") as file:
        file.write("Amélie\r\nSiddhārtha\n")
    assert path.read_bytes() == "Amélie\r\nSiddhārtha\n".encode()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_existing_file_untouched(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "scores.bin"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_file(path) as file:
        file.write(b"new")
        raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["scores.bin"]


def test_a_failed_write_leaves_neither_files_nor_new_parents(tmp_path: Path) -> None:
    with pytest.raises(ValueError), atomic_file(tmp_path / "a" / "b" / "scores.bin") as file:
        file.write(b"new")
        raise ValueError
    with pytest.raises(ValueError), atomic_folder(tmp_path / "a" / "b" / "1") as folder:
        (folder / "weights").write_bytes(b"new")
        raise ValueError
    assert not list(tmp_path.iterdir())


def test_missing_parents_are_created(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "a" / "scores.bin") as file:
        file.write(b"new")
    with atomic_folder(tmp_path / "b" / "1") as folder:
        (folder / "weights").write_bytes(b"new")
    assert (tmp_path / "a" / "scores.bin").read_bytes() == (tmp_path / "b" / "1" / "weights").read_bytes() == b"new"


def test_a_write_removes_what_a_killed_process_left_a_day_ago(tmp_path: Path) -> None:
    names = [f"{UNFINISHED}1-lists", f"{UNFINISHED}2-lists{REPLACED}", f"{UNFINISHED}3-lists", f"{UNFINISHED}4-lists"]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "part-0").touch()
    for name in names[:2]:
        os.utime(tmp_path / name / "part-0", (0, 0))
    for name in names[:3]:  # a process still writes a file of the third folder
        os.utime(tmp_path / name, (0, 0))
    with atomic_file(tmp_path / "scores.bin") as file:
        file.write(b"new")
    assert sorted(os.listdir(tmp_path)) == [*names[1:], "scores.bin"]


def test_a_file_cannot_replace_a_folder(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=r"expected a file, got the folder .*\. Fix: "), atomic_file(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_writer_that_needs_a_path_can_use_the_name_of_the_open_file(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with atomic_file(path) as file:
        assert Path(file.name).suffix == ".keras"
        Path(file.name).write_bytes(b"weights")
    assert path.read_bytes() == b"weights"


def test_a_folder_appears_only_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "1"
    with atomic_folder(path) as folder:
        (folder / "variables").mkdir()
        (folder / "variables" / "weights").write_bytes(b"new")
        assert folder.parent == tmp_path
        assert folder.name.startswith(".")
        assert not path.exists()
    assert (path / "variables" / "weights").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["1"]


def test_a_folder_that_exists_is_an_error_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "1"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(FileExistsError, match=r"expected a free name, got .*1, which exists\. Fix: "):
        with atomic_folder(path):
            raise AssertionError("the block runs although the target exists")
    with atomic_folder(path, replace=True) as folder:
        (folder / "new").touch()
        assert os.listdir(path) == ["old"]
    assert os.listdir(path) == ["new"]
    assert os.listdir(tmp_path) == ["1"]


@pytest.mark.parametrize("replace", [False, True])
def test_a_failed_write_leaves_the_existing_folder_untouched(tmp_path: Path, replace: bool) -> None:
    path = tmp_path / "1"
    if replace:
        path.mkdir()
        (path / "old").touch()
    with pytest.raises(KeyboardInterrupt), atomic_folder(path, replace=replace) as folder:
        (folder / "new").touch()
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == (["1"] if replace else [])
    assert not replace or os.listdir(path) == ["old"]


def test_a_folder_that_another_writer_created_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "1"
    with pytest.raises(FileExistsError, match="which exists"), atomic_folder(path) as folder:
        (folder / "mine").touch()
        path.mkdir()
        (path / "theirs").touch()
    assert os.listdir(path) == ["theirs"]
    assert os.listdir(tmp_path) == ["1"]


@pytest.mark.skipif(os.name != "posix", reason="other platforms have no umask")
def test_files_and_folders_have_the_modes_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with atomic_folder(tmp_path / "1") as folder:
            (folder / "weights").touch()
        with atomic_file(tmp_path / "scores.bin"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "1").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "scores.bin").stat().st_mode) == 0o644


def test_concurrent_writers_have_different_hidden_names(tmp_path: Path) -> None:
    path, barrier = tmp_path / "scores.bin", threading.Barrier(4, timeout=120)

    def write(content: bytes) -> None:
        with atomic_file(path) as file:
            file.write(content)
            barrier.wait()  # all files are open at once
            file.write(content)

    threads = [threading.Thread(target=write, args=(bytes([n]) * 1000,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    content = path.read_bytes()
    assert len(content) == 2000
    assert len(set(content)) == 1
    assert os.listdir(tmp_path) == ["scores.bin"]


@pytest.mark.parametrize("name", ["scores.bin", "x" * 250 + ".csv", "é" * 120 + ".csv", "v1"])
def test_hidden_names_are_valid_on_all_platforms_and_keep_the_suffix(tmp_path: Path, name: str) -> None:
    with atomic_file(tmp_path / name) as file:
        hidden = Path(file.name).name
    assert hidden.startswith(UNFINISHED)
    assert len(hidden.encode()) <= 255
    assert Path(hidden).suffix == Path(name).suffix
    assert not set(hidden) & set('<>:"/\\|?*')
    assert not hidden.endswith((".", " "))
    assert (tmp_path / name).exists()


def test_a_folder_is_never_partly_there_while_it_is_removed(tmp_path, monkeypatch):
    (tmp_path / "epoch-0001").mkdir()
    monkeypatch.setattr("kerasrec.files.shutil.rmtree", lambda *_, **__: None)  # as if the process were killed
    assert remove_folder(tmp_path / "epoch-0001")
    assert not list(tmp_path.glob("epoch-*"))
    assert not remove_folder(tmp_path / "epoch-0001")
