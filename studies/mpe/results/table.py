"""The table: `RESULTS.md`, made of the results that are there; missing ones are named."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any, get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from studies.mpe.configuration import Configuration, Run, Source, Start
from studies.mpe.inputs.features import read_features
from studies.mpe.inputs.frames import FPS
from studies.mpe.places import Places
from studies.mpe.record import read_result
from studies.mpe.results.evaluation import SHORT_FRAMES
from studies.mpe.results.ordering import LEAST_DIFFERENCE, PREDICTORS, look_values, share_ordered_rightly
from studies.mpe.training.finetuning import LOOKED_AT

Result = Mapping[str, Any]
Results = Mapping[tuple[str, int], Result]

CAPTIONS = {
    "figure-4.png": "After the paper's Figure 4: the peak of each event over how long it lasts, in the "
    "modified "
    "targets at the start and in the predictions at the end",
    "figure-5.png": "After the paper's Figure 5: modified targets at the start, predictions at the end, a "
    "row a gamma",
    "training.png": "Loss as a share of its first value, and gamma, over the steps of fine-tuning",
    "losses.png": "Modified targets at the start, predictions at the end, a row a loss",
    "promises.png": "F-measure of modified targets and of settled predictions at the start, and of modified "
    "targets after a quarter of the steps, beside that of the final predictions; a point a run",
}
"""Captions of the figures by file name."""

_COMPARISON = {
    "y_mod_f": "F of Y_mod, start",
    "segments_f": "F, end",
    "peak_rank_correlation": "rank correlation of peaks",
    "kept_in_y_mod": "kept in Y_mod",
    "kept_in_predictions": "kept in the end",
    "short_kept_in_y_mod": "short, in Y_mod",
    "short_kept_in_predictions": "short, in the end",
}
_SHOWN_PREDICTORS = ("F of Y_mod", "events kept", "F of settled predictions")
_CORRELATION = "peak_rank_correlation"
_OF_A_SEED = ("f_before", "f_measure", "y_mod_f", "segments_f", "peak_rank_correlation")


def write_table(places: Places, path: Path, *, command: str, remarks: str = "") -> None:
    """Write the table with the figures that lie in `figures` beside it, and remarks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(table(places, command=command, figures=path.parent / "figures", remarks=remarks), "utf-8")
    part.replace(path)


def table(places: Places, *, command: str, figures: Path, remarks: str = "") -> str:
    """Return the text of `RESULTS.md`."""
    study = places.configuration
    results = {
        (run.name, seed): result
        for run in study.runs
        for seed in study.seeds
        if (result := read_result(places.run(run, seed), digest=study.digest(run))) is not None
    }
    pretrained = [
        result
        for seed in study.seeds
        if (result := read_result(places.pretraining(seed), digest=study.digest())) is not None
    ]
    made = [*results.values(), *pretrained]
    cells = [(run.name, seed) for run in study.runs for seed in study.seeds]
    parts, shared = _data(places)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("results.md.j2").render(
        study=study,
        parts=parts,
        shared=shared,
        short_frames=SHORT_FRAMES,
        scores=_scores(study, results),
        by_errors=_by_errors(study, results) if len({run.errors for run in study.runs}) > 1 else "",
        comparison=_comparison(study, results),
        looks=_looks(study, results),
        ordering=_ordering(study, results),
        least_difference=LEAST_DIFFERENCE,
        seeds=_each_seed(study, results),
        figures=[(name, text) for name, text in CAPTIONS.items() if (figures / name).exists()],
        command=command,
        remarks=remarks.strip(),
        machine=made[0]["machine"] if made else None,
        pretrained=len(pretrained),
        done=len(results),
        minutes=round(sum(result["seconds"] for result in made) / 60),
        inspection=_percent(list(results.values()), "inspection_share"),
        cells=len(cells),
        has_left_out=len(_done(study, results)) < len(study.runs),
        missing=[f"{run}, seed {seed}" for run, seed in cells if (run, seed) not in results],
    )


def _data(places: Places) -> tuple[list[dict[str, Any]], int]:
    """Describe the data of each part, and count the works of the test that are trained on as well."""
    parts: list[dict[str, Any]] = []
    works = {}
    for name, sources in places.configuration.data.items():
        features = read_features(sources, places.data)
        works[name] = {each.work for each in features}
        parts.append(
            {
                "name": name,
                "recordings": len(features),
                "works": len(works[name]),
                "minutes": f"{sum(map(len, features)) / FPS / 60:.3g}",
                "origin": ", ".join(dict.fromkeys(_origin(source) for source in sources)),
            }
        )
    return parts, len((works["pretraining"] | works["finetuning"]) & works["test"])


def _origin(source: Source) -> str:
    options = source.options
    if source.dataset == "rendered":
        return f"MAESTRO performances, rendered with {Path(options['soundfont']).name}"
    chosen = options.get("versions") or options.get("split") or options.get("instruments") or ()
    return " ".join([source.dataset.upper(), *([chosen] if isinstance(chosen, str) else chosen)])


