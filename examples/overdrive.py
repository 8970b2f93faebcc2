"""An environment whose records tempt a model: what they show gets better up to a cliff that they do not show.

    python overdrive.py records.npz          # 1,000 steps that are never too fast, for muzero-train --data
    muzero-train --game python/overdrive:Overdrive --data records.npz --updates 3000 --run runs/careful \\
        --set model.members=5 --set model.prior=0.25 --set planner.pessimism=2
    python overdrive.py runs/careful         # what its plans are worth, in the game and in its own imagination
"""

import sys

import gymnasium
import numpy as np

FASTEST, LIMIT, GAIN = 3.0, 1.0, 0.15  # speeds, and what full throttle adds in a step
STEPS = 40  # of a game
RECORDED = 0.8  # the fastest speed in the records


class Overdrive(gymnasium.Env):
    """Drive faster: a step pays the speed that it leads to, up to 1, and -1 above it.

    The action is the throttle, from -1 to 1.  The best is to hold a speed just below 1.  Who has only records of speeds
    up to 0.8 learns that faster is better; a model that does not doubt expects 3 in a step at full speed.
    """

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Box(0.0, FASTEST, (1,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        super().reset(seed=seed)
        self.speed, self.steps = float(self.np_random.uniform(0.0, 0.5)), 0
        return self._seen(), {}

    def step(self, action: np.ndarray):
        self.speed = float(np.clip(self.speed + GAIN * float(np.clip(action[0], -1, 1)), 0.0, FASTEST))
        self.steps += 1
        return self._seen(), paid(self.speed), False, self.steps == STEPS, {}

    def _seen(self) -> np.ndarray:
        return np.array([self.speed], np.float32)


def paid(speed: float) -> float:
    """The reward of a step that leads to a speed."""
    return speed if speed <= LIMIT else -1.0


def record(steps: int, seed: int = 0) -> dict[str, np.ndarray]:
    """The arrays of a file for --data: games at random throttle, which is taken back where a speed would exceed 0.8."""
    rng, environment = np.random.default_rng(seed), Overdrive()
    rows: dict[str, list] = {name: [] for name in ("observations", "actions", "rewards", "terminations", "truncations")}
    over, speed = True, np.zeros(1, np.float32)
    for step in range(steps):
        if over:
            speed, _ = environment.reset(seed=seed + step)
            rows["observations"].append(speed)
        most = (RECORDED - float(speed[0])) / GAIN
        action = rng.uniform(-1, min(1.0, most), 1).astype(np.float32)
        speed, reward, _, over, _ = environment.step(action)
        over = over or step == steps - 1
        for name, value in zip(rows, (speed, action, reward, False, over), strict=True):
            rows[name].append(value)
    return {name: np.array(values) for name, values in rows.items()}


def judge(run: str, games: int = 20) -> tuple[float, float]:
    """Rewards per step of an agent's plans: in the game, and as its model imagines them from the same starts."""
    import torch

    from muzero import Agent
    from muzero.interfaces import observe_first

    agent, environments = Agent.load(run, trust=True), [Overdrive() for _ in range(games)]
    model, planner, rng = agent.player.model, agent.player.planner, np.random.default_rng(0)
    seen = np.stack([environment.reset(seed=seed)[0] for seed, environment in enumerate(environments)])
    session, legal = agent.session(games), np.ones((games, 0), bool)
    latent, carry = observe_first(model, torch.from_numpy(seen)), planner.start(games, model.space)
    real, imagined, first = 0.0, 0.0, np.ones(games, bool)
    for _ in range(STEPS):
        actions = session.act(seen)
        steps = [environment.step(action) for environment, action in zip(environments, actions, strict=True)]
        seen = np.stack([step[0] for step in steps])
        real += np.mean([step[1] for step in steps])
        decision, carry = planner.plan(model, latent, legal, carry, first, rng, False)
        with torch.inference_mode():
            latent, transition = model.imagine(latent, torch.from_numpy(np.asarray(decision.action, np.float32)))
        imagined, first = imagined + float(transition.reward.mean.mean()), np.zeros(games, bool)
    return real / STEPS, imagined / STEPS


if __name__ == "__main__":
    if sys.argv[1].endswith(".npz"):
        np.savez(sys.argv[1], **record(1000))
    else:
        real, imagined = judge(sys.argv[1])
        print(f"per step: {real:.3f} in the game, {imagined:.3f} imagined")
