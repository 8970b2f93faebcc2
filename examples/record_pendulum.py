"""Records Pendulum-v1 for muzero-train --data: half by a noisy controller that swings up by energy, half at random.

python examples/record_pendulum.py pendulum.npz [--steps 10000] [--seed 0]
muzero-train --game gym/Pendulum-v1 --data pendulum.npz --updates 20000
"""

import argparse
from pathlib import Path

import gymnasium
import numpy as np

GRAVITY, NOISE = 10.0, 4.0  # of the environment; standard deviation of the controller's torque
NAMES = ("observations", "actions", "rewards", "terminations", "truncations")


def controller(observation, rng):
    """Pump energy until it is that of the upright pendulum, then hold it there (Astrom and Furuta 2000)."""
    cosine, sine, speed = observation
    angle = np.arctan2(sine, cosine)
    if cosine > 0.9 and abs(speed) < 2.5:
        torque = -20 * angle - 4 * speed
    else:
        energy = speed**2 / 6 + GRAVITY / 2 * (cosine - 1)  # 0: enough to stand upright; the inertia is 1/3
        torque = -np.sign(energy * speed) * 2 if speed else 2.0
    return np.clip([torque + NOISE * rng.standard_normal()], -2, 2)


def uniform(observation, rng):
    """Any torque."""
    return rng.uniform(-2, 2, 1)


def record(steps, seed):
    """The arrays of a file: episodes that alternate between both, until there are so many steps."""
    environment, rng = gymnasium.make("Pendulum-v1"), np.random.default_rng(seed)
    rows = {name: [] for name in NAMES}
    for episode in range(steps):
        player, over = (controller, uniform)[episode % 2], False
        observation, _ = environment.reset(seed=seed + episode)
        rows["observations"].append(observation)
        while not over and len(rows["rewards"]) < steps:
            action = player(observation, rng).astype(np.float32)
            observation, reward, terminated, truncated, _ = environment.step(action)
            cut = truncated or len(rows["rewards"]) == steps - 1
            over = terminated or cut
            for name, value in zip(NAMES, (observation, action, reward, terminated, cut), strict=True):
                rows[name].append(value)
        if len(rows["rewards"]) == steps:
            break
    return {name: np.array(values) for name, values in rows.items()}


def main():
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE.npz")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = record(options.steps, options.seed)
    np.savez(options.file, **found)
    print(f"{options.steps:,} steps, {int(found['truncations'].sum()):,} episodes in {options.file}")


if __name__ == "__main__":
    main()
