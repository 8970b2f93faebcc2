"""A trained agent, used from Python: it shows a line of play, and plays games against OpenSpiel's MCTS bot.

python examples/evaluate_agent.py
"""

import numpy as np
import pyspiel
from open_spiel.python.algorithms import mcts

import muzero
from muzero.evaluation.intervals import wilson

GAMES, ROLLOUTS = 4, 20


def play(agent: muzero.Agent, game: pyspiel.Game, seed: int) -> float:
    """Play one game; the agent begins in games of even numbers.  Returns its points: 1, 0.5 or 0."""
    rng = np.random.RandomState(seed)
    bot = mcts.MCTSBot(game, 2.0, ROLLOUTS, mcts.RandomRolloutEvaluator(random_state=rng), random_state=rng)
    seat, state = seed % 2, game.new_initial_state()
    while not state.is_terminal():
        state.apply_action(agent.choose(state) if state.current_player() == seat else bot.step(state))
    return (state.returns()[seat] + 1) / 2


def main() -> None:
    agent = muzero.Agent.load("zoo/connect_four", simulations=16)  # a folder of a run works as well
    game = pyspiel.load_game("connect_four")
    state = game.new_initial_state()
    for column in (3, 3, 2):  # first player, second, first: three in a row would win
        state.apply_action(column)
    print(state, f"\nthe agent answers in column {agent.choose(state)}")

    points = [play(agent, game, seed) for seed in range(GAMES)]
    low, high = wilson(sum(points) / GAMES, GAMES)
    print(f"{sum(points):g} points of {GAMES} games against mcts:{ROLLOUTS}; 95 % interval [{low:.2f}..{high:.2f}]")


if __name__ == "__main__":
    main()
