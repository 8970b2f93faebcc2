"""Recorded experience becomes the same segments wherever it comes from, and what does not fit is refused in words."""

import numpy as np
import pytest
from recordings import NAMES, Corridor, Turning, arrays, episodes, write

from muzero import build
from muzero.config import ConfigError, parse_settings
from muzero.data.recorded.reading import read
from muzero.data.recorded.run_log import RunLog
from muzero.data.segment_log import SegmentLog
from muzero.interfaces import WindowSize

GAME = "python/recordings:Corridor"


def configured(data, *settings, game=GAME):
    words = [f"run.data={data}", "run.updates=40", "run.reanalyse_every=10", "game.discount=0.9", *settings]
    return build.configure(game, [parse_settings(words)])


def segments(data, *settings, game=GAME):
    config = configured(data, *settings, game=game)
    games = build.games(config, 1, training=True)
    return read(config, games, build.candidates(config, games.spec)).segments


def problem(data, *settings, game=GAME):
    with pytest.raises(ConfigError) as raised:
        segments(data, *settings, game=game)
    assert f"[run] data = '{data}'" in str(raised.value)
    return str(raised.value)


def rows(found):
    """All rows of segments, by column, and where segments end."""
    names = found[0].columns
    return {name: np.concatenate([one.columns[name] for one in found]) for name in names}


def same(left, right):
    left, right = rows(left), rows(right)
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)


def returns(rewards, over, discount):
    """By definition: the sum of the discounted rewards from each step on."""
    return [sum(discount**k * reward for k, reward in enumerate(rewards[t:])) for t in range(len(rewards))] + [0.0]


# --- what comes out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [3, 200])
def test_a_file_becomes_its_episodes_with_their_returns_and_without_plans(tmp_path, most):
    recorded = episodes()
    found = segments(write(tmp_path / "a.npz", recorded), f"selfplay.segment_steps={most}")
    assert all(0 < len(one) <= most for one in found)
    by_game = {}
    for one in found:
        by_game.setdefault(one.id.game, []).append(one)
    assert [*by_game] == [*range(len(recorded))]
    for (seen, actions, rewards, over, _), parts in zip(recorded, by_game.values(), strict=True):
        got = rows(parts)
        assert [part.tail for part in parts] == [False] * (len(parts) - 1) + [True]
        np.testing.assert_array_equal(got["observation"], seen)
        np.testing.assert_array_equal(got["action"][:-1], actions)
        np.testing.assert_array_equal(got["reward"][:-1], rewards)
        np.testing.assert_array_equal(got["discount"][:-1], np.where(over, 0, np.float32(0.9)))
        np.testing.assert_allclose(got["value"], returns(rewards, over, 0.9), rtol=1e-5)
        assert not got["taught"].any() and not got["policy"].any() and got["planned"][:-1].all()


def test_windows_of_recorded_games_give_the_returns_that_were_recorded(tmp_path):
    config = configured(write(tmp_path / "a.npz", episodes()), "selfplay.segment_steps=4")
    with_games = build.games(config, 1, training=True)
    replay = build.replay(config, with_games.spec, 0)
    for segment in read(config, with_games, 0).segments:
        replay.add(segment)
    _, window = replay.sample(64, WindowSize(3, 4))
    assert not window.taught.any() and not window.policy.any()
    ahead = window.reward[:, 0] + window.discount[:, 0] * window.value[:, 1]
    np.testing.assert_allclose(window.value[:, 0], ahead, rtol=1e-5)


def test_real_valued_actions_are_scaled_from_the_bounds_of_the_game(tmp_path):
    recorded = episodes(game=Turning)
    got = rows(segments(write(tmp_path / "a.npz", recorded[:1]), game="python/recordings:Turning"))
    np.testing.assert_allclose(got["action"][:-1], recorded[0][1] / 2 - 1, atol=1e-6)


