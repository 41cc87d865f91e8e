"""Types as the source writes them: `ArrayLike`, not the union that it stands for."""

import inspect
import re
import sys
from typing import Any

from numpy.typing import ArrayLike
from public_names import is_made_by_warplens_alone, names_by_identity
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python._annotations import _parse_annotation

NAME = re.compile(r"(?<![\w.'\"~])[A-Za-z_][\w.]*")
ARRAY = re.compile(r"ndarray\[tuple\[Any, \.\.\.\], dtype\[(\w+)\]\]")
ARRAY_LIKE = inspect.formatannotation(ArrayLike).removeprefix("Union[").removesuffix("]")
"""Members of the union that `ArrayLike` is."""
UNION = re.compile(r"Union\[((?:[^\[\]]|\[[^\[\]]*\])*)\]")


class Written:
    """An annotation that prints as it was written."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def written(annotation: object, names: dict[str, Any]) -> str:
    """Return an annotation as text, in which names of warplens stand in full, those of others alone.

    Args:
        annotation: as `inspect` has it, a string or an object.
        names: globals of the module that wrote it.
    """
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = re.sub(r"\btyping\.", "", text).replace(ARRAY_LIKE, "ArrayLike")
    text = UNION.sub(lambda match: match[1].replace(", ", " | "), text).replace("NoneType", "None")
    return NAME.sub(lambda match: _name(match[0], names), text)


def _name(name: str, names: dict[str, Any]) -> str:
    first, *rest = name.split(".")
    found = names.get(first, sys.modules.get(first))
    for part in rest:
        found = getattr(found, part, None)
    if found is None:
        return name
    if full := names_by_identity().get(id(found)):
        return f"~{full}"
    if inspect.isclass(found) and found.__module__.startswith("warplens"):
        return f"~{found.__module__}.{found.__qualname__}"
    last = rest[-1] if rest else first
    return last if last[0].isupper() else name


def signature(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, arguments: str | None, returned: str | None
) -> tuple[str, str | None] | None:
    """Return arguments and result as they are written; none of a class that only warplens makes."""
    if what not in ("class", "exception", "function", "method") or arguments is None:
        return None
    try:
        found = inspect.signature(obj)
    except (TypeError, ValueError):
        return None
    names = vars(sys.modules[obj.__module__])
    parameters = list(found.parameters.values())
    if what == "method" and parameters and parameters[0].name in ("self", "cls"):
        parameters = parameters[1:]
    if what == "class" and is_made_by_warplens_alone(obj):
        return "", None
    shown = [
        p if p.annotation is p.empty else p.replace(annotation=Written(written(p.annotation, names)))
        for p in parameters
    ]
    result = found.return_annotation
    is_class = what in ("class", "exception")
    return (
        str(found.replace(parameters=shown, return_annotation=inspect.Signature.empty)),
        None if is_class or result is inspect.Signature.empty else written(result, names),
    )


def bases(app: Sphinx, name: str, obj: Any, options: Any, found: list[type]) -> None:
    """Leave out bases that nobody needs to know, for the public ones behind them."""
    public = [
        base
        for base in obj.__mro__[1:]
        if id(base) in names_by_identity() or not base.__module__.startswith(("warplens", "builtins"))
    ]
    found[:] = public[:1]


def attribute_types(app: Sphinx, domain: str, kind: str, content: addnodes.desc_content) -> None:
    """Write arrays of attributes as `NDArray[float64]`, which Python resolves to a longer type."""
    if kind == "class" and content.children and content[0].astext().strip() == "Bases:":
        content.remove(content[0])
    if kind not in ("attribute", "property") or content.parent is None:
        return
    for node in content.parent.findall(addnodes.desc_annotation):
        text = node.astext()
        if text.startswith(":") and ARRAY.search(text):
            punctuation = addnodes.desc_sig_punctuation("", ":")
            types = _parse_annotation(ARRAY.sub(r"NDArray[\1]", text[1:].strip()), app.env)
            node.children = []
            node.extend([punctuation, addnodes.desc_sig_space(), *types])


def is_skipped(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Skip fields of named tuples that no docstring of their own describes: the class lists them."""
    documentation = getattr(obj, "__doc__", None) or ""
    return True if documentation.startswith("Alias for field number") else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register signatures, bases and types."""
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-process-bases", bases)
    app.connect("autodoc-skip-member", is_skipped)
    app.connect("object-description-transform", attribute_types)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