def _scores(study: Configuration, results: Results) -> str:
    rows = []
    has_paper = any(run.paper_f is not None for run in study.runs)
    for run in _done(study, results):
        of_run = _of_run(study, results, run)
        paper = [_number(run.paper_f)] if has_paper else []
        measured = [_spread(of_run, key) for key in ("f_before", "f_measure", "precision", "recall")]
        parameters = f"{of_run[0]['parameters']:,}".replace(",", " ")
        rows.append((run.name, *measured, *paper, parameters, f"{len(of_run)} of {len(study.seeds)}"))
    head = (
        "run",
        "before",
        "after",
        "precision",
        "recall",
        *(["paper: after"] * has_paper),
        "parameters",
        "seeds",
    )
    return _markdown(head, rows)


def _by_errors(study: Configuration, results: Results) -> str:
    """Tabulate the final F-measure, a row a loss and a column for errors of the weak targets."""
    errors = list(dict.fromkeys(run.errors for run in _done(study, results)))
    rows = []
    for row in dict.fromkeys(run.row for run in study.runs):
        runs = {run.errors: run for run in study.runs if run.row == row}
        scores = [_spread(_of_run(study, results, runs[each]), "f_measure") for each in errors]
        if any(scores):
            rows.append((row, *scores))
    return _markdown(("run", *(each.name or "exact" for each in errors)), rows)


def _comparison(study: Configuration, results: Results) -> str:
    rows = []
    for run in _done(study, results):
        of_run = _of_run(study, results, run)
        if run.objective != "strong":
            first = _number(_values(of_run, "first_gamma")[0]) if _values(of_run, "first_gamma") else ""
            rows.append((run.name, first, *(_spread(of_run, key) for key in _COMPARISON)))
    return _markdown(("run", "gamma, start", *_COMPARISON.values()), rows)


def _looks(study: Configuration, results: Results) -> str:
    """Tabulate what was promised at each look, the numbers of a cell in the order of the looks."""
    measures = [PREDICTORS[name][0] for name in _SHOWN_PREDICTORS]
    rows = []
    for run in study.runs:
        of_run = [result for result in _of_run(study, results, run) if result.get("looks")]
        if of_run:
            cells = [_series(look_values(of_run, LOOKED_AT, key)) for key in (*measures, _CORRELATION)]
            rows.append((run.name, *cells, _spread(of_run, "f_measure")))
    return _markdown(("run", *_SHOWN_PREDICTORS, "rank correlation of peaks", "F, end"), rows)


def _ordering(study: Configuration, results: Results) -> str:
    """Tabulate the share of pairs of runs that each predictor orders rightly: by look, and of each seed."""
    by_seed = {
        seed: [
            [
                results[run.name, seed]
                for run in study.runs
                if run.start == start and (run.name, seed) in results
            ]
            for start in get_args(Start)
        ]
        for seed in study.seeds
    }
    groups = [group for of_seed in by_seed.values() for group in of_seed]
    compared = by_seed if len(by_seed) > 1 else {}
    rows = []
    for name in PREDICTORS:
        counted = [share_ordered_rightly(groups, name, share) for share in LOOKED_AT]
        alone = [share_ordered_rightly(of_seed, name, LOOKED_AT[0]) for of_seed in compared.values()]
        shares = [_number(share) if count else "" for share, count in (*counted, *alone)]
        rows.append((name, *shares, str(counted[0][1])))
    looks = [f"after {100 * share:g} %" for share in LOOKED_AT]
    seeds = [f"seed {seed}, after {100 * LOOKED_AT[0]:g} %" for seed in compared]
    return _markdown(("predictor", *looks, *seeds, "pairs"), rows)


def _each_seed(study: Configuration, results: Results) -> str:
    rows = []
    for (name, seed), result in results.items():
        gamma = ""
        if result["first_gamma"] is not None:
            gamma = f"{result['first_gamma']:.3g} to {result['last_gamma']:.3g}"
        loss = f"{result['first_loss']:.4g} to {result['last_loss']:.4g}"
        scores = [_number(result.get(key)) for key in _OF_A_SEED]
        rows.append((name, str(seed), *scores, gamma, loss, f"{result['seconds']:.0f}"))
    head = ("run", "seed", "before", "after", "F of Y_mod, start", "F, end, same frames", "rank correlation")
    return _markdown((*head, "gamma", "loss", "seconds"), rows)


def _done(study: Configuration, results: Results) -> list[Run]:
    """List the runs that are done with a seed at least; the others are named at the end of the table."""
    return [run for run in study.runs if _of_run(study, results, run)]


def _of_run(study: Configuration, results: Results, run: Run) -> list[Result]:
    return [results[run.name, seed] for seed in study.seeds if (run.name, seed) in results]


def _values(results: Sequence[Result], key: str) -> list[float]:
    return [each[key] for each in results if each.get(key) is not None]


def _spread(results: Sequence[Result], key: str) -> str:
    values = _values(results, key)
    if len(values) < 2:
        return "".join(map(_number, values))
    return f"{mean(values):.3f} ± {stdev(values):.3f}"


def _percent(results: Sequence[Result], key: str) -> str:
    values = _values(results, key)
    return f"{100 * mean(values):.2f} %" if values else "0 %"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _series(values: Iterable[float]) -> str:
    return ", ".join("–" if math.isnan(value) else f"{value:.2f}" for value in values)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
