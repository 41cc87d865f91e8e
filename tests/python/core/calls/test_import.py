"""`import warplens` needs NumPy alone, and so does every function of the NumPy interface."""

import subprocess
import sys

EXTRAS = (
    "torch",
    "PIL",
    "jinja2",
    "click",
    "rich",
    "matplotlib",
    "h5py",
    "pyarrow",
    "safetensors",
    "dask",
    "lightning",
    "soundfile",
    "soxr",
)

CODE = f"""
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {EXTRAS!r}:
            raise ImportError(f"{{name}} is an extra")

sys.meta_path.insert(0, Refuse())
import numpy
x, y = numpy.random.rand(6, 2), numpy.random.rand(4, 2)
with_numpy = {{name.split(".")[0] for name in sys.modules}}
import warplens as wl
a = wl.align(x, y)
_ = a.H, a.E, a.y_grad, a.entropy, a.path(), repr(a)
_ = wl.align_many([x], [y]), wl.divergence(x, y), wl.cdist([x]), wl.barycenter([x, y]), wl.hard_dtw(x, y)
_ = wl.cost_matrix(x, y)
after = {{name.split(".")[0] for name in sys.modules}}
foreign = {{name for name in after - with_numpy if name not in sys.stdlib_module_names}}
print(sorted(foreign))
"""


def test_import_needs_numpy_alone():
    run = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "['warplens']"


def test_every_public_name_is_documented():
    import warplens as wl

    for name in wl.__all__:
        assert getattr(wl, name).__doc__, name
    assert wl.__version__.count(".") == 2
