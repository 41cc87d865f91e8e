"""No folder is a heap: a reader can take in the names of a folder at a glance."""

import subprocess
from collections import Counter
from pathlib import PurePosixPath

import pytest

MOST_FILES = 18


@pytest.mark.parametrize("part", ["python", "src", "tests", "benches"])
def test_no_folder_has_more_files_than_a_glance_takes_in(repository, part):
    command = [
        "git",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        f"{part}/*.py",
        f"{part}/*.rs",
    ]
    listed = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout
    files = {name for name in listed.splitlines() if (repository / name).is_file()}
    assert files
    counts = Counter(str(PurePosixPath(name).parent) for name in files)
    assert {folder: count for folder, count in counts.items() if count > MOST_FILES} == {}
