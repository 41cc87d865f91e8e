"""Checkpoints: the state of a training, written whole or not at all."""

import os
from pathlib import Path
from typing import Any

import torch

from studies.mpe.errors import StudyError
from studies.mpe.training.model import ConvStack

FORMAT = 1


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a state; a process that dies meanwhile leaves the one before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            torch.save({"format": FORMAT, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a state; nothing in it is executed.

    Raises:
        StudyError: it is missing, damaged or of another format.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise StudyError(
            f"The checkpoint {path} does not exist; run the stage that writes it first."
        ) from None
    except Exception as error:  # of zip, of pickle, of torch
        raise StudyError(
            f"The checkpoint {path} cannot be read ({type(error).__name__}); remove it and run again."
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise StudyError(f"{path} is no checkpoint of this study; remove it and run again.")
    return state


def load_network(path: Path, *, width: int) -> ConvStack:
    """Load the network of a checkpoint, with the output layer that it has.

    Raises:
        StudyError: as `load_checkpoint`, or its network has another width.
    """
    state = load_checkpoint(path)
    check_width(state, path, width=width)
    network = ConvStack(width, state.get("output", "sigmoid"))
    network.load_state_dict(state["network"])
    return network


def check_width(state: dict[str, Any], path: Path, *, width: int) -> None:
    """Refuse a checkpoint whose network has another width."""
    if state["width"] != width:
        raise StudyError(
            f"The checkpoint {path} holds a network of width {state['width']}, the configuration asks for "
            f"{width}; "
            "set `width` back, or give the study another `name` so that it trains its own."
        )
