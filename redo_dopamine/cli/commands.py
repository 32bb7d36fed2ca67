"""The commands that there are."""

# What comes after `redo-dopamine`: the module that is run, and what it does.
COMMANDS = {
    "train": ("redo_dopamine.train", "train an agent from gin files"),
    "report": ("redo_dopamine.report", "write the page of a run, or of a study"),
    "inspect": ("redo_dopamine.inspect", "measure a checkpoint, neuron by neuron"),
    "play": ("redo_dopamine.tools.play", "evaluate a checkpoint, and film it"),
    "studies": ("redo_dopamine.studies", "list studies, or show one"),
    "launch local": ("redo_dopamine.launch.local", "run a study on this machine"),
    "launch slurm": ("redo_dopamine.launch.slurm.submit", "submit a study to Slurm"),
    "data": ("redo_dopamine.offline", "record an agent's transitions, or teacher data"),
    "demo": ("redo_dopamine.tools.demo", "train with ReDo and without, and compare"),
    "completion": ("redo_dopamine.tools.completion", "complete in bash and zsh"),
    "catalogue": ("redo_dopamine.tools.catalogue", "list every gin name"),
}
