"""Summary of the demo in words."""

from warplens.demo.run import Demo


def describe(demo: Demo) -> str:
    """Describe what was kept and lost, and where the files lie, in lines of at most 100 characters."""
    lines = [
        f"A piece of music ({demo.seconds:.0f} s), heard by a simple pitch front end. Notes that the",
        f"loss keeps, since their level in Y_mod, the modified target, reaches {demo.piece.threshold:g}:",
        "",
        "  gamma   staccato    sustained",
    ]
    for gamma, kept in zip(demo.piece.gammas, demo.kept, strict=True):
        staccato = "{} of {}".format(*kept["staccato"])
        sustained = "{} of {}".format(*kept["sustained"])
        lines.append(f"  {gamma:<5g}   {staccato:<9}   {sustained}")
    lines += [
        "",
        "The paper's Figure 2: peaks in Y_mod of events that last 2, 1 and 5 frames, though every prediction",
        "is right.",
        "",
        "  gamma   2 frames   1 frame   5 frames",
    ]
    for gamma, (a, b, c) in zip(demo.figure_2.gammas, demo.figure_2.levels.peak, strict=True):
        lines.append(f"  {gamma:<5g}   {a:<8.3f}   {b:<7.3f}   {c:.3f}")
    lines += [
        "",
        "Look at Y_mod in the report, item 'piece'. From gamma 0.1 to gamma 10 the staccato notes fade from",
        "blue to orange, under the threshold: a network trained so unlearns them. The sustained notes stay;",
        "their onsets blur.",
        "",
        f"Report: {demo.run.report}",
        f"Sound:  {demo.recording}",
        f"        {demo.target_sounds[-1]}",
        "        and one for each gamma: left the piece, right Y_mod, as loud as its levels",
    ]
    return "\n".join(lines)
