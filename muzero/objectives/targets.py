"""Training targets: pure functions of stored steps."""

import torch
from torch import Tensor

GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)  # 2**64 divided by the golden ratio, as a signed number
MIX = ((0xBF58476D1CE4E5B9 - (1 << 64), 30), (0x94D049BB133111EB - (1 << 64), 27))  # factors and shifts


def close_cuts(
    reward: Tensor, discount: Tensor, value: Tensor, known: Tensor, planned: Tensor
) -> tuple[Tensor, Tensor]:
    """End a return with the search's value where the rest of the game is unknown, or does not follow the policy.

    A return must not continue past the last known position or an action that was drawn at random.  There its reward
    becomes the value of that position and its discount 0, so that ``n_step_value`` bootstraps early.  This covers games
    that were truncated, games that are not finished, and moves made for exploration alone.

    Args:
        reward, discount: [B, W].
        value: [..., B, W + 1] the search's values, or those of each member of an ensemble.
        known: [B, W + 1] bool, true up to the last known position.
        planned: [B, W] bool, the planner chose the action.

    Returns:
        reward [..., B, W] and discount [B, W], ready for `n_step_value`.
    """
    leaves = known[:, :-1] & ~(planned & known[:, 1:])
    stays = known[:, 1:] & planned
    reward = torch.where(leaves, value[..., :-1], torch.where(stays, reward, 0.0))
    return reward, torch.where(stays, discount, 0.0)


def steps_by_age(age: Tensor, n: int, age_steps: int) -> Tensor:
    """[B] real steps before a value target bootstraps: n, less one for each `age_steps` of an age [B], at least 1.

    The older an action is, the less the present policy would take it (Ye et al. 2021, section 4.3).
    """
    return (n - age // age_steps).clamp(1, n)


def n_step_value(
    reward: Tensor, discount: Tensor, value: Tensor, n: int, trace: float = 1.0, steps: Tensor | None = None
) -> Tensor:
    """Value targets that bootstrap after n steps (Schrittwieser et al. 2020, Appendix G), or at each step in part.

    Args:
        reward: [..., B, W] to the player who moved.
        discount: [B, W] per step; negative where the turn passes, 0 where the game ended.
        value: [..., B, W + 1] the search's values, or those of each member of an ensemble, each seen by the player to
            move.
        n: steps before bootstrapping, at least 1.
        trace: lambda, the share that each step before the n-th keeps of what follows; the rest is the value there
            (Sutton and Barto 2018, eq. 12.18, cut after n steps).
        steps: [B] whole numbers from 1 to n: steps before bootstrapping in each row, where they differ; None: n.

    Returns:
        [..., B, W + 1 - n] in reward units, each seen by the player to move there.

    Raises:
        ValueError: if W < n.
    """
    if not 1 <= n <= reward.shape[-1]:
        raise ValueError(f"n = {n}; expected 1 to the {reward.shape[-1]} steps of the window")
    rewards, discounts, values = (numbers.unfold(-1, n, 1) for numbers in (reward, discount, value[..., 1:]))
    # Of each step: how much of a return is left when it comes, and what it adds; only the last takes its whole value.
    left = torch.cat([torch.ones_like(discounts[..., :1]), trace * discounts[..., :-1]], -1).cumprod(-1)
    taken = torch.ones_like(discounts[0, 0])
    taken[:-1] = 1 - trace
    if steps is not None:
        after = torch.arange(1, n + 1, device=steps.device) - steps[:, None, None]  # [B, 1, n], of each step
        left, taken = left * (after <= 0), torch.where(after == 0, 1.0, taken)
    return (left * (rewards + discounts * taken * values)).sum(-1)


def members_of(number: Tensor, members: int, share: float) -> Tensor:
    """[M, N] bool: the members of an ensemble that learn from rows of these numbers [N] int64.

    Each learns from this share of all rows, independently of the others, and from the same rows always: a mixing
    function of row and member decides (the finaliser of SplitMix64, Steele et al. 2014, in 64 bits that wrap).
    """
    x = number + GOLDEN * (1 + torch.arange(members, device=number.device)).unsqueeze(-1)
    for factor, shift in MIX:
        x = (x ^ (x >> shift & ((1 << (64 - shift)) - 1))) * factor
    return (x >> 40 & 0xFFFF) < round(share * 0x10000)
