"""The check of a backend at its first use on a device: when it runs, what it leaves alone, what it tells.

CPU tensors stand for those of a device; two recording backends stand for torch operations and the kernels.
"""

import os
import re
import signal
import threading
import warnings

import pytest
import torch
from batches_of_pairs import random_batch
from operations_watched import Watched

import warplens.torch as wlt
from warplens.torch import dispatch, first_use
from warplens.torch.backends.ops.backend import OpsBackend
from warplens.torch.first_use import FirstUse

CPU = torch.device("cpu")


class Recording(OpsBackend):
    """Torch operations under a name, with a list of who computed."""

    def __init__(self, name, used):
        self.name = name
        self.used = used
        self.absent = None

    def check_device(self, device):
        if self.absent is not None:
            raise ValueError(self.absent)

    def takes(self, cost):
        return super().takes(cost) and (self.name == "ops" or cost.has_modified_targets)

    def solve_pairs(self, *arguments):
        self.used.append(self.name)
        return super().solve_pairs(*arguments)

    def solve_costs(self, *arguments):
        self.used.append(self.name)
        return super().solve_costs(*arguments)

    def results_of_pairs(self, *arguments):
        self.used.append(self.name)
        return super().results_of_pairs(*arguments)


class Device:
    """The CPU in the place of a device, and the check of the kernels there."""

    def __init__(self):
        self.used = []  # by calls, in order
        self.checked = []  # devices
        self.check = lambda device: None
        self.kernels = Recording("triton", self.used)
        self.first_use = FirstUse(self.kernels, self._find_fault)

    def _find_fault(self, device):
        self.checked.append(device)
        return self.check(device)


@pytest.fixture
def device(monkeypatch):
    monkeypatch.delenv("WARPLENS_BACKEND", raising=False)
    standing = Device()
    monkeypatch.setitem(dispatch.BACKENDS, "ops", Recording("ops", standing.used))
    monkeypatch.setitem(dispatch.BACKENDS, "triton", standing.kernels)
    monkeypatch.setitem(dispatch.FIRST_USES, "cpu", standing.first_use)
    monkeypatch.setitem(dispatch._DEFAULTS, "cpu", "ops")
    return standing


def loss(x=None, **settings):
    default, y = random_batch("mse")
    return wlt.soft_dtw_loss(default if x is None else x, y, **settings)


def fails(device):
    return "the value is wrong"


def breaks(device):
    error = RuntimeError("no\n  compiler")
    error.add_note("float32, N = 3")
    raise error


# --- outcomes -----------------------------------------------------------------------------------------------


def test_kernels_that_pass_are_the_default_from_the_first_call_on(device):
    loss()
    loss()
    assert device.used == ["triton", "triton"]
    assert device.checked == [CPU]  # once


@pytest.mark.parametrize(
    ("check", "reason"),
    [(fails, "the value is wrong"), (breaks, "float32, N = 3: RuntimeError: no compiler")],
)
def test_kernels_that_fail_are_told_once_and_operations_serve(device, check, reason):
    device.check = check
    with pytest.warns(RuntimeWarning, match=re.escape(reason)) as told:
        first = loss()
    assert torch.equal(loss(), first)
    assert device.used == ["ops", "ops"]
    assert device.checked == [CPU]
    (warning,) = told
    text = str(warning.message)
    for words in ("on cpu", "Torch operations are used", "backend='triton'", "WARPLENS_BACKEND=triton"):
        assert words in text
    assert warning.filename == __file__


@pytest.mark.parametrize(
    "error", [SystemExit(1), KeyboardInterrupt(), MemoryError("much"), ImportError("libcuda")]
)
def test_any_exception_of_the_check_is_a_failure(device, error):
    def check(device):
        raise error

    device.check = check
    with pytest.warns(RuntimeWarning, match=type(error).__name__):
        loss()
    assert device.used == ["ops"]


def test_a_warning_that_is_an_error_is_raised_once(device):
    device.check = fails
    with pytest.raises(RuntimeWarning, match="the value is wrong"):
        loss()  # the filters of this run make warnings errors
    loss()
    assert device.used == ["ops"]


def test_a_long_reason_is_cut(device):
    def check(device):
        raise RuntimeError("begin " + 5000 * "x" + " end")

    device.check = check
    with pytest.warns(RuntimeWarning, match=r"begin x+ \[\.\.\.\] x+ end") as told:
        loss()
    assert len(str(told[0].message)) < 1200


def test_where_kernels_are_absent_nothing_is_checked_or_told(device):
    device.kernels.absent = "backend: 'triton' needs the package triton"
    loss()
    loss()
    assert device.used == ["ops", "ops"]
    assert device.checked == []
    assert device.first_use.outcome(CPU) == first_use.Outcome("absent", device.kernels.absent)


