"""A probabilistic ensemble of dynamics, whose state is what was observed (Chua et al. 2018, PETS)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from muzero.config import ConfigError, Range
from muzero.interfaces import GameSpec, Latent, Observed, Prediction, Transition, WorldModel
from muzero.models.blocks import Standardised, mlp, zero
from muzero.models.ensemble_heads import EnsembleLinear, EnsembleTwoHot, Waves
from muzero.models.heads import policy_of, support
from muzero.models.latent import Atoms, Limit, Prior, Size

MOST_NUMBERS = 4096  # of an observation; each is predicted by each member
LOG_VARIANCES = (-10.0, 0.5)  # within which they start (Chua et al. 2018, appendix A.1)
RARE = 4.0  # logits below a probability of one half, with which marks begin
LEAST = 1e-6  # chance of a mark, so that what is lost by a surprise is bounded
FAR = 1e9  # a bound before anything was seen
BOUND_COST = 0.01  # of the distance of the bounds, which are learned


class EnsembleModel(WorldModel):
    """Members that each predict the next observation, the reward and the end of the game, from other weights.

    Latents are observations, so what is imagined can be compared with what is seen, and doubt about a state is doubt
    about all that follows.  Without noise a step leads to the mean of the members' means; with noise, to a draw of one
    member's distribution ("trajectory sampling", TS1).
    """

    expects = True
    atoms_of_value: Tensor
    atoms_of_reward: Tensor
    atoms_of_discount: Tensor
    low: Tensor
    high: Tensor
    usual: Tensor

    def __init__(
        self,
        spec: GameSpec,
        *,
        width: Size = 128,
        layers: Annotated[int, Range(1, 8)] = 2,
        numbers: Literal["real", "marks"] = "real",
        atoms: Atoms = 51,
        value_limit: Limit = 300.0,
        reward_limit: Limit = 300.0,
        members: Annotated[int, Range(2, 64)] = 5,
        prior: Prior = 1.0,
        length: Annotated[float, Range(0.001, 1000.0)] | None = None,
        state_prior: Prior = 0.1,
        novelty: Annotated[float, Range(0.0, 1e6)] = 0.0,
    ) -> None:
        """Make the networks.

        Args:
            spec: of the game, whose observations are rows of numbers.
            width: numbers in each hidden layer.
            layers: hidden layers of each network.
            numbers: what observations hold.  "real": each is shifted and scaled to mean 0 and variance 1 over what was
                learned from, and expected to be normally distributed.  "marks": each is 0 or 1, as in a map of what is
                where, and has a probability.
            atoms: numbers over which value and reward are distributions; more are finer and slower.
            value_limit: the largest value in reward units that can be predicted, see vector.
            reward_limit: the largest reward of one step that can be predicted.
            members: networks side by side.
            prior: standard deviation of the random functions that the members add to rewards and values, in reward
                units, see vector.
            length: distance of states over which these functions change.  "none": half the root of the size of an
                observation where its numbers are real; 0.5 for marks, so that no state is like another.
            state_prior: standard deviation of such functions that the members add to the states that they expect, as a
                share of that of real numbers.  Without them, members agree where they were not taught.
            novelty: reward units of doubt where the members' predictions of the next observation differ as much as they
                usually do over what was learned from.  With planner.optimism, what is new is explored without rewards.

        Raises:
            ConfigError: if an observation has too many numbers.
        """
        super().__init__()
        size = math.prod(spec.observation)
        if size > MOST_NUMBERS:
            reason = f"an ensemble predicts each number of an observation, at most {MOST_NUMBERS:,}"
            shape = " x ".join(map(str, spec.observation))
            raise ConfigError([f"[model] kind = ensemble, and {spec.name} shows {shape}; {reason}; take spatial"])
        self.space, self.features, self.members, self.novelty = spec.actions, size, members, novelty
        self.scale = prior
        low, high = spec.returns or (-value_limit, value_limit)
        reward_low, reward_high = spec.returns or (-reward_limit, reward_limit)
        self.ranges = {"value": (low, high), "reward": (reward_low, reward_high)}
        self.register_buffer("atoms_of_value", support(low, high, atoms), persistent=False)
        self.register_buffer("atoms_of_reward", support(reward_low, reward_high, atoms), persistent=False)
        self.register_buffer("atoms_of_discount", torch.tensor(spec.discounts), persistent=False)
        self.unit = 1 / 255 if spec.dtype == "uint8" else 1.0
        self.standard = Standardised(size) if numbers == "real" else None
        self.trunk = EnsembleMlp(members, size + spec.actions.width, width, layers)
        self.state_head = NormalNumbers(members, width, size) if numbers == "real" else Marks(members, width, size)
        self.noise = 1 + self.state_head.noise
        self.reward_body = EnsembleMlp(members, size + spec.actions.width, width, layers)
        self.reward_head = EnsembleLinear(members, width, atoms, zero=True)
        self.discount_head = EnsembleLinear(members, width, len(spec.discounts), zero=True)
        self.value_body = EnsembleMlp(members, size, width, layers)
        self.value_head = EnsembleLinear(members, width, atoms, zero=True)
        self.policy_body = mlp(size, width, layers)
        self.policy_head = zero(nn.Linear(width, spec.actions.parameters))
        length = length or (math.sqrt(size) / 2 if numbers == "real" else 0.5)
        self.reward_prior = Waves(members, size, length, spec.actions.width)
        self.value_prior = Waves(members, size, length)
        self.state_scale = state_prior
        with_prior = state_prior and numbers == "real"
        self.state_prior = Waves(members, size, length, spec.actions.width, size) if with_prior else None
        self.register_buffer("low", torch.full((size,), -FAR))  # of each number of an observation that was seen
        self.register_buffer("high", torch.full((size,), FAR))
        self.register_buffer("usual", torch.ones(()))  # disagreement of the members
        with torch.no_grad():  # an untrained model should expect the game to continue
            self.discount_head.bias[..., self.atoms_of_discount == 0] = -4.0

    @property
    def actor(self) -> nn.Sequential:
        return nn.Sequential(self.policy_body, self.policy_head)

    @property
    def critic(self) -> nn.Sequential:
        return nn.Sequential(self.value_body, self.value_head)

    def memory(self, batch: int) -> Latent:
        return {}

    def encode(self, observation: Tensor) -> Tensor:
        numbers = observation.flatten(1).float() * self.unit
        if self.standard is None:
            if self.training and numbers.device.type == "cpu":  # a GPU would have to be waited for
                check_marks(numbers)
            return numbers
        if self.training:
            with torch.no_grad():
                low, high = numbers.amin(0), numbers.amax(0)
                self.low.copy_(torch.where(self.low == -FAR, low, torch.minimum(self.low, low)))
                self.high.copy_(torch.where(self.high == FAR, high, torch.maximum(self.high, high)))
        return self.standard(numbers)

    def update(
        self, memory: Latent, action: Tensor, encoded: Tensor, first: Tensor, noise: Tensor | None = None
    ) -> Latent:
        return {"state": encoded}

    def observe_sequence(
        self,
        memory: Latent,
        before: Tensor,
        action: Tensor,
        observation: Tensor,
        first: Tensor,
        noise: Tensor | None = None,
    ) -> Observed:
        """See `WorldModel`.  "observation": what members lost on average, per number; 0 where a game begins."""
        state = self.encode(observation.flatten(0, 1)).unflatten(0, first.shape)
        before, led = state[:, :-1].flatten(0, 1), self.space.encode(action[:, :-1].flatten(0, 1))
        hidden = self.trunk(torch.cat([before, led], -1))
        mean = self.expected(before, led, hidden)
        if self.training:
            with torch.no_grad():
                self.usual.lerp_(disagreement(mean).mean(), 0.01)
        lost = self.state_head.lost(hidden, mean, state[:, 1:].detach().flatten(0, 1))
        return Observed({"state": state}, {"observation": F.pad(lost.view_as(first[:, 1:]) * ~first[:, 1:], (1, 0))})

    def expected(self, state: Tensor, action: Tensor, hidden: Tensor) -> Tensor:
        """[M, B, numbers] what each member expects of the next state.

        Args:
            state: [B, numbers].
            action: [B, width of the space], encoded.
            hidden: [M, B, width], by the trunk.
        """
        mean = self.state_head(hidden, state)
        return mean if self.state_prior is None else mean + self.state_scale * self.state_prior(state, action)

    def imagine(self, latent: Latent, action: Tensor, noise: Tensor | None = None) -> tuple[Latent, Transition]:
        state, taken = latent["state"].detach(), self.space.encode(action)  # each step is learned for itself
        both = torch.cat([state, taken], -1)
        hidden, body = self.trunk(both), self.reward_body(both)
        mean = self.expected(state, taken, hidden)
        following = mean.mean(0) if noise is None else self.state_head.drawn(hidden, mean, noise)
        shift = self.scale * self.reward_prior(state, taken).squeeze(-1)
        doubt = self.novelty * disagreement(mean) / self.usual.clamp(min=1e-6) if self.novelty else None
        reward = EnsembleTwoHot(self.reward_head(body).float(), self.atoms_of_reward, shift, doubt)
        discount = self.discount_head(body).float()
        ended = EnsembleTwoHot(discount, self.atoms_of_discount, discount.new_zeros(discount.shape[:2]))
        return {"state": self.seen_before(following)}, Transition(reward, ended)

    def seen_before(self, state: Tensor) -> Tensor:
        """A state none of whose numbers is outside of what was observed."""
        if self.standard is None:
            return state
        low, high = (self.standard.scaled(bound.clone()) for bound in (self.low, self.high))  # changed in place later
        return state.clamp(low, high)

    def read(self, latent: Latent) -> Tensor:
        return latent["state"]

    def predict(self, latent: Latent) -> Prediction:
        state = latent["state"].detach()
        policy = policy_of(self.space, self.policy_head(self.policy_body(state)).float())
        logits = self.value_head(self.value_body(state)).float()
        shift = self.scale * self.value_prior(state).squeeze(-1)
        return Prediction(policy, EnsembleTwoHot(logits, self.atoms_of_value, shift))


class NormalNumbers(nn.Module):
    """What members expect of real numbers: normal distributions, whose means are read as changes."""

    def __init__(self, members: int, width: int, size: int) -> None:
        super().__init__()
        self.noise = 2 * ((size + 1) // 2)
        self.change = EnsembleLinear(members, width, size)
        self.spread = EnsembleLinear(members, width, size, zero=True)
        self.bounds = nn.Parameter(torch.tensor(LOG_VARIANCES).unsqueeze(1).repeat(1, size))

    def forward(self, hidden: Tensor, state: Tensor) -> Tensor:
        """[M, B, numbers] means, by what the trunk makes [M, B, width] of states [B, numbers]."""
        return state + self.change(hidden)

    def log_variance(self, hidden: Tensor) -> Tensor:
        """[M, B, numbers] logarithms of the variances, softly within bounds that are learned."""
        low, high = self.bounds
        return low + F.softplus(high - F.softplus(high - self.spread(hidden)) - low)

    def lost(self, hidden: Tensor, mean: Tensor, seen: Tensor) -> Tensor:
        """[B] negative log density of what was seen [B, numbers], without constants: mean over members and numbers."""
        log_variance = self.log_variance(hidden)
        squares = (seen - mean).square() * (-log_variance).exp()
        return 0.5 * (squares + log_variance).mean((0, -1)) + BOUND_COST * (self.bounds[1] - self.bounds[0]).mean()

    def drawn(self, hidden: Tensor, mean: Tensor, noise: Tensor) -> Tensor:
        """[B, numbers] of one member each, by uniform numbers [B, 1 + noise] in (0, 1].

        The first draws the member; the others are pairs for normal numbers (Box and Muller 1958).
        """
        radius, turn = noise[:, 1:].unflatten(1, (2, -1)).unbind(1)
        radius, turn = (-2 * radius.log()).clamp(min=0).sqrt(), 2 * math.pi * turn
        normal = torch.cat([radius * turn.cos(), radius * turn.sin()], 1)[:, : mean.shape[-1]]
        return of_one(mean, noise) + normal * (0.5 * of_one(self.log_variance(hidden), noise)).exp()


class Marks(nn.Module):
    """What members expect of marks, each 0 or 1: probabilities."""

    def __init__(self, members: int, width: int, size: int) -> None:
        super().__init__()
        self.noise = size
        self.logits = EnsembleLinear(members, width, size)
        with torch.no_grad():
            self.logits.bias.sub_(RARE)  # most marks are rare

    def forward(self, hidden: Tensor, state: Tensor) -> Tensor:
        """[M, B, numbers] probabilities, by what the trunk makes [M, B, width] of states."""
        return self.logits(hidden).sigmoid()

    def lost(self, hidden: Tensor, mean: Tensor, seen: Tensor) -> Tensor:
        """[B] negative log probability of what was seen [B, numbers]: mean over members and numbers."""
        chance = mean.float().clamp(LEAST, 1 - LEAST)
        return -torch.where(seen > 0.5, chance, 1 - chance).log().mean((0, -1))

    def drawn(self, hidden: Tensor, mean: Tensor, noise: Tensor) -> Tensor:
        """[B, numbers] of one member each, which the first of uniform numbers [B, 1 + numbers] in (0, 1] draws."""
        return (noise[:, 1:] <= of_one(mean, noise)).float()


def of_one(numbers: Tensor, noise: Tensor) -> Tensor:
    """[B, numbers] of the member, out of [M, B, numbers], that the first of uniform numbers [B, ...] draws."""
    count = len(numbers)
    member = (noise[:, 0] * count).ceil().long().clamp(1, count) - 1
    return numbers.gather(0, member.view(1, -1, 1).expand(1, *numbers.shape[1:]))[0]


class EnsembleMlp(nn.Module):
    """M networks of hidden layers side by side: [B, inputs] -> [M, B, width]."""

    def __init__(self, members: int, inputs: int, width: int, layers: int) -> None:
        super().__init__()
        sizes = [inputs] + [width] * layers
        self.layers = nn.ModuleList(EnsembleLinear(members, *pair) for pair in pairwise(sizes))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = F.silu(norm(layer(x)))
        return x


def check_marks(numbers: Tensor) -> None:
    """Refuse an observation that holds other numbers than 0 and 1."""
    other = numbers[(numbers != 0) & (numbers != 1)]
    if len(other):
        given = f'[model] numbers = "marks", and an observation holds {other[0].item():g}'
        raise ConfigError([f'{given}; expected 0 and 1 alone; take numbers = "real"'])


def disagreement(mean: Tensor) -> Tensor:
    """[B] root of the mean variance between the members' predictions [M, B, numbers]."""
    return mean.var(0, correction=0).mean(-1).clamp(min=1e-12).sqrt()
