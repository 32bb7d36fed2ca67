"""He's claims at his own length: PPO on HalfCheetah for 20 million agent steps.

He, "Rethinking Plasticity in Deep Reinforcement Learning", 2026 (arXiv 2603.21173). The
plan, committed before the first counted run. What is not named here is as in
`ppo_activation`, `regression_probe`, `perturb` and `gradient_free`.

**Runs**: PPO with ReLU, without an activation function, and with tanh, so that "no
activation" is not taken for "no saturation"; then three probes from their networks.
**Seeds**: 100 to 102, all arms of a seed before the next. It ends when they are done;
nothing is looked at to decide whether to go on. All intervals are 95% t or Welch
intervals of three seeds, which are wide: a claim that they cannot decide is "open".

**PPO**, each over the last tenth of the gradient steps unless it says otherwise:

- P1, figure 1: ReLU has a larger dormant fraction (tau .1) than none, and a larger mean
  training return over the whole run ("converges faster"). Both must hold.
- P2, appendix B, of ReLU: the zero-gradient fraction is larger than over the first
  tenth; so is the dormant fraction at tau 0.
- P3, appendix B, of ReLU: the zero-gradient fraction of the last hidden layer is larger
  than that of the first, for policy and value network each.
- P4, "steeper", of ReLU: log sharpness is larger than over the first tenth.

Each holds where the interval's lower bound is above 0, is contradicted where the upper
bound is below 0, and is open otherwise; Holm's correction over the tests of P1 to P4.

**Probes**. The outcome is the log of the last epoch's test loss.

- Q1, figures 3 and 5, parity: aged minus fresh, at each of four learning rates and for
  each activation. Parity where the interval is within log 1.25 of 0; worse or better
  where it is wholly beyond that; open otherwise. "Holds" if there is parity at all
  rates for ReLU and for none; "contradicted" if any of them is worse or better.
- Q2, perturbation: noise on zero-gradient neurons minus none. "Does no harm" where the
  upper bound is below log 1.25; "helps" where it is below 0.
- Q3, gradient-free: evolution minus Adam, each at its best of three rates by the mean
  loss. Holds where the upper bound is below 0, contradicted where the lower is above.
"""

import dataclasses

from redo_dopamine.studies.catalogue import he2026, he2026_probes
from redo_dopamine.studies.study import Setting, Study

_SEEDS = (100, 101, 102)
_STEPS = 20_000_000
_STEPS_OF_ROLLOUT, _UPDATES_OF_ROLLOUT = 2_048, 320
_METRICS = (
    "[@magi(), @loss_gradient(), @weight_statistics(), @weight_norm(), "
    "@effective_rank(), @stable_rank(), @previous_share(), @sharpness()]"
)
_CLOCKS = {
    **he2026.PPO.clocks,
    "Runner.num_iterations": 100,
    "Runner.training_steps": _STEPS // 100,
    "create_optimizer.anneal_steps": _STEPS // _STEPS_OF_ROLLOUT * _UPDATES_OF_ROLLOUT,
    "RecycledPPOAgent.tracking_period": 20 * _UPDATES_OF_ROLLOUT,
}
# PPO's networks have two hidden layers here; what begins with them is of ReLU's runs.
_AGED: dict[str, Setting] = {
    **he2026_probes.AGED,
    "aged_network.root": "'runs/ppo_long'",
}
_TRAPPED: dict[str, Setting] = {**_AGED, "aged_network.arm": "'relu'"}

PPO_LONG = dataclasses.replace(
    he2026.PPO_ACTIVATION,
    name="ppo_long",
    claim="Over 20 million agent steps PPO with ReLU has more dormant neurons than PPO "
    "without an activation function, converges faster all the same, and its neurons "
    "lose their gradients for good, most in the last layer.",
    source="He, 2026 (arXiv 2603.21173), figures 1 and 6",
    arms=tuple(
        he2026.ppo_arm(
            name,
            word,
            {"PPONetwork.activation": function, "RecycledPPOAgent.metrics": _METRICS},
        )
        for name, (word, function) in he2026_probes.ACTIVATIONS.items()
    ),
    games_by_name=(),
    seeds=_SEEDS,
    length=_STEPS,
    differs="",
    protocol=dataclasses.replace(he2026.PPO, clocks=_CLOCKS),
)


def _probe(study: Study, **fields: object) -> Study:
    return dataclasses.replace(
        study,
        name=f"{study.name}_long",
        seeds=_SEEDS,
        differs="",
        **fields,  # type: ignore[arg-type]
    )


REGRESSION_PROBE_LONG = _probe(
    he2026_probes.REGRESSION_PROBE,
    arms=tuple(
        arm
        for activation in he2026_probes.ACTIVATIONS
        for arm in he2026_probes.regression_pair(activation, _AGED)
    ),
)
PERTURB_LONG = _probe(he2026_probes.PERTURB, arms=he2026_probes.perturb_arms(_TRAPPED))
GRADIENT_FREE_LONG = _probe(
    he2026_probes.GRADIENT_FREE, arms=he2026_probes.gradient_free_arms(_TRAPPED)
)