def test_legal_actions_are_read_where_they_are_recorded(tmp_path):
    recorded = episodes()
    steps, ends = (sum(map(len, part)) for part in ([one[2] for one in recorded], [[0] for _ in recorded]))
    legal = np.ones((steps + ends, 2), bool)
    data = write(tmp_path / "a.npz", recorded, legal=legal)
    assert rows(segments(data))["legal"].all()
    legal[3] = [False, False]
    assert "step 3: no action is legal" in problem(write(tmp_path / "a.npz", recorded, legal=legal))


def minari_set(tmp_path, monkeypatch, recorded, name="corridor/random-v0"):
    pytest.importorskip("h5py", reason="Minari reads its data sets by h5py")
    minari = pytest.importorskip("minari", reason="the extra offline is not installed")
    from minari.data_collector import EpisodeBuffer

    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    keys = ("observations", "actions", "rewards", "terminations", "truncations")
    buffers = [EpisodeBuffer(id=n, **dict(zip(keys, map(list, one), strict=True))) for n, one in enumerate(recorded)]
    spaces = {"observation_space": Corridor.observation_space, "action_space": Corridor.action_space}
    minari.create_dataset_from_buffers(name, buffers, **spaces)
    return f"minari:{name}"


@pytest.mark.filterwarnings("ignore")  # of minari, which would have an author
def test_a_minari_data_set_gives_the_same_as_the_file(tmp_path, monkeypatch):
    recorded = episodes()
    data = minari_set(tmp_path, monkeypatch, recorded)
    same(segments(data), segments(write(tmp_path / "a.npz", recorded)))
    assert "did you mean minari:corridor/random-v0?" in problem("minari:corridor/randm-v0")


def log(folder, recorded, tmp_path, *settings, game=GAME):
    """A run's folder whose log holds these episodes, as segments of four rows."""
    config = configured(write(tmp_path / "log.npz", recorded), "selfplay.segment_steps=4", *settings, game=game)
    games = build.games(config, 1, training=True)
    count = build.candidates(config, games.spec)
    found = SegmentLog(folder / "replay", games.spec, count)
    for segment in read(config, games, count).segments:
        found.append(segment)
    found.close()
    return folder


def test_the_log_of_a_run_gives_the_same_as_the_file_and_is_left_as_it_is(tmp_path):
    recorded = episodes()
    run = log(tmp_path / "run", recorded, tmp_path)
    before = {path: path.read_bytes() for path in run.rglob("*.log")}
    same(segments(run), segments(tmp_path / "log.npz"))
    assert {path: path.read_bytes() for path in run.rglob("*.log")} == before


def test_the_log_of_a_run_serves_another_discount_and_another_planner(tmp_path):
    game = "python/recordings:Turning"
    run = log(tmp_path / "run", episodes(game=Turning), tmp_path, "planner.kind=mppi", "planner.elites=4", game=game)
    got = rows(segments(run, "game.discount=0.5", "planner.kind=sampled", game=game))
    assert set(np.unique(got["discount"])) == {0.0, 0.5}
    settings = ["game.discount=0.5", "planner.kind=mppi", "planner.elites=4"]
    before = rows(segments(tmp_path / "log.npz", *settings, game=game))
    assert got["candidates"].shape != before["candidates"].shape
    for name in ("observation", "action", "reward", "discount", "value"):
        np.testing.assert_array_equal(got[name], before[name])


def test_a_game_that_was_under_way_ends_where_its_last_outcome_is_known(tmp_path):
    recorded = episodes()
    run = log(tmp_path / "run", recorded, tmp_path)
    config = configured(run)
    games = build.games(config, 1, training=True)
    [path] = run.rglob("*.log")
    whole = [len(one) for one in RunLog(run).episodes(games)]
    path.write_bytes(path.read_bytes()[:-40])  # the last record is torn
    source = RunLog(run)
    cut = list(source.episodes(games))
    assert [len(one) for one in cut][:-1] == whole[:-1] and len(cut[-1]) < whole[-1] and not cut[-1].over
    assert "damaged in 1 places" in source.notes[0]


# --- what is refused ------------------------------------------------------------------------------------------------