def test_each_device_has_its_own_check():
    asked = []
    backend = Recording("triton", [])
    one = FirstUse(backend, lambda device: asked.append(str(device)) or ("wrong" if device.index else None))
    assert one.passes(torch.device("xpu:0"))
    with pytest.warns(RuntimeWarning, match="xpu:1"):
        assert not one.passes(torch.device("xpu:1"))
    assert one.passes(torch.device("xpu:0"))
    assert not one.passes(torch.device("xpu:1"))
    assert asked == ["xpu:0", "xpu:1"]


# --- who decides --------------------------------------------------------------------------------------------


def test_the_argument_decides_before_the_environment_and_that_before_the_check(device, monkeypatch):
    device.check = fails
    monkeypatch.setenv("WARPLENS_BACKEND", "triton")
    loss()
    loss(backend="ops")
    monkeypatch.setenv("WARPLENS_BACKEND", "ops")
    loss()
    loss(backend="triton")
    assert device.used == ["triton", "ops", "ops", "triton"]
    assert device.checked == []
    monkeypatch.setenv("WARPLENS_BACKEND", "")
    with pytest.warns(RuntimeWarning, match="the value is wrong"):
        loss()


@pytest.mark.parametrize(
    "call",
    [
        loss,
        lambda: wlt.SoftDTWLoss()(*random_batch("mse")),
        lambda: wlt.align(*random_batch("mse")),
        lambda: wlt.soft_dtw_from_costs(torch.ones(2, 2)),
        lambda: wlt.cdist(*random_batch("mse")),
        lambda: wlt.barycenter(random_batch("mse")[0]),
    ],
)
def test_a_bad_environment_is_an_error_that_names_it(call, monkeypatch):
    monkeypatch.setenv("WARPLENS_BACKEND", "cuda")
    with pytest.raises(
        ValueError, match=r"WARPLENS_BACKEND: is 'cuda'; this version has 'core', 'ops', 'trit"
    ):
        call()


def test_an_environment_that_does_not_suit_the_device_is_named(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setenv("WARPLENS_BACKEND", "triton")
    with pytest.raises(
        ValueError, match=r"WARPLENS_BACKEND: is 'triton', .*names no backend; backend: 'triton'"
    ):
        loss()


def test_the_environment_reaches_every_function(device, monkeypatch):
    monkeypatch.setenv("WARPLENS_BACKEND", "triton")
    x, y = random_batch("mse")
    wlt.soft_dtw_from_costs(torch.ones(2, 2))
    wlt.cdist(x, y)
    _ = wlt.align(x, y).h
    wlt.barycenter(x, max_iterations=1)
    assert set(device.used) == {"triton"}
    assert device.checked == []


def test_distances_go_to_operations_which_need_no_matrix_of_them(device):
    device.check = fails  # which is not asked for
    for cost in ("l1", "euclidean"):
        loss(cost=cost)
    assert device.used == ["ops", "ops"]
    assert device.checked == []


@pytest.mark.parametrize("cost", [torch.cdist, wlt.DiagonalPrior("bce_logits", weight=1.0)])
def test_costs_that_are_matrices_everywhere_go_to_the_kernels(device, cost):
    loss(cost=cost)
    wlt.soft_dtw_from_costs(torch.ones(2, 3))
    assert device.used == ["triton", "triton"]


# --- when a check may run -----------------------------------------------------------------------------------


def test_a_compiled_step_takes_operations_until_the_check_has_passed(device):
    torch.compiler.reset()
    x, y = random_batch("mse")
    step = torch.compile(lambda x, y: wlt.soft_dtw_loss(x, y), fullgraph=True, backend="eager")
    step(x, y)
    assert (device.used, device.checked) == (["ops"], [])
    loss()
    assert (device.used, device.checked) == (["ops", "triton"], [CPU])
    step(x, y)  # compiled again
    assert device.used == ["ops", "triton", "triton"]


def test_a_compiled_step_that_follows_a_failure_takes_operations_and_does_not_tell(device):
    torch.compiler.reset()
    device.check = fails
    with pytest.warns(RuntimeWarning, match="the value is wrong"):
        loss()
    step = torch.compile(lambda x, y: wlt.soft_dtw_loss(x, y), fullgraph=True, backend="eager")
    step(*random_batch("mse"))
    assert device.used == ["ops", "ops"]


def test_a_compiled_step_follows_the_environment(device, monkeypatch):
    torch.compiler.reset()
    monkeypatch.setenv("WARPLENS_BACKEND", "triton")
    step = torch.compile(lambda x, y: wlt.soft_dtw_loss(x, y), fullgraph=True, backend="eager")
    step(*random_batch("mse"))
    assert (device.used, device.checked) == (["triton"], [])


def transformed():
    torch.func.grad(loss)(random_batch("mse")[0])


def mapped():
    x, y = random_batch("mse")
    torch.func.vmap(lambda x, y: wlt.soft_dtw_loss(x, y))(x, y)


def watched():
    with Watched():
        loss()


def traced():
    x, y = random_batch("mse")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(lambda x: wlt.soft_dtw_loss(x, y), (x,), check_trace=False)


@pytest.mark.parametrize("step", [transformed, mapped, watched, traced])
def test_steps_that_something_follows_take_operations_until_the_check_has_passed(device, step):
    step()
    assert device.checked == []
    assert set(device.used) == {"ops"}
    loss()
    device.used.clear()
    step()
    assert device.checked == [CPU]
    assert set(device.used) == {"triton"}


@pytest.mark.parametrize("captured_on", ["current", "cuda:1"])
def test_nothing_is_checked_while_a_graph_is_captured(monkeypatch, captured_on):
    current = ["current"]

    class Chosen:
        def __init__(self, device):
            self.device = str(device)

        def __enter__(self):
            current.append(self.device)

        def __exit__(self, *error):
            current.pop()

    monkeypatch.setattr(torch.cuda, "device", Chosen)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: current[-1] == captured_on)
    device, checked = torch.device("cuda:1"), []
    one = FirstUse(Recording("triton", []), lambda device: checked.append(device))
    assert not one.passes(device)
    assert checked == []
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    assert one.passes(device)
    assert checked == [device]


