"""A model averaged over the images of a board."""

import numpy as np
import pytest
import torch

from muzero import build
from muzero.config import parse_settings
from muzero.games import board
from muzero.inference import simulating
from muzero.interfaces import Symmetries, observe_first
from muzero.models.symmetric import SymmetricModel, symmetric
from muzero.planners.tree import GumbelPlanner

GAMES = {"connect_four": 2, "tic_tac_toe": 8, "hex(board_size=3)": 2}
every_game = pytest.mark.parametrize("name", GAMES)


def made(name, count=8, *settings):
    """A model whose heads say something, the same averaged, and the game's symmetries."""
    config = build.configure(f"board/{name}", [parse_settings(settings)])
    model = build.model(config, build.spec(config)).eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    symmetries = board.symmetries(name)
    return model, SymmetricModel(model, symmetries, count), symmetries


def positions(name, count=6):
    """Observations of positions in random games, and two actions for each."""
    config = build.configure(f"board/{name}", [])
    games = build.games(config, count, training=True)
    rng = np.random.default_rng(0)
    timestep = games.reset(np.arange(count))
    for _ in range(3):
        timestep = games.step(games.spec.actions.draw(timestep.legal, rng))
    actions = torch.from_numpy(games.spec.actions.draw_any((2, count), rng))
    return torch.from_numpy(timestep.observation), timestep.legal, actions


@torch.no_grad()
def said(model, observation, actions):
    """Log policy, value, reward and discount after two imagined steps and before them."""
    latent, found = observe_first(model, observation), []
    for action in (None, *actions):
        if action is not None:
            latent, transition = model.imagine(latent, action)
            found += [transition.reward.mean, transition.discount.mean]
        policy, value = model.predict(latent)
        found += [value.mean, policy.parameters.log_softmax(-1)]
    return found


@every_game
def test_the_image_of_a_position_has_the_image_of_the_policy(name):
    model, averaged, symmetries = made(name)
    assert averaged.images == GAMES[name]
    observation, _, actions = positions(name)
    original, differs = said(averaged, observation, actions), False
    for source, moved in zip(symmetries.source[1:], symmetries.action[1:], strict=True):
        image = observation.flatten(1)[:, source].view(observation.shape)
        moves = torch.from_numpy(moved)[actions]
        for one, other in zip(original, said(averaged, image, moves), strict=True):
            torch.testing.assert_close(one, other[:, moved] if one.ndim == 2 else other, atol=1e-5, rtol=1e-5)
        alone = zip(said(model, observation, actions), said(model, image, moves), strict=True)
        differs |= any(not torch.allclose(one, other, atol=1e-3) for one, other in alone if one.ndim == 1)
    assert differs  # so that the model itself is not symmetric


@every_game
def test_predictions_are_means_over_the_images(name):
    model, averaged, symmetries = made(name)
    observation, _, actions = positions(name)
    each = []
    for source, moved in zip(symmetries.source, symmetries.action, strict=True):
        image = observation.flatten(1)[:, source].view(observation.shape)
        found = said(model, image, torch.from_numpy(moved)[actions])
        each.append([one[:, moved] if one.ndim == 2 else one for one in found])
    for one, images in zip(said(averaged, observation, actions), zip(*each, strict=True), strict=True):
        mean = torch.stack(images).mean(0)
        torch.testing.assert_close(one, mean.log_softmax(-1) if one.ndim == 2 else mean, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("path", ["torch", "onnx"])
def test_a_search_of_it_is_the_same_by_every_path(path):
    _, averaged, _ = made("connect_four")
    observation, legal, _ = positions("connect_four", 5)
    root = observe_first(averaged, observation)
    with torch.inference_mode():
        plain = [averaged.expand(root, torch.full((5,), action)) for action in range(7)]
        with simulating(averaged, root, 8, path) as (_, _, expand):
            for node, expected in enumerate(plain):
                rows = np.zeros(5, np.int32), np.full(5, node), np.full(5, node + 1, np.int32)
                for one, other in zip(expand(*rows), expected[1:], strict=True):
                    np.testing.assert_allclose(one, other.numpy(), atol=2e-5)
    for batch in (5, 3):  # the kept buffers are of another size then
        rows = {key: tensor[:batch] for key, tensor in root.items()}
        found = GumbelPlanner(simulations=16, inference=path).search(averaged, rows, legal[:batch], None)
        assert found.visits.sum(1).tolist() == [16] * batch


def test_where_there_is_nothing_to_average_it_is_the_model_itself():
    model, _, symmetries = made("connect_four")
    assert symmetric(model, None, 8) is model
    assert symmetric(model, symmetries, 1) is model
    unknown = symmetries.known.copy()
    unknown[1, 0] = False
    assert symmetric(model, Symmetries(symmetries.source, symmetries.action, unknown), 8) is model
    assert isinstance(symmetric(model, symmetries, 2), SymmetricModel)


def test_a_player_of_a_run_averages_as_many_images_as_the_run_says():
    for settings, images in (([], 2), (["run.symmetries=1"], None)):
        config = build.configure("board/connect_four", [parse_settings(settings)])
        model = build.model(config, build.spec(config))
        assert getattr(build.player(config, model).model, "images", None) == images
    config = build.configure("gym/CartPole-v1", [parse_settings(["run.symmetries=2"])])
    model = build.model(config, build.spec(config))
    assert build.player(config, model).model is model  # it has no symmetries