LAST = len(arrays(episodes())["rewards"]) - 1
CASES = {
    "nan reward": ({"rewards": (2, np.nan)}, "episode 0, step 2: reward is nan, expected finite"),
    "huge reward": ({"rewards": (2, 1e300)}, "episode 0, step 2: reward is inf, expected finite"),
    "nan observation": ({"observations": (1, np.nan)}, "episode 0, step 1: observation is [nan"),
    "no action": ({"actions": (3, 2)}, "episode 0, step 3: action is"),
    "no episode's end": ({"terminations": (LAST, False), "truncations": (LAST, False)}, "ends no episode"),
}


@pytest.mark.parametrize("case", CASES)
def test_numbers_that_do_not_fit_are_refused_with_their_place(tmp_path, case):
    changes, words = CASES[case]
    found = arrays(episodes())
    for name, (place, value) in changes.items():
        found[name] = found[name].copy()
        found[name][place] = value
    assert words in problem(write(tmp_path / "a.npz", episodes(), **found))


SHAPES = {
    "observations of another game": ({"observations": np.zeros((LAST + 13, 3))}, "episode 0, step 0: observation of"),
    "real actions": ({"actions": np.full(LAST + 1, 0.5)}, "episode 0, step 0: action is"),
    "a row of rewards": ({"rewards": np.zeros((LAST + 1, 2))}, "episode 0: rewards are float64 of shape"),
    "an array less": ({"rewards": None}, "rewards"),
    "an array more": ({"next": np.zeros(1)}, "next"),
    "fewer actions": ({"actions": np.zeros(3, int)}, "rewards has"),
    "fewer observations": ({"observations": np.zeros((9, 5))}, "observations has 9 rows; expected"),
    "ends that are numbers": ({"terminations": np.full(LAST + 1, 2)}, "terminations are"),
    "nothing": ({name: np.zeros((0, 5)[: 1 + (name == "observations")], bool) for name in NAMES}, "holds no steps"),
    "objects": ({"rewards": np.array([None] * (LAST + 1))}, "not a .npz file"),
    "another legal": ({"legal": np.ones((LAST + 13, 3), bool)}, "legal is bool of shape"),
}


@pytest.mark.parametrize("case", SHAPES)
def test_arrays_that_do_not_fit_are_refused(tmp_path, case):
    changes, words = SHAPES[case]
    assert words in problem(write(tmp_path / "a.npz", episodes(), **changes))


def test_more_than_the_replay_holds_is_refused_with_the_size_to_set(tmp_path):
    found = problem(write(tmp_path / "a.npz", episodes()), "replay.capacity=100", "learner.batch=8")
    assert f"its {LAST + 13:,} positions do not fit" in found and f"set replay.capacity={LAST + 13}" in found


def test_what_is_not_there_or_of_another_kind_is_refused(tmp_path):
    assert "it does not exist; expected the folder of a run" in problem(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "empty").mkdir()
    assert "it is not a .npz file" in problem(tmp_path / "text.npz")
    assert "the file is not a .npz" in problem(tmp_path / "a.txt")
    assert "replay is missing" in problem(tmp_path / "empty")


def test_a_log_of_another_game_and_games_of_two_players_are_refused(tmp_path):
    run = log(tmp_path / "run", episodes(), tmp_path)
    assert "is a log of" in problem(run, game="gym/CartPole-v1")
    assert "is for two players" in problem(tmp_path / "log.npz", game="board/tic_tac_toe")


SETTINGS = {
    "run.reanalyse_every=0": "set run.reanalyse_every",
    "run.reanalysed_per_step=1": "no steps are stored",
    "actors.count=2": "nothing is played",
    "run.updates=10": "run.updates (muzero-train --updates) to more",
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_that_play_or_never_plan_are_refused(tmp_path, setting):
    with pytest.raises(ConfigError, match=setting.split("=")[0]) as raised:
        configured(write(tmp_path / "a.npz", episodes()), setting)
    assert SETTINGS[setting] in str(raised.value)


def test_the_length_in_updates_is_for_recorded_experience_alone():
    with pytest.raises(ConfigError, match=r"run\] updates = 5 .* does nothing with \[run\] data"):
        build.configure(GAME, [parse_settings(["run.updates=5"])])
