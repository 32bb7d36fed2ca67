"""Continuous control: environments of Gymnasium, and the runner of agents in them."""
