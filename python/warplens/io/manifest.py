"""Manifests: tables with the places of predictions and targets of each item.

Columns are `predictions`, `weak`, `strong`, `cost`, `fps`, `lowest_pitch`, `pitch_classes` and `id`, and for
items of labels `log_probs`, `labels`, `label_names`, `log_priors` and `prior`; only `predictions` or
`log_probs` is needed, others are ignored. A cell of an array is a file or `file:key`, its path relative to
the folder of the manifest. An empty cell is taken from the file of the predictions or log-probabilities.
"""

import csv
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warplens.io.arrays.container import LEADING_KEYS, joined
from warplens.io.arrays.formats import is_container, item_suffix, opened
from warplens.io.errors import ItemError
from warplens.io.label_item import AnyItem, ItemKind, make_any_item
from warplens.io.notes.note_lists import NOTE_SUFFIXES, is_note_list, read_notes
from warplens.io.origin import names_in, overridden, read_values
from warplens.io.regular_file import check_regular
from warplens.io.size_limit import DEFAULT_SIZE_LIMIT, Budget

MANIFEST_SUFFIXES = (".csv", ".parquet")

_NPY = "predictions"
"""The key of the array of an npy file of any other name."""

_LABEL_ARRAYS = ("labels", "label_names", "log_priors", "prior")

COLUMNS = (
    "id",
    "predictions",
    "weak",
    "strong",
    "cost",
    "fps",
    "lowest_pitch",
    "pitch_classes",
    "log_probs",
    *_LABEL_ARRAYS,
)


class ManifestError(ValueError):
    """A table that cannot be used as a manifest; the message says what is wrong with it."""


@dataclass(frozen=True)
class ItemOfRow:
    """An item that a row of a manifest describes.

    Attributes:
        manifest: its file.
        row: number of the row, from 1, without the line of names.
        cells: (column, text) of the cells that are not empty.
        surplus: whether it has cells that are not empty behind the last column.
        allow_external: whether values that a file refers to in other files are read.
    """

    manifest: Path
    row: int
    cells: tuple[tuple[str, str], ...]
    surplus: bool = False
    allow_external: bool = False

    @property
    def location(self) -> str:
        """Manifest and row, for messages."""
        return f"{self.manifest}, row {self.row}"

    def cell(self, column: str) -> str:
        """Return a cell, "" when it is empty."""
        return dict(self.cells).get(column, "")

    def name(self) -> str:
        """Return the name of the item: its `id`, or the path of its predictions without the extension.

        The path is relative to the manifest; the key within the file follows it, less a last `predictions`.
        It is taken as it stands and need not be one that can be used.
        """
        leading = self._leading(LEADING_KEYS)
        if (given := self.cell("id")) or leading is None:
            return given
        path, key = self._split(leading)
        base = self.manifest.parent
        relative = path.relative_to(base) if path.is_relative_to(base) else path
        stem = relative.as_posix()
        stem = stem[: len(stem) - len(item_suffix(relative.name) or relative.suffix)]
        parts = [part for part in key.split("/") if part]
        if parts and parts[-1] == leading:
            parts.pop()
        return "/".join([stem, *parts])

    def read(
        self,
        *,
        size_limit: int | None = DEFAULT_SIZE_LIMIT,
        fps: float | None = None,
        pitch_classes: bool | None = None,
        kind: ItemKind = "features",
    ) -> AnyItem:
        """Read an item of a kind.

        Args:
            size_limit: most bytes that its arrays may take; None allows any number.
            fps: frames a second in place of that of manifest and file; None keeps it.
            pitch_classes: fold lists of notes into twelve pitch classes, in place of what they say; None
                keeps that.
            kind: "features" for an `Item`; "labels", "multi-hot" or "tokens" for a `LabelItem`.

        Raises:
            ItemError: a cell or what it points to cannot be used, or is larger than `size_limit`.
            OSError: a file cannot be read.
        """
        if self.surplus:
            raise ItemError("its row has more cells than columns: cells that hold a comma need quotes")
        leading = self._leading(("predictions",) if kind == "features" else ("log_probs", "predictions"))
        if leading is None:
            wanted = "'predictions'" if kind == "features" else "'log_probs' or 'predictions'"
            raise ItemError(f"its cell {wanted} is empty")
        budget = Budget(size_limit)
        given = {column for column, _ in self.cells}
        path, key = self._existing(leading)
        group, place = self._place(path, key, leading)
        names = {**names_in(group, kind), leading: place}
        names = {key: name for key, name in names.items() if key == leading or key not in given}
        warnings: list[str] = []
        values = read_values(
            path,
            names,
            budget,
            needed=leading,
            allow_external=self.allow_external,
            warnings=warnings,
        )
        for column in ("weak", "strong", *(() if kind == "features" else _LABEL_ARRAYS)):
            if column in given:
                values[column] = self._target(column, budget, warnings)
        for column in ("fps", "lowest_pitch"):
            if column in given:
                values[column] = _number(column, self.cell(column))
        if "cost" in given:
            values["cost"] = self.cell("cost")
        if "pitch_classes" in given:
            values["pitch_classes"] = self.cell("pitch_classes")
        values = overridden(values, fps=fps, pitch_classes=pitch_classes)
        return make_any_item(kind, values, warnings=warnings)

    def _leading(self, columns: Sequence[str]) -> str | None:
        """Return the first of the columns whose cell is not empty."""
        return next((column for column in columns if self.cell(column)), None)

    def _target(self, column: str, budget: Budget, warnings: list[str]) -> Any:
        path, key = self._existing(column)
        if is_note_list(path):
            if key:
                raise ItemError(f"'{column}' is '{self.cell(column)}': a list of notes has no keys")
            return read_notes(path, budget)
        if not is_container(path):
            raise ItemError(
                f"'{column}' is '{self.cell(column)}': neither a file of arrays nor a list of notes "
                f"({', '.join(NOTE_SUFFIXES)})"
            )
        # An npy file is one array, whatever its name.
        name = _NPY if path.name.lower().endswith(".npy") else key or column
        values = read_values(
            path,
            {column: name},
            budget,
            needed=column,
            allow_external=self.allow_external,
            warnings=warnings,
        )
        return values[column]

    def _place(self, path: Path, key: str, leading: str) -> tuple[str, str]:
        """Return the group of an item and the name of its first array: the key names the one or the other."""
        if path.name.lower().endswith(".npy"):
            return "", leading if path.name.lower().endswith(f".{leading}.npy") else _NPY
        if not key:
            return "", leading
        with opened(path, allow_external=self.allow_external) as container:
            if joined(key, leading) in container:
                return key, joined(key, leading)
        return key.rpartition("/")[0], key

    def _split(self, column: str) -> tuple[Path, str]:
        """Return file and key of a cell; a file whose own name has colons is known by its whole name."""
        text, base = self.cell(column), self.manifest.parent
        places = [i for i, letter in enumerate(text) if letter == ":"]
        for i in (len(text), *reversed(places)):
            # Not Path.exists, which raises for names that no file can have.
            if text[:i] and os.path.exists(base / text[:i]):  # noqa: PTH110
                return base / text[:i], text[i + 1 :].strip("/")
        for i in reversed(places):
            if item_suffix(text[:i]):
                return base / text[:i], text[i + 1 :].strip("/")
        return base / text, ""

    def _existing(self, column: str) -> tuple[Path, str]:
        path, key = self._split(column)
        if not os.path.exists(path):  # noqa: PTH110
            raise ItemError(f"'{column}' is '{self.cell(column)}': there is no file {path}")
        return path, key