def test_a_tensor_that_only_stands_for_one_on_a_device_starts_no_check(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    one = FirstUse(Recording("triton", []), breaks)
    assert not one.passes(torch.device("cuda:0"))


# --- what it leaves alone -----------------------------------------------------------------------------------


def thread_state():
    return {
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "device": torch.empty(()).device,
    }


@pytest.mark.parametrize(
    "mode",
    [
        torch.no_grad,
        torch.inference_mode,
        lambda: torch.autocast("cpu", dtype=torch.bfloat16),
        lambda: torch.device("meta"),
    ],
)
def test_modes_of_the_caller_do_not_reach_the_check(device, mode):
    seen = []
    device.check = lambda device: seen.append(thread_state())
    outside = thread_state()
    with mode():
        inside = thread_state()
        dispatch.choose_backend(None, CPU)
        assert thread_state() == inside
    assert inside != outside
    assert seen == [outside]


@pytest.fixture
def global_state():
    dtype, deterministic = torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_default_dtype(dtype)
    torch.use_deterministic_algorithms(deterministic)


@pytest.mark.usefixtures("global_state")
def test_the_check_itself_changes_no_state_and_heeds_none(device):
    """The real check, of the operations."""
    device.check = lambda device: dispatch.find_fault(device, OpsBackend())
    torch.set_default_dtype(torch.float16)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with torch.inference_mode():
        loss()
    assert device.used == ["triton"]  # it passed
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_default_dtype() == torch.float16
    assert torch.are_deterministic_algorithms_enabled()


# --- threads and processes ----------------------------------------------------------------------------------


def test_of_two_threads_one_checks_and_the_other_waits(device):
    begun, go_on = threading.Event(), threading.Event()

    def check(device):
        begun.set()
        assert go_on.wait(60)

    device.check = check
    threads = [threading.Thread(target=loss) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert begun.wait(60)
    threads[1].join(0.2)
    assert all(thread.is_alive() for thread in threads)
    assert device.used == []
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert device.used == ["triton", "triton"]
    assert device.checked == [CPU]


def test_one_of_many_threads_tells_of_a_failure(device):
    device.check = fails
    threads = [threading.Thread(target=loss) for _ in range(8)]

    def run():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    with pytest.warns(RuntimeWarning) as told:
        run()
    assert len(told) == 1
    assert device.checked == [CPU]
    assert device.used == ["ops"] * 8


def test_a_thread_that_cannot_be_had_is_a_failure(device, monkeypatch):
    class Refused(threading.Thread):
        def start(self):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(first_use.threading, "Thread", Refused)
    with pytest.warns(RuntimeWarning, match="can't start new thread"):
        loss()
    assert device.used == ["ops"]


def test_a_process_forked_during_a_check_does_not_wait_for_it(device):
    begun, go_on = threading.Event(), threading.Event()

    def check(device):
        begun.set()
        assert go_on.wait(60)

    device.check = check
    thread = threading.Thread(target=device.first_use.outcome, args=(CPU,))
    thread.start()
    assert begun.wait(60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a fork beside threads
        child = os.fork()
    if child == 0:
        signal.alarm(60)  # a child that hangs is ended, and the parent sees it
        device.check = lambda device: None
        os._exit(0 if device.first_use.passes(CPU) else 1)
    ended = os.waitpid(child, 0)[1]
    go_on.set()
    thread.join(60)
    assert ended == 0
    assert device.first_use.passes(CPU)
