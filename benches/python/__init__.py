"""Whole calls, timed against a yardstick and against the packages that install from PyPI.

`python -m benches.python`, from the root of the repository, checks each result against float64, times it, and
measures memory and exactness; `--help` lists the parts. It prints tables and writes one record as JSON.

    workloads   what is computed, and its data
    yardstick   one exp a cell and two matrix products: what every ratio refers to
    roster      who computes it: warplens (`ours`), peers (`peers`, `aeon`), CTC for comparison (`ctc`)
    truth       float64 results and distances from them
    race        checks, then runs that alternate
    memory      the rise of the peak in a fresh process
    wrapper     a training step beside the NumPy call that does the same work
    devices     a command of its own: forward and backward on a GPU
    exactness   errors of gradients and soft alignments in float32
    kernels     what the kernel benchmarks (`cargo bench`) found
    machine     where all this ran
    report      tables and the record
"""
