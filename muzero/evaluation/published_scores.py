"""Published scores to compare ours with, each with its source."""

from __future__ import annotations

import re
from typing import NamedTuple


class Reference(NamedTuple):
    """A published mean score and its source."""

    agent: str
    score: float
    source: str


def of(game: str) -> list[Reference]:
    """What is published for a game, "atari/pong"; nothing for games that are not in the tables."""
    return PUBLISHED.get(re.sub(r"-v\d+$", "", game), [])


def human_normalised(game: str, score: float) -> float | None:
    """0 at random play, 1 at a human tester (Mnih et al. 2015); None where not both are published."""
    published = {row.agent: row.score for row in of(game)}
    if not {"random", "human"} <= published.keys():
        return None
    return (score - published["random"]) / (published["human"] - published["random"])


ATARI_SOURCE = "Wang et al. 2016 (arXiv 1511.06581), no-op starts; as in Badia et al. 2020 (arXiv 2003.13350)"
ATARI = {  # random, human
    "alien": (227.8, 7127.7),
    "amidar": (5.8, 1719.5),
    "assault": (222.4, 742.0),
    "asterix": (210.0, 8503.3),
    "asteroids": (719.1, 47388.7),
    "atlantis": (12850.0, 29028.1),
    "bank_heist": (14.2, 753.1),
    "battle_zone": (2360.0, 37187.5),
    "beam_rider": (363.9, 16926.5),
    "berzerk": (123.7, 2630.4),
    "bowling": (23.1, 160.7),
    "boxing": (0.1, 12.1),
    "breakout": (1.7, 30.5),
    "centipede": (2090.9, 12017.0),
    "chopper_command": (811.0, 7387.8),
    "crazy_climber": (10780.5, 35829.4),
    "defender": (2874.5, 18688.9),
    "demon_attack": (152.1, 1971.0),
    "double_dunk": (-18.6, -16.4),
    "enduro": (0.0, 860.5),
    "fishing_derby": (-91.7, -38.7),
    "freeway": (0.0, 29.6),
    "frostbite": (65.2, 4334.7),
    "gopher": (257.6, 2412.5),
    "gravitar": (173.0, 3351.4),
    "hero": (1027.0, 30826.4),
    "ice_hockey": (-11.2, 0.9),
    "jamesbond": (29.0, 302.8),
    "kangaroo": (52.0, 3035.0),
    "krull": (1598.0, 2665.5),
    "kung_fu_master": (258.5, 22736.3),
    "montezuma_revenge": (0.0, 4753.3),
    "ms_pacman": (307.3, 6951.6),
    "name_this_game": (2292.3, 8049.0),
    "phoenix": (761.4, 7242.6),
    "pitfall": (-229.4, 6463.7),
    "pong": (-20.7, 14.6),
    "private_eye": (24.9, 69571.3),
    "qbert": (163.9, 13455.0),
    "riverraid": (1338.5, 17118.0),
    "road_runner": (11.5, 7845.0),
    "robotank": (2.2, 11.9),
    "seaquest": (68.4, 42054.7),
    "skiing": (-17098.1, -4336.9),
    "solaris": (1236.3, 12326.7),
    "space_invaders": (148.0, 1668.7),
    "star_gunner": (664.0, 10250.0),
    "surround": (-10.0, 6.5),
    "tennis": (-23.8, -8.3),
    "time_pilot": (3568.0, 5229.2),
    "tutankham": (11.4, 167.6),
    "up_n_down": (533.4, 11693.2),
    "venture": (0.0, 1187.5),
    "video_pinball": (16256.9, 17667.9),
    "wizard_of_wor": (563.5, 4756.5),
    "yars_revenge": (3092.9, 54576.9),
    "zaxxon": (32.5, 9173.3),
}

CONTROL_SOURCE = "Stable-Baselines3 RL Zoo, benchmark.md, one run each"
CONTROL = {  # mean reward, training steps
    "CartPole": {"A2C": (500.0, "500k"), "DQN": (500.0, "50k"), "PPO": (500.0, "100k")},
    "Acrobot": {"A2C": (-83.353, "500k"), "DQN": (-76.639, "100k"), "PPO": (-73.506, "1M")},
    "MountainCar": {"A2C": (-111.263, "1M"), "DQN": (-100.849, "120k"), "PPO": (-110.423, "1M")},
    "LunarLander": {"A2C": (155.751, "200k, v2"), "DQN": (154.382, "100k, v2"), "PPO": (242.119, "1M, v2")},
}

MINATAR_SOURCE = "Young and Tian 2019 (arXiv 1903.03176), read off a plot: ±5 %"
MINATAR = {"breakout": (9.2, "1M"), "freeway": (47.0, "1M"), "asterix": (7.0, "1M"), "space_invaders": (33.0, "1M")}

PUBLISHED = {
    **{
        f"atari/{name}": [Reference("random", random, ATARI_SOURCE), Reference("human", human, ATARI_SOURCE)]
        for name, (random, human) in ATARI.items()
    },
    **{
        f"gym/{name}": [
            Reference(agent, mean, f"{CONTROL_SOURCE}, {steps} steps") for agent, (mean, steps) in agents.items()
        ]
        for name, agents in CONTROL.items()
    },
    **{
        f"minatar/{name}": [Reference("DQN", score, f"{MINATAR_SOURCE}, {frames} frames")]
        for name, (score, frames) in MINATAR.items()
    },
}
"""By the game's name without the version at its end."""
