"""The wheel works where there is NumPy alone; the source distribution holds what it is built from."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

# The first test that asks for a wheel builds it.
pytestmark = pytest.mark.slow

PATIENCE = 1800

USE = """
import sys
import numpy as np
import warplens as wl

assert not any(folder.startswith(REPOSITORY) for folder in sys.path), sys.path
x, y = np.random.default_rng(0).random((9, 3)), np.eye(3)
alignment = wl.align_many([x] * 4, [y] * 4, cost="bce", gamma=0.5, threads=2)[3]
print(wl.__version__, alignment.y_mod.shape, alignment.value == EXPECTED)
"""


def run(*command, **options):
    finished = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, check=False, **options
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    return finished.stdout


@pytest.fixture(scope="module")
def maturin():
    found = shutil.which(
        "maturin", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    if found is None:
        pytest.skip("maturin is not installed")
    return found


@pytest.fixture(scope="module")
def wheel(maturin, repository, tmp_path_factory):
    """Built with the settings of the development build, so that nothing is compiled twice."""
    folder = tmp_path_factory.mktemp("wheel")
    run(maturin, "build", "--locked", "--release", "--out", str(folder), cwd=repository)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def sdist(maturin, repository, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdist")
    run(maturin, "sdist", "--out", str(folder), cwd=repository)
    (built,) = folder.glob("*.tar.gz")
    return built


def test_the_wheel_is_for_all_python_versions_and_holds_the_package(wheel, repository):
    assert "-cp311-abi3-" in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        requirements = [
            line for line in archive.read(metadata).decode().splitlines() if line.startswith("Requires-Dist")
        ]
    assert [line for line in requirements if "extra ==" not in line] == ["Requires-Dist: numpy>=1.26"]
    package = repository / "python"
    for file in package.rglob("*"):
        part = file.relative_to(package).as_posix()
        if file.is_file() and "__pycache__" not in part and file.suffix != ".so":
            assert part in names
    assert any(name.startswith("warplens/_core.") and name.endswith(".so") for name in names)
    assert any(name.endswith("LICENSE") for name in names)
    assert not any(name.startswith("tests") for name in names)


def test_the_wheel_works_with_numpy_alone(wheel, repository, tmp_path):
    import numpy as np

    import warplens as wl

    run(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv"))
    python = str(tmp_path / "venv" / "bin" / "python")
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--constraint", str(repository / "requirements" / "demo.txt"), str(wheel))
    installed = run(*pip, "list", "--format", "freeze")
    assert {line.split("==")[0] for line in installed.split()} == {"numpy", "warplens"}
    x, y = np.random.default_rng(0).random((9, 3)), np.eye(3)
    value = wl.align(x, y, cost="bce", gamma=0.5).value
    code = f"REPOSITORY = {str(repository)!r}\nEXPECTED = {value!r}\n{USE}"
    assert run(python, "-I", "-c", code, cwd=tmp_path).split("\n")[0] == f"{wl.__version__} (9, 3) True"
    # The command is there and says what it lacks.
    command = subprocess.run(
        [tmp_path / "venv" / "bin" / "warplens", "--help"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert command.returncode != 0
    assert "warplens[cli]" in command.stderr
    assert "Traceback" not in command.stderr


def test_the_source_distribution_holds_what_it_is_built_from(sdist, repository, tmp_path):
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    tracked = run("git", "ls-files", "src", "python", cwd=repository).split()
    for name in [*tracked, "Cargo.toml", "Cargo.lock", "pyproject.toml", "README.md", "LICENSE"]:
        if (repository / name).is_file():
            assert (folder / name).is_file(), name
    assert not list(folder.rglob("*.so"))
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("cargo is not installed")
    # Complete enough to be compiled; checking types is as much as building would tell. What tests and lint
    # have compiled of the dependencies, in the same folder, is not compiled again.
    run(
        cargo, "check", "--locked", "--features", "python",
        cwd=folder, env=os.environ | {"CARGO_TARGET_DIR": str(repository / "target")},
    )  # fmt: skip
