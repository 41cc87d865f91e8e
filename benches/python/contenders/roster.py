"""The list of all contenders."""

from .aeon import aeon
from .contender import Contender
from .ctc import CTC
from .ours import OURS
from .peers import PEERS


def all_contenders(aeon_python: str | None = None) -> dict[str, Contender]:
    """Return contenders by name, warplens first; aeon where the interpreter of its environment is given."""
    contenders = [OURS, *PEERS, *([aeon(aeon_python)] if aeon_python else []), CTC]
    return {contender.name: contender for contender in contenders}
