"""`python -m studies.mpe`."""

from studies.mpe.commands import main

main(prog_name="python -m studies.mpe")
