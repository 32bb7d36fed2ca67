"""Dormancy and recycling as pure functions of arrays and pytrees.

Nothing here knows of gin, Dopamine, TensorFlow, files or the time of day.
Read it in this order: `graph` (which weights feed a neuron, which read it),
`scores` (what one neuron is worth), `masks` (which neurons are dormant),
`recycle` (new parameters and optimizer state), `interventions` (the same with a
schedule, as one argument of an agent), `metrics` (what to measure and log). Beside
them stand `optimizers` (regularizers in an optax chain) and `moments` (what recycling
does to an optimizer's state).
"""