def read_manifest(path: Path, *, allow_external: bool = False) -> list[ItemOfRow]:
    """Return the rows of a manifest, in its order.

    Args:
        path: CSV or parquet.
        allow_external: whether the items read values that their files refer to in other files.

    Raises:
        ManifestError: it is no table, or has no column `predictions`, or a library is missing.
        OSError: it cannot be read.
    """
    try:
        check_regular(path)
    except ItemError as error:
        raise ManifestError(str(error)) from error
    table = _parquet_rows(path) if path.suffix.lower() == ".parquet" else _csv_rows(path)
    return [
        ItemOfRow(
            path,
            i,
            tuple((column, text) for column in COLUMNS if (text := _text(row.get(column)))),
            surplus=any(map(_text, row.get(None) or ())),
            allow_external=allow_external,
        )
        for i, row in enumerate(table, 1)
    ]


def _csv_rows(path: Path) -> list[dict[Any, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True, strict=True)
            _check_columns([name.strip() for name in reader.fieldnames or ()])
            reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
            return list(reader)
    except (csv.Error, UnicodeDecodeError) as error:
        raise ManifestError(f"not a table of comma-separated values in UTF-8: {error}") from error


def _parquet_rows(path: Path) -> list[dict[Any, Any]]:
    try:
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise ManifestError(
            f"it needs '{error.name}', which is not installed: pip install warplens[parquet]"
        ) from error
    try:
        with pq.ParquetFile(path) as file:
            _check_columns(file.schema_arrow.names)
            columns = [column for column in COLUMNS if column in file.schema_arrow.names]
            rows: list[dict[Any, Any]] = file.read(columns).to_pylist()
            return rows
    except ManifestError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise ManifestError(f"damaged parquet file: {error}") from error
    except Exception as error:  # the library may raise anything on a damaged file
        raise ManifestError(f"damaged parquet file: {error}") from error


def _check_columns(names: list[str]) -> None:
    if not any(key in names for key in LEADING_KEYS):
        raise ManifestError(
            f"no column 'predictions' (columns: {', '.join(names) or 'none'}; a manifest has it, or "
            "'log_probs', and any of "
            f"{', '.join(column for column in COLUMNS if column not in LEADING_KEYS)})"
        )
    if twice := [name for name in COLUMNS if names.count(name) > 1]:
        raise ManifestError(f"two columns are called '{twice[0]}'")


def _text(value: Any) -> str:
    """Return a cell as text: tables of data frames hold numbers, and NaN where a cell is empty."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value).strip()


def _number(column: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ItemError(f"'{column}' is '{text}' in the manifest, it must be a number") from None
