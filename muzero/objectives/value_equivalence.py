"""MuZero's objective: a model is right if it predicts the rewards, values and policies that planning needs."""

from typing import Annotated, Literal

import torch
from torch import Tensor

from muzero.config import ConfigError, Range
from muzero.interfaces import (
    GameSpec,
    Head,
    Latent,
    Loss,
    Objective,
    Transition,
    Window,
    WindowSize,
    WorldModel,
    observe_first,
)
from muzero.objectives.latents import bottleneck, consistency, flat, observed, rows, unexplained
from muzero.objectives.targets import close_cuts, members_of, n_step_value, steps_by_age

Weight = Annotated[float, Range(0.0, 1000.0)]
LONGEST_GAME = 512  # the largest number of steps that a return to the end of the game looks ahead


class ValueEquivalence(Objective):
    """Unrolls the model K steps along real actions and compares every head with its target.

    Sources: Schrittwieser et al. 2020, Appendix G (losses, gradient scaling); Ye et al. 2021 (consistency).
    """

    def __init__(
        self,
        spec: GameSpec,
        model: WorldModel,
        *,
        unroll: Annotated[int, Range(1, 64)] = 5,
        n_step: Annotated[int, Range(0, LONGEST_GAME)] = 5,
        bootstrap: Literal["search", "target", "best"] = "search",
        policy_weight: Weight = 1.0,
        value_weight: Weight = 0.25,
        reward_weight: Weight = 1.0,
        discount_weight: Weight = 1.0,
        consistency_weight: Weight = 2.0,
        projection: Annotated[int, Range(8, 4096)] = 128,
        latent_weight: Weight = 0.0,
        surprise_weight: Weight = 1.0,
        gradient_scale: Annotated[float, Range(0.0, 1.0)] = 0.5,
        trace: Annotated[float, Range(0.0, 1.0)] = 1.0,
        age_steps: Annotated[int, Range(0, 1_000_000_000)] = 0,
        entropy_weight: Weight = 0.0,
        member_share: Annotated[float, Range(0.01, 1.0)] = 0.5,
        member_targets: Literal["own", "mean", "min2"] = "own",
    ) -> None:
        """Make the losses, and the networks of the consistency loss.

        Args:
            spec: of the game.
            model: gives the size of a latent only.
            unroll: K, steps that the model is unrolled.  More teach longer predictions and cost time in proportion.
            n_step: real steps before a value target bootstraps; 0 uses the return to the end of the game, which suits
                board games.  More steps have less bias and more variance, and suit older data less.
            bootstrap: "search" bootstraps from the values that the search stored; "target" from the slow copy of the
                model at the same observation, which is fresher and costs a forward pass.  "best" takes no real steps:
                a target is the largest of what the slow copy expects of each action, reward and value, as in Q-learning
                (Watkins 1989), so it does not matter what was played.  It is for environments of few actions that are
                always legal; `n_step`, `trace` and `age_steps` have no effect.
            policy_weight: factor of the policy loss.  Positions that teach no policy count as 0 in its mean, so it
                falls with `selfplay.full_searches`.
            value_weight: factor of the value loss; below 1, because value targets are noisy.
            reward_weight: factor of the reward loss.
            discount_weight: factor of the loss of the discount, by which the model learns where games end.
            consistency_weight: factor of the loss that draws imagined latents to observed ones; 0 turns it off.  It
                helps most with few games and large observations.
            projection: width of the networks in which the consistency loss compares latents.
            latent_weight: factor of the share of the variance of observed latents that imagined ones leave unexplained.
                It keeps imagination exact over many steps, by which search gains on board games.
            surprise_weight: factor of what a model loses that expects observations (model.kind = "ensemble"), by having
                expected others.  Without effect on other models.
            gradient_scale: factor of the gradient at each unrolled step, so that late steps do not dominate early ones.
            trace: lambda of value targets (Sutton and Barto 2018, section 12.2): at every step before the last, a
                target keeps this share of what follows and takes the rest from the search's value there.  1 is the
                return of n steps; less has less variance and more bias.
            age_steps: steps of age, for every so many of which a value target bootstraps one step earlier than after
                `n_step`, because older actions are less what the policy would do now.  Ye et al. 2021 use 0.3 times the
                steps of the run, with values of the slow copy; 0: all after `n_step`.
            entropy_weight: factor of the entropy of the policy, which is learned to be large.  Real-valued policies
                learn from their own samples, and would narrow too early; 0 turns it off.
            member_share: share of the rows that each member of an ensemble learns from, drawn by the numbers of the
                rows, so that a row is always the same members' (Osband et al. 2016).
            member_targets: whose values the targets of an ensemble bootstrap from, unless these are the search's.
                "own": each member's from its own, so that doubt about later states arrives at earlier ones; "mean": all
                from their mean; "min2": all from the smaller of two that each update draws (Fujimoto et al. 2018),
                against values that are too high.
        """
        super().__init__()
        if bootstrap == "best" and (spec.two_player or not spec.actions.columns):
            reason = "it asks for every action, all of which are always legal; take target"
            raise ConfigError(
                [f'[objective] bootstrap = "best", and {spec.name} has {spec.actions.describe()}; {reason}']
            )
        self.unroll = unroll
        self.n_step = n_step or min(spec.max_steps or LONGEST_GAME, LONGEST_GAME)
        if bootstrap == "best":
            self.n_step = 1
        self.bootstrap = bootstrap
        steps = unroll + self.n_step
        self.window = WindowSize(steps, 1 + (steps if bootstrap == "target" else unroll))
        self.weights = {
            "policy": policy_weight,
            "value": value_weight,
            "reward": reward_weight,
            "discount": discount_weight,
            "consistency": consistency_weight,
            "latent": latent_weight,
            "entropy": entropy_weight,
        }
        self.surprise_weight = surprise_weight
        self.gradient_scale, self.trace, self.age_steps = gradient_scale, trace, age_steps
        self.member_share, self.member_targets = member_share, member_targets
        if consistency_weight:
            features = size_of_latent(model, spec)
            self.projector = bottleneck(features, projection, projection)
            self.predictor = bottleneck(projection, projection // 2, projection)

    def refuses(self, batch: int) -> str | None:
        if batch * self.unroll > 1 or not self.weights["consistency"]:
            return None
        reason = "with objective.unroll = 1 gives the consistency loss one row, and it normalises over rows"
        return f"{reason}; set learner.batch or objective.unroll to at least 2, or objective.consistency_weight = 0"

    def forward(self, model: WorldModel, target_model: WorldModel, window: Window, generator: torch.Generator) -> Loss:
        value_target = self.value_target(target_model, window, generator)
        latents, reward_loss, discount_loss, surprised = self.imagine(model, window)
        batch, positions = value_target.shape[-2:]
        prediction = model.predict(stack(latents))
        weights, candidates = (by_position(field, positions) for field in (window.policy, window.candidates))
        assert weights is not None
        policy_loss = prediction.policy.loss(weights, candidates).view(positions, batch).t()
        learns = self.learns(prediction.value, window.number, positions)
        value_loss = prediction.value.loss(value_target.mT.flatten(-2), learns).view(positions, batch).t()
        known, over = window.known[:, :positions], window.over[:, :positions]
        taught = known & ~over & window.taught[:, :positions]
        terms = {
            "policy": over_positions(policy_loss, taught),
            "value": over_positions(value_loss, known),
            "reward": (reward_loss * known[:, 1:]).mean(1),
            "discount": (discount_loss * known[:, 1:]).mean(1),
        }
        if self.weights["entropy"]:
            size = positions * batch, prediction.policy.noise
            noise = 1 - torch.rand(size, generator=generator, device=generator.device)  # in (0, 1]
            terms["entropy"] = over_positions(-prediction.policy.entropy(noise).view(positions, batch).t(), taught)
        terms |= self.latent_terms(model, latents, window, (known & ~over)[:, 1:])
        terms |= self.surprise_terms(model, window, (known & ~over)[:, 1:])
        aim = value_target if value_target.ndim == 2 else value_target.mean(0)
        error = (prediction.value.mean.view(positions, batch)[0] - aim[:, 0]).abs().detach()
        weighted = {name: self.weights.get(name, self.surprise_weight) * term for name, term in terms.items()}
        return Loss(weighted, error + surprised, {"value_error": error})

    @torch.no_grad()
    def value_target(
        self, target_model: WorldModel, window: Window, generator: torch.Generator | None = None
    ) -> Tensor:
        """[B, K + 1] returns of n real steps and a bootstrapped value; 0 where the game is over.

        [M, B, K + 1] where each of M members bootstraps from its own values.  The generator draws the members that
        "min2" looks at.
        """
        if self.bootstrap == "best":
            return self.best_value(target_model, window, generator)
        value, steps = window.value, None
        if self.age_steps:
            steps = steps_by_age(window.age, self.n_step, self.age_steps)
        if self.bootstrap == "target":
            earliest = self.n_step if steps is None else 1  # position of a value that a target takes
            latent = observe_first(target_model, window.observation[:, earliest:].flatten(0, 1))
            head = target_model.predict(latent).value
            fresh = self.trusted(head.mean, head.members, generator).unflatten(-1, (len(value), -1))
            usable = (window.known & ~window.over)[:, earliest:]
            searched = value.expand(*fresh.shape[:-1], -1)
            value = torch.cat([searched[..., :earliest], torch.where(usable, fresh, searched[..., earliest:])], -1)
        reward, discount = close_cuts(window.reward, window.discount, value, window.known, window.planned)
        return n_step_value(reward, discount, value * (window.known & ~window.over), self.n_step, self.trace, steps)

    def best_value(self, target_model: WorldModel, window: Window, generator: torch.Generator | None) -> Tensor:
        """The value targets of bootstrap = "best", as `value_target` returns them."""
        positions = self.unroll + 1
        latent = observe_first(target_model, window.observation[:, :positions].flatten(0, 1))
        transition, value = every_action(target_model, latent)
        means = transition.reward.mean + transition.discount.mean * value.mean
        members = None
        if transition.reward.members is not None and value.members is not None:
            members = transition.reward.members + transition.discount.mean * value.members
        expected = self.trusted(means, members, generator).unflatten(-1, (-1, target_model.space.columns)).amax(-1)
        return expected.unflatten(-1, (-1, positions)) * (window.known & ~window.over)[:, :positions]

    def trusted(self, mean: Tensor, members: Tensor | None, generator: torch.Generator | None) -> Tensor:
        """The numbers [N], or [M, N] by member, that targets bootstrap from, of a mean [N] and its members [M, N]."""
        if members is None or self.member_targets == "mean":
            return mean
        if self.member_targets == "own":
            return members
        two = torch.rand(len(members), generator=generator, device=members.device).topk(2).indices
        return members[two].amin(0)

    def learns(self, head: Head, number: Tensor, steps: int) -> Tensor | None:
        """[M, steps * B] bool: the members of an ensemble that learn from the rows from number [B] on."""
        if head.members is None:
            return None
        rows = number + torch.arange(steps, device=number.device).unsqueeze(-1)
        return members_of(rows.flatten(), len(head.members), self.member_share)

    def imagine(self, model: WorldModel, window: Window) -> tuple[list[Latent], Tensor, Tensor, Tensor]:
        """The K + 1 latents along the real actions, the losses [B, K] of rewards and discounts between them, and [B].

        The last is how far the members are from the first reward: what one of them has not learned is new to it, and
        should be sampled again.  0 of a model with one member.
        """
        first = observe_first(model, window.observation[:, 0])
        latents, transition = model.imagine_sequence(first, window.action[:, : self.unroll], self.scaled)
        targets = (field[:, : self.unroll].t().flatten() for field in (window.reward, window.discount))
        losses = (
            head.loss(target, self.learns(head, window.number, self.unroll))
            for head, target in zip(transition, targets, strict=True)
        )
        reward_loss, discount_loss = (loss.view(self.unroll, -1).t() for loss in losses)
        members, batch = transition.reward.members, len(window.reward)
        surprised = torch.zeros_like(window.reward[:, 0])
        if members is not None:
            surprised = (members.detach()[:, :batch] - window.reward[:, 0]).abs().mean(0) * window.known[:, 1]
        return [first, *latents], reward_loss, discount_loss, surprised

    def scaled(self, latent: Latent) -> Latent:
        """A latent before an imagined step, whose gradient is scaled."""
        return {name: scale_gradient(tensor, self.gradient_scale) for name, tensor in latent.items()}

    def latent_terms(
        self, model: WorldModel, latents: list[Latent], window: Window, known: Tensor
    ) -> dict[str, Tensor]:
        """The losses [B] that compare imagined latents with observed ones, as far as their weights ask for them."""
        wanted = [name for name in ("consistency", "latent") if self.weights[name]]
        if not wanted:
            return {}
        seen, imagined, found = observed(model, window, self.unroll), model.seen(stack(latents[1:])), {}
        if "consistency" in wanted:
            found["consistency"] = consistency(self.projector, self.predictor, flat(imagined), flat(seen))
        if "latent" in wanted:
            found["latent"] = unexplained(rows(imagined), rows(seen), known.t().flatten())
        return {name: (loss.view(self.unroll, -1).t() * known).mean(1) for name, loss in found.items()}

    def surprise_terms(self, model: WorldModel, window: Window, known: Tensor) -> dict[str, Tensor]:
        """The losses [B] of a model that expects observations, by what surprises it in the K after the first."""
        if not (model.expects and self.surprise_weight):
            return {}
        batch, steps = len(known), self.unroll + 1
        first = torch.zeros(batch, steps, dtype=torch.bool, device=known.device)
        first[:, 0] = True
        memory, before = model.memory(batch), window.action[:, 0]
        found = model.observe_sequence(memory, before, window.action[:, :steps], window.observation[:, :steps], first)
        return {name: (nats[:, 1:] * known).mean(1) for name, nats in found.surprise.items()}


@torch.no_grad()
def size_of_latent(model: WorldModel, spec: GameSpec) -> int:
    """Numbers of a latent that are compared.  The model is left as it was: batch norms would count what passes here."""
    training, device = model.training, next(iter(model.parameters()), torch.empty(0)).device
    latent = observe_first(model.eval(), torch.zeros(1, *spec.observation, device=device))
    model.train(training)
    return flat(model.seen(latent)).shape[1]


def every_action(model: WorldModel, latent: Latent) -> tuple[Transition, Head]:
    """What each of A actions leads to, and the value there: all actions of the first row of a latent, and so on."""
    count, rows = model.space.columns, len(next(iter(latent.values())))
    repeated = {name: tensor.repeat_interleave(count, 0) for name, tensor in latent.items()}
    device = next(iter(latent.values())).device
    following, transition = model.imagine(repeated, torch.arange(count, device=device).repeat(rows))
    return transition, model.predict(following).value


def stack(latents: list[Latent]) -> Latent:
    """Latents of B rows each as one latent: all rows of the first, then all rows of the second, and so on."""
    return {name: torch.cat([latent[name] for latent in latents]) for name in latents[0]}


def by_position(field: Tensor | None, positions: int) -> Tensor | None:
    """The first positions of a window's field [B, P, ...], one after the other, as `stack` puts latents."""
    return None if field is None else field[:, :positions].transpose(0, 1).flatten(0, 1)


def over_positions(loss: Tensor, mask: Tensor) -> Tensor:
    """[B]: the loss of the first position, plus the mean over the unrolled positions."""
    loss = loss * mask
    return loss[:, 0] + loss[:, 1:].mean(1)


def scale_gradient(x: Tensor, factor: float) -> Tensor:
    """The same numbers, whose gradient is multiplied by factor."""
    if not x.requires_grad:
        return x
    same = x.view_as(x)
    same.register_hook(lambda gradient: gradient * factor)
    return same
