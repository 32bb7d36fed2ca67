"""Why a layer is not recycled, and what to do about it."""

REMEDIES: dict[str, str] = {}


def _reason(text: str, remedy: str) -> str:
    REMEDIES[text] = remedy
    return text


_TRACK = "Leave it; the rest of the network is recycled without it."
_PLAIN = "Use each parameter as it is, in one place."
_APART = "Give every layer a kernel of its own."

ONE_ENTRY_FEEDS_SEVERAL = _reason(
    "one entry of a parameter feeds several neurons", _APART
)
ONE_ENTRY_READS_SEVERAL = _reason(
    "one entry of a parameter reads several neurons", _APART
)
PARTLY_CONSTANT = _reason("some of its neurons are fed by no parameter", _PLAIN)
NEVER_ZERO = _reason(
    "it is read by a kernel that is not 0 where its parameters are",
    "Read it by a parameter itself, or by one that is multiplied.",
)
COMBINED_WITH_SEVERAL = _reason("a neuron is combined with several others", _TRACK)
COMBINED_INSIDE = _reason("some of its neurons are combined with one another", _TRACK)
UNEVEN = _reason("its neurons do not stand equally often in what is read", _TRACK)
SUMMED = _reason(
    "a kernel reads what several of its neurons make together (a sum over neurons, or "
    "one neuron that acts on many)",
    _TRACK,
)
ADDED_TO_INPUT = _reason(
    "residual stream: it is combined with a value that is no neuron's, such as the "
    "input",
    _TRACK,
)
STREAM = _reason(
    "residual stream: several kernels write its channels, and it is read in between",
    _TRACK,
)
OUTPUT = _reason("it reaches the output without a kernel in between", _TRACK)
UNREAD = _reason("no kernel reads it", "Leave it out, or read it by a parameter.")
TWO_ACTIVATIONS = _reason("product of two activations, as in attention", _TRACK)
CONSTANT_KERNEL = _reason(
    "it is read by a constant, or by what is computed from several parameters",
    "Pass the kernel as a parameter of its own.",
)
OTHER_AXIS = _reason("its neurons are mixed along another axis by a kernel", _TRACK)
ONE_POSITION = _reason("its neurons differ from position to position", _TRACK)
PADDED = _reason("it is padded with values that are not 0", "Pad with 0.")
POOLED = _reason("it is pooled across neurons", "Pool over positions only.")
INDEX = _reason("it is used as an index", _TRACK)
PICKED = _reason("its neurons are picked by an index that depends on data", _TRACK)
NORM_BETWEEN = _reason(
    "it is read before and after its neurons are normalized together", _TRACK
)
LOOP_OVER = _reason("a loop runs over its neurons", "Write the loop as a product.")
LOOP_START = _reason(
    "a loop starts with a value that is no neuron's", "Start the loop with zeros."
)
LOOP_OPEN = _reason("a loop does not settle on which neuron is which", _TRACK)
WHILE = _reason(
    "it passes through a while_loop, whose values cannot be collected",
    "Use lax.scan, or fori_loop with bounds that are known.",
)
DECIDES = _reason("it decides a cond", _TRACK)
BRANCH = _reason(
    "it is computed inside a cond, whose values cannot be collected",
    "Use jnp.where.",
)
OWN_DERIVATIVE = _reason(
    "it is computed inside a function with a derivative of its own, whose values "
    "cannot be collected",
    "Leave custom_jvp and custom_vjp to activation functions.",
)
TIED = _reason(
    "tied weights: one parameter feeds it, and feeds or reads others", _APART
)
SHARED = _reason(
    "shared weights: a kernel that reads it reads something else, too", _APART
)
COMPUTED = _reason(
    "a kernel is computed from several entries of its parameters", _PLAIN
)
JOINT = _reason(
    "gate: several kernels feed each neuron through a product or another activation",
    "trace_network(..., joint=True) recycles it as a whole.",
)
LINEAR = _reason(
    "it is linear: read without an activation function",
    "trace_network(..., linear=True) recycles it.",
)


def unknown(name: str) -> str:
    """It passes through a primitive that is not on the list of those understood."""
    text = f"it passes through {name!r}, which is not understood"
    return _reason(text, "Write it with primitives that are, or ask for this one.")
