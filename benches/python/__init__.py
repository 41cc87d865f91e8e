"""Whole calls, timed against a yardstick and against the packages that install from PyPI.

`python -m benches.python`, from the root of the repository, checks each result against float64, times it, and
measures memory and exactness; `--help` lists the parts. It prints tables and writes one record as JSON.

    workloads       sizes, costs and data
    contenders/     implementations: warplens (`ours`), peers (`peers`, `ddtw`, `aeon`), CTC for
                    comparison (`ctc`); `roster` lists them
    measure/
        yardstick   one exp a cell and two matrix products: every ratio refers to them
        truth       float64 results and distances from them
        timing      seconds of calls that alternate in rounds
        race        checks, then runs that alternate
        memory      the rise of the peak in a fresh process
        wrapper     a training step beside the NumPy call that does the same work
        exactness   errors of gradients and soft alignments in float32
        comparison  calls beside a plain call of the same run, each with its goal, for the six below
        cliffs      precisions, outputs and options of the NumPy calls
        torch_cliffs        options and derivatives of the PyTorch loss
        many_small_pairs    `cdist` and barycenters
        ctc         `CTCLoss` beside that of torch
        forward_sum         `ForwardSumLoss` beside torch's `ctc_loss`, item after item
        ddtw_losses         losses of ddtw beside the same of ours
        reference   float64 results in NumPy, which these are held against
        kernels     results of the kernel benchmarks (`cargo bench`)
        long_pair   one pair of 100 000 x 5 000 frames
    machine         processor, instruction set, threads, versions
    report          tables and the record

Commands of their own: `devices` (forward and backward on a GPU), `corpus` (runs over many items),
`triton_kernels` (kernels compiled ahead of time).
"""
