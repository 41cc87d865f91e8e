"""Training with an alignment loss under inspection of its modified targets.

The one package that stands above both `warplens.torch` and `warplens.analysis`; needs the extra `torch`.
Pictures need `display`; the callbacks in `warplens.training.lightning` need the extra `lightning`.
"""

from warplens.training.contrast import contrast
from warplens.training.forced_alignment import forced_alignment
from warplens.training.hard_targets import hard_targets
from warplens.training.inspection import Inspection, ProbeTargets, inspect_targets
from warplens.training.inspector import TargetInspector, Writer
from warplens.training.measure_segments import MeasureSegments, measure_segments
from warplens.training.probes import Probe, Probes
from warplens.training.settled_predictions import settle_predictions
from warplens.training.target_driven_gamma import TargetDrivenGamma
from warplens.training.weak_targets import pad_silence, unfold

__all__ = [
    "Inspection",
    "MeasureSegments",
    "Probe",
    "ProbeTargets",
    "Probes",
    "TargetDrivenGamma",
    "TargetInspector",
    "Writer",
    "contrast",
    "forced_alignment",
    "hard_targets",
    "inspect_targets",
    "measure_segments",
    "pad_silence",
    "settle_predictions",
    "unfold",
]
