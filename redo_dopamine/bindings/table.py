"""All rules, by gin name."""

from collections.abc import Mapping

from redo_dopamine.bindings import of_dopamine, of_ours
from redo_dopamine.bindings.rules import Rule

# By a setting's gin name without its module, such as `redo.score_batch_size`.
RULES: Mapping[str, Rule] = {
    f"{owner}.{parameter}": rule
    for owner, rules in {**of_dopamine.RULES, **of_ours.RULES}.items()
    for parameter, rule in rules.items()
}
