"""The data folder refuses what it cannot use, in one sentence, and changes nothing then."""

import json
import multiprocessing
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from services.standalone.children import StandaloneError
from services.standalone.folder import FORMAT, forget, opened, secret

ROOT = Path(__file__).parents[2]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_folder_is_private_and_stamped(tmp_path: Path) -> None:
    with opened(tmp_path / "deep" / "data") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert json.loads((folder / "galw.json").read_text()) == {"format": FORMAT}


def test_a_secret_is_made_once_and_private(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as folder:
        made = secret(folder, "key")
        assert len(made) >= 43
        assert secret(folder, "key") == made
        assert secret(folder, "other") != made
        assert stat.S_IMODE((folder / "secrets" / "key").stat().st_mode) == 0o600


def test_a_folder_of_a_newer_release_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "galw.json").write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(StandaloneError, match="newer Galw"), opened(tmp_path):
        pass
    assert json.loads((tmp_path / "galw.json").read_text()) == {"format": FORMAT + 1}


@pytest.mark.parametrize("stamp", ["", "{", "[]", '{"format": "x"}', "{}"])
def test_a_damaged_stamp_is_named(tmp_path: Path, stamp: str) -> None:
    (tmp_path / "galw.json").write_text(stamp)
    with pytest.raises(StandaloneError, match=r"galw\.json is damaged"), opened(tmp_path):
        pass


def test_somebody_elses_folder_is_neither_used_nor_forgotten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    before = contents(tmp_path)
    with pytest.raises(StandaloneError, match="not written by Galw"), opened(tmp_path):
        pass
    with pytest.raises(StandaloneError, match="not written by Galw"):
        forget(tmp_path)
    assert contents(tmp_path) == before


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(StandaloneError, match="data is a file; choose a folder"), opened(tmp_path / "data"):
        pass


def test_make_hands_on_a_folder_with_a_space_in_its_name() -> None:
    words = ["make", "--dry-run", "--no-print-directory", "run", "clean", "DATA=my data"]
    told = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert 'GALW_DATA_DIR="my data" ' in told
    assert '--forget "my data"\n' in told


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StandaloneError, match="Permission denied"), opened(tmp_path / "data"):
        pass


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_full_disk_is_told_but_may_be_cleaned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path / "data"):
        pass

    def nearly_full(_: Path) -> _Usage:
        return _Usage(10**12, 10**12 - 5 * 1024**2, 5 * 1024**2)

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    with pytest.raises(StandaloneError, match="Only 5 MB are free"), opened(tmp_path / "data"):
        pass
    assert forget(tmp_path / "data") is True
    assert not (tmp_path / "data").exists()
    assert forget(tmp_path / "data") is False


def _try(folder: Path) -> str:
    try:
        with opened(folder):
            return "opened"
    except StandaloneError as error:
        return error.message


def test_one_process_at_a_time(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        with opened(tmp_path):
            assert f"already runs on {tmp_path} (process {os.getpid()})" in pool.apply(_try, (tmp_path,))
        assert pool.apply(_try, (tmp_path,)) == "opened"
