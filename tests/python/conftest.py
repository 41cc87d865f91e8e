"""What all tests share: a Hypothesis profile, the real data when present, and the last lines of a run.

With pytest-xdist, reports reach the hooks below in the process that started the run; that one alone prints.
"""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from warplens import _core

# Tests run side by side: waiting threads of OpenMP are to sleep, for spinning takes many times the work.
# Set before torch is imported, which reads it once; processes that tests start inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Deterministic and independent of any clock.
settings.register_profile("warplens", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("warplens")

REPOSITORY = Path(__file__).parents[2]
REAL_DATA = REPOSITORY.parent / "shared" / "data" / "real"

SLOW_SECONDS = 5.0
"""What takes longer is to be made faster or marked `slow`; the last lines of a run name what is neither."""

_skipped: dict[str, list[str]] = {}
_seconds_of_unmarked: dict[str, float] = {}


@pytest.fixture(scope="session")
def repository():
    """The root of the repository."""
    return REPOSITORY


@pytest.fixture
def ring():
    """Return a function that has KeyboardInterrupt raised here in a moment, as Ctrl-C does."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield lambda: signal.setitimer(signal.ITIMER_REAL, 0.3)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def real_files():
    """Paths of real predictions and targets, which lie beside the repository and are never part of it."""
    files = sorted(REAL_DATA.glob("*.npz"))
    if not files:
        pytest.skip("no real data beside the repository")
    return files


def pytest_runtest_logreport(report):
    if "slow" not in report.keywords:
        # Over its three phases, fixtures included.
        _seconds_of_unmarked[report.nodeid] = _seconds_of_unmarked.get(report.nodeid, 0.0) + report.duration
    _note_skipped(report)


def _note_skipped(report):
    if report.skipped and not hasattr(report, "wasxfail"):
        _, _, reason = (
            report.longrepr if isinstance(report.longrepr, tuple) else ("", 0, str(report.longrepr))
        )
        _skipped.setdefault(reason.removeprefix("Skipped: "), []).append(report.nodeid)


def pytest_collectreport(report):
    _note_skipped(report)


def pytest_unconfigure(config):
    # After pytest's own summary line: the reader's last sight is what was not tested.
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.option.collectonly:
        return
    for seconds, test in sorted(((s, test) for test, s in _seconds_of_unmarked.items()), reverse=True):
        if seconds > SLOW_SECONDS:
            # Told, not failed: how long a test takes depends on what else the machine does.
            reporter.write_line(f"over {SLOW_SECONDS:g} s and not marked slow: {test} ({seconds:.1f} s)")
    # One test runs every instruction set that the machine has; what it lacks is not tested.
    sets = ", ".join(_core.available_instruction_sets())
    reporter.write_line(f"instruction sets of this machine: {sets}; by default: {_core.instruction_set()}")
    if not _skipped:
        reporter.write_line("skipped: nothing")
    for reason, tests in sorted(_skipped.items()):
        named = tests[0] if len(tests) == 1 else f"{len(tests)} tests, first {tests[0]}"
        reporter.write_line(f"skipped: {reason} ({named})")
