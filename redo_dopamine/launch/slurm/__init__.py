"""Launch the runs of a study as a Slurm job array."""
