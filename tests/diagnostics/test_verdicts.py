"""Faults are reported once, if they persist, and healthy numbers never are."""

import pytest

from muzero.diagnostics.verdicts import LEAST_UPDATES, PATIENCE, RULES, Verdicts

HEALTHY = {
    "drift_1": 1.2,
    "drift_last": 2.5,  # of latents alone: without a loss on them they may drift as they like
    "value_drift": 0.1,
    "policy_entropy": 0.6,
    "search_entropy": 0.5,
    "search_gain": 0.05,
    "value_explained": 0.3,
    "search_lead": 0.02,
    "value_edge": 0.0,
    "replay_age": 900.0,
    "replay_age_share": 0.5,
    "replay_lag": 0.1,
    "learner_waits": 0.4,
}
FAULTS = {
    "collapsed": ({"policy_entropy": 0.01, "search_entropy": 0.004}, "the policy has collapsed", "planner.value_scale"),
    "edge": ({"value_edge": 0.4}, "values are at the edge", "model.value_limit"),
    "drift": ({"value_drift": 1.1, "drift_last": 1.4}, "imagined latents drift", "objective.latent_weight"),
    "misled": ({"search_lead": -0.3, "replay_lag": 0.01}, "the search is worse than its policy", "planner.simulations"),
    "idle": ({"search_gain": 0.0001, "policy_entropy": 0.99}, "the search is not better than its policy", "planner."),
    "starved": ({"learner_waits": 0.9}, "the learner starves", "run.updates_per_step"),
    "old": ({"replay_lag": 0.8}, "the replay is too old", "run.updates_per_step"),
}
EARLY = 0.2  # share of the run


def reported(*rows, updates=LEAST_UPDATES, done=EARLY):
    verdicts = Verdicts()
    return [message for row in rows for message in verdicts.judge(row, updates, done)]


def test_each_rule_has_a_case():
    assert {rule.name for rule in RULES} == set(FAULTS)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_persists_is_reported_once_with_its_remedy(name):
    numbers, text, remedy = FAULTS[name]
    found = reported(*[HEALTHY | numbers] * (3 * PATIENCE))
    assert len(found) == 1 and found[0].startswith(text) and remedy in found[0]


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_comes_and_goes_is_not_reported(name):
    bad = HEALTHY | FAULTS[name][0]
    assert reported(*([bad] * (PATIENCE - 1) + [HEALTHY]) * 5) == []
    assert len(reported(*([bad] * PATIENCE + [HEALTHY]) * 5)) == 1


@pytest.mark.parametrize("name", FAULTS)
def test_before_the_model_has_learned_nothing_is_judged(name):
    assert reported(*[HEALTHY | FAULTS[name][0]] * 20, updates=LEAST_UPDATES - 1) == []


@pytest.mark.parametrize(("name", "done"), [("collapsed", 0.5), ("idle", 0.05)])
def test_a_policy_may_be_certain_late_and_a_search_say_nothing_early(name, done):
    assert reported(*[HEALTHY | FAULTS[name][0]] * 20, done=done) == []


def test_values_of_a_search_with_older_weights_are_not_compared_with_those_of_the_head():
    assert reported(*[HEALTHY | {"search_lead": -0.3, "replay_lag": 0.1}] * 20) == []


def test_healthy_numbers_and_missing_ones_are_not_reported():
    assert reported(*[HEALTHY] * 50) == reported(*[{}] * 50) == []


def test_a_certain_policy_is_no_idle_search_and_a_latent_that_drifts_alone_is_no_fault():
    certain = HEALTHY | {"search_gain": 0.0, "policy_entropy": 0.1}
    alone = HEALTHY | {"drift_last": 20.0}
    assert reported(*[certain] * 20) == reported(*[alone] * 20) == []
