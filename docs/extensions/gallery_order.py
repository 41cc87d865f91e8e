"""Order of the examples: what to read first stands first."""

from sphinx_gallery.sorting import ExampleTitleSortKey

ORDER = (
    "plot_figure_2.py",
    "plot_loss_in_training.py",
    "plot_choosing_gamma.py",
    "plot_learned_step_weights.py",
    "plot_ctc.py",
    "plot_open_ends.py",
    "plot_align_many.py",
    "plot_bands.py",
    "plot_time_series.py",
)


class ByLesson(ExampleTitleSortKey):
    """Place in `ORDER`; what it does not name comes last, by title."""

    def __call__(self, filename: str) -> tuple[int, str]:
        """Return the key of an example."""
        place = ORDER.index(filename) if filename in ORDER else len(ORDER)
        return place, super().__call__(filename)
