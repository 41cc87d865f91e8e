"""Metadata for indexes, libraries of citations and workflows, held to the files they are taken from."""

import re
import shutil
import subprocess
import tomllib

import pytest


@pytest.fixture(scope="module")
def cargo(repository):
    found = shutil.which("cargo")
    if found is None or not (repository / "Cargo.lock").is_file():
        pytest.skip("needs cargo and the sources")
    return found


def test_the_licences_are_those_of_the_crates_that_are_built_in(cargo, repository):
    command = [
        cargo,
        "tree",
        "--locked",
        "--offline",
        "--edges",
        "normal",
        "--features",
        "python",
        "--prefix",
        "none",
    ]
    listed = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout
    built_in = {tuple(line.split()[:2]) for line in listed.splitlines() if line}
    text = (repository / "licenses" / "THIRD_PARTY_LICENSES.md").read_text()
    named = set(re.findall(r"^- (\S+) (\d[^,\s]*)", text, re.MULTILINE))
    assert {(name, f"v{version}") for name, version in named} == built_in, "run `make licenses`"


def test_the_citation_has_the_version_of_the_package(repository):
    version = tomllib.loads((repository / "Cargo.toml").read_text())["package"]["version"]
    assert f"\nversion: {version}\n" in (repository / "CITATION.cff").read_text()
    assert f"## [{version}]" in (repository / "CHANGELOG.md").read_text()


def test_actions_are_pinned_and_jobs_have_what_they_need_alone(repository):
    workflows = sorted((repository / ".github" / "workflows").glob("*.yml"))
    assert workflows
    for workflow in workflows:
        text = workflow.read_text()
        assert "\npermissions: {}\n" in text, workflow.name
        for action in re.findall(r"uses: (\S+)", text):
            assert action.startswith("$/") or re.fullmatch(r"[\w-]+/[\w.-]+@[0-9a-f]{40}", action), action


def test_urls_are_those_of_one_project(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    home = project["urls"]["Homepage"]
    assert tomllib.loads((repository / "Cargo.toml").read_text())["package"]["repository"] == home
    assert f"repository-code: {home}\n" in (repository / "CITATION.cff").read_text()
    assert all(url.startswith((home, project["urls"]["Documentation"])) for url in project["urls"].values())
