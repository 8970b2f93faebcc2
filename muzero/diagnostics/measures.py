"""Numbers that say whether a run is healthy: functions of a model and of experience that change neither.

They are measured on the newest rows of the replay.  Hardly any update has seen these, so the numbers say how a model
does on what it has not learned by heart; and weights much like the present ones played them, so that what the search
stored can be compared with what the heads say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from muzero.data.replay import Replay
from muzero.data.windows import window
from muzero.interfaces import Latent, Window, WindowSize, WorldModel
from muzero.objectives.latents import rows, unexplained
from muzero.objectives.targets import close_cuts, n_step_value

ROWS = 256  # that are measured at a time
SPREAD = 2  # times as many rows, over which they are spread
LEAST = 32  # rows without which a number is left out
EDGE = 0.05  # share of the range of values that counts as its edge, at either end
WORST = -1.0  # of a share that is explained; it has no lower limit
MOST = 10.0  # of a share that is left unexplained; it has no upper limit where what is observed hardly varies


def newest(replay: Replay, size: WindowSize, count: int = ROWS) -> tuple[Window, Tensor]:
    """The windows that begin at about `count` of the newest rows, and the legal actions [B, A] there.

    Rows of which it is not known what their step led to are left out.  No generator of the replay is used.
    """
    span, rng = min(len(replay), SPREAD * count), np.random.default_rng(replay.written)
    # At random: even distances would meet the same moves of games that are equally long.
    numbers = replay.written - 1 - rng.choice(span, min(span, count), replace=False)
    numbers = numbers[replay.priority[numbers % replay.capacity] > 0]
    weight = np.ones(len(numbers))
    found = window(replay.rows, replay.spec, numbers, size, weight, replay.written, rng)
    return found, torch.from_numpy(replay.rows["legal"][numbers % replay.capacity])


@torch.inference_mode()
def measure(model: WorldModel, seen: Window, legal: Tensor, unroll: int) -> dict[str, float]:
    """Numbers about a model that acts, by name; a number for which too few rows serve is left out.

    Args:
        model: is used in eval mode, and left as it is.
        seen: windows without context, on the device of the model, of at least unroll + 1 observations and steps.
        legal: [B, A] the legal actions at the first position; [B, 0] where actions cannot be listed.
        unroll: steps that the model imagines.
    """
    with evaluating(model):
        latents = observe(model, seen, unroll)
        found = drift(model, latents, seen, unroll)
        prediction = model.predict(at(latents, 0))
        here = seen.known[:, 1] & ~seen.over[:, 0]
        if legal.shape[1]:
            found |= policy(prediction.policy, seen, legal.to(here.device), here)
        found |= value(prediction.value.mean, seen, here, model.ranges.get("value"))
    return {name: number for name, number in found.items() if math.isfinite(number)}


@contextmanager
def evaluating(model: WorldModel) -> Iterator[None]:
    """A model in eval mode, and afterwards in the mode in which it was."""
    mode = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(mode)


def observe(model: WorldModel, seen: Window, unroll: int) -> Latent:
    """The latents [B, K + 1, ...] of the observations at the sampled positions and the K after them."""
    positions = slice(0, unroll + 1)
    action, observation, first = (field[:, positions] for field in (seen.action, seen.observation, seen.first))
    return model.observe_sequence(model.memory(len(first)), seen.before, action, observation, first).latent


def at(latents: Latent, position: int) -> Latent:
    """The latents of one position of a sequence."""
    return {name: tensor[:, position] for name, tensor in latents.items()}


def drift(model: WorldModel, latents: Latent, seen: Window, unroll: int) -> dict[str, float]:
    """How far imagination leaves what is observed, after one step and after all of them.

    "drift_1" and "drift_last": the share of the variance of observed latents that imagined ones leave unexplained.
    "value_drift": the same for the values that the model sees in them after the last step.  Each is at most `MOST`.
    """
    imagined, found = at(latents, 0), {}
    known = seen.known & ~seen.over
    for k in range(1, unroll + 1):
        imagined, _ = model.imagine(imagined, seen.action[:, k - 1])
        observed, there = at(latents, k), known[:, k]
        if there.sum() < LEAST or k not in (1, unroll):
            continue
        share = left(rows(model.seen(imagined)), rows(model.seen(observed)), there)
        found |= ({"drift_1": share} if k == 1 else {}) | ({"drift_last": share} if k == unroll else {})
        if k == unroll:
            believed, true = (model.predict(latent).value.mean.unsqueeze(-1) for latent in (imagined, observed))
            found["value_drift"] = left(believed, true, there)
    return found


def left(imagined: Tensor, observed: Tensor, there: Tensor) -> float:
    """The share of the variance of what was observed [B, F] that is left unexplained, where `there`; at most `MOST`."""
    return min(unexplained(imagined, observed, there)[there].mean().item(), MOST)


def policy(head, seen: Window, legal: Tensor, here: Tensor) -> dict[str, float]:
    """How undecided policies are, and how far the search moves them.

    "policy_entropy" and "search_entropy": the entropy of the model's policy and of the search's, as shares of that of
    the uniform policy over the legal actions.  "search_gain": the Kullback-Leibler divergence of the search's policy
    from the model's, in nats.
    """
    choices = legal.sum(-1)
    weights, head = seen.policy[:, 0], head.masked(legal)
    searched = here & (choices > 1) & seen.taught[:, 0]
    if searched.sum() < LEAST:
        return {}
    most = choices.float().log()[searched]
    entropy = torch.special.entr(weights).sum(-1)[searched]
    candidates = None if seen.candidates is None else seen.candidates[:, 0]
    return {
        "policy_entropy": (torch.special.entr(head.weights()).sum(-1)[searched] / most).mean().item(),
        "search_entropy": (entropy / most).mean().item(),
        "search_gain": (head.loss(weights, candidates)[searched] - entropy).mean().item(),
    }


def value(found: Tensor, seen: Window, here: Tensor, limits: tuple[float, float] | None) -> dict[str, float]:
    """How well values [B] predict returns.

    A return is that of all steps of a window: to the end of the game where the window reaches it, else with the
    search's value of the last position.

    "value_explained": the share of the variance of returns that the value head explains: 1 where it is exact, 0 where
    it is as good as their mean, at least `WORST`.
    "search_lead": how much more of it the search's values explain than those of the head, each at its best linear fit:
    the search's are of older weights, so their scale is not that of the present.
    "value_edge": the share of values, of the head or of returns, at the edge of the model's range.
    """
    here = here & seen.known[:, -1]
    if here.sum() < LEAST:
        return {}
    target, searched = returns(seen), seen.value[:, 0]
    shares = {"value_explained": max(1 - left(found.unsqueeze(-1), target.unsqueeze(-1), here), WORST)}
    shares["search_lead"] = linearly(searched[here], target[here]) - linearly(found[here], target[here])
    if limits is not None:
        low, high = limits
        margin = EDGE * (high - low) / 2
        outside = [(number <= low + margin) | (number >= high - margin) for number in (found, target)]
        shares["value_edge"] = (outside[0] | outside[1])[here].float().mean().item()
    return shares


def returns(seen: Window) -> Tensor:
    """[B] the return of all steps of each window, the same whether its actions were planned or drawn."""
    every = torch.ones_like(seen.planned)
    reward, discount = close_cuts(seen.reward, seen.discount, seen.value, seen.known, every)
    return n_step_value(reward, discount, seen.value * (seen.known & ~seen.over), reward.shape[1])[:, 0]


def linearly(found: Tensor, target: Tensor) -> float:
    """The share of the variance of targets [B] that a linear function of predictions [B] explains; 0 without any."""
    spread = found.std() * target.std()
    covariance = ((found - found.mean()) * (target - target.mean())).sum() / (len(found) - 1)
    return (covariance / spread).square().item() if spread > 0 else 0.0


def age(replay: Replay, batch: np.ndarray, newest: np.ndarray, updates: int) -> dict[str, float]:
    """How old experience is, in updates since the weights that played it, or that planned it again since.

    "replay_age": the mean of a batch.  "replay_age_share": that, as a share of all updates; about half where nothing is
    forgotten.  "replay_lag": the mean of the newest rows, as a share of all updates.

    Args:
        replay: that both were drawn from.
        batch: [B] numbers of the rows of a batch.
        newest: [N] numbers of the newest rows.
        updates: of the learner so far, at least 1.
    """
    mean, lag = (updates - float(replay.rows["version"][rows % replay.capacity].mean()) for rows in (batch, newest))
    return {"replay_age": mean, "replay_age_share": mean / updates, "replay_lag": lag / updates}


@torch.inference_mode()
def spreads(model: WorldModel, seen: Window, legal: Tensor) -> dict[str, np.ndarray]:
    """Numbers of which the mean alone says too little, by name, one for each position.

    "value_head", "value_search" and "return": of the same positions.  "policy_entropy" and "search_entropy": as shares
    of that of the uniform policy over the legal actions, where there are two or more; see `measure` for the arguments.
    """
    with evaluating(model):
        latent = at(observe(model, seen, 0), 0)
        prediction = model.predict(latent)
        here = seen.known[:, 1] & ~seen.over[:, 0]
        found = {"value_head": prediction.value.mean[here], "value_search": seen.value[:, 0][here]}
        found["return"] = returns(seen)[here & seen.known[:, -1]]
        choices = legal.to(here.device).sum(-1)
        searched = here & (choices > 1) & seen.taught[:, 0]
        if legal.shape[1] and searched.any():
            most = choices.float().log()[searched]
            head = prediction.policy.masked(legal.to(here.device)).weights()
            for name, weights in (("policy_entropy", head), ("search_entropy", seen.policy[:, 0])):
                found[name] = torch.special.entr(weights).sum(-1)[searched] / most
    return {name: numbers.float().cpu().numpy() for name, numbers in found.items() if numbers.numel()}


@torch.no_grad()
def gradients(*modules: nn.Module) -> dict[str, float]:
    """The norm of the last update's gradient, after clipping, of each part of these modules that has one."""
    parts = {
        name: norms
        for module in modules
        for name, part in module.named_children()
        if (norms := [each.grad.norm().float() for each in part.parameters() if each.grad is not None])
    }
    if not parts:
        return {}
    found = torch.stack([torch.stack(norms).norm() for norms in parts.values()]).tolist()  # the device is read once
    return {name: norm for name, norm in zip(parts, found, strict=True) if math.isfinite(norm)}
