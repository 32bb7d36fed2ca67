"""The graph of any JAX network, derived from its program."""

from redo_dopamine.tracing.traced import TracedNetwork as TracedNetwork
from redo_dopamine.tracing.traced import check_graph as check_graph
from redo_dopamine.tracing.traced import trace_network as trace_network
