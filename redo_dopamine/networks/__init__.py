"""Networks as flax modules with a `width` and a `graph()`; no Dopamine needed."""
