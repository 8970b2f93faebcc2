"""What TensorBoard shows: each tag is explained, and histograms hold the numbers."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from killing import go
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from muzero.training import health, progress
from muzero.training.metrics import BINS, Metrics, histogram

PAGE = Path(__file__).parents[2] / "docs" / "tensorboard.md"


def events(folder):
    """Values by tag, of all events of a run."""
    found = {}
    for file in folder.glob("events.*"):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                found.setdefault(value.tag, []).append(value)
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The events of a run that measures its health often."""
    folder = tmp_path_factory.mktemp("tags") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(health, "PERIOD", 0.2)
        patch.setattr(health, "SHARE", math.inf)
        patch.setattr(progress, "FILE_SECONDS", 0.2)
        go(folder, "gym/CartPole-v1", "run.evaluate_every=300")
    return events(folder)


def patterns():
    """The tags of the page: words in capitals stand for any name."""
    entries = [entry.partition(":")[0].partition("(")[0] for entry in PAGE.read_text().split("\n* ")[1:]]
    tags = [tag for entry in entries for tag in re.findall(r"`([^`]+)`", entry)]
    return [re.compile(re.sub(r"\\?[A-Z]{4}", "[^/]+", re.escape(tag))) for tag in tags]


def test_every_tag_is_explained(written):
    known = patterns()
    assert len(written) > 60
    assert [tag for tag in written if not any(pattern.fullmatch(tag) for pattern in known)] == []


def test_every_tag_that_is_explained_is_written(written):
    missing = [each.pattern for each in patterns() if not any(each.fullmatch(tag) for tag in written)]
    ray = ("pool/", "pool_orders/")
    assert [tag for tag in missing if not tag.startswith(ray)] == []


def test_new_histograms_are_written_once(written):
    kinds = {tag for tag in written if tag.startswith("spread/")}
    assert kinds == {f"spread/{name}" for name in NAMES}
    assert all(1 <= len(written[tag]) <= len(written["2_loss/policy"]) for tag in kinds)


NAMES = ("value_head", "value_search", "return", "policy_entropy", "search_entropy", "priority")


@pytest.mark.parametrize("numbers", [[1.0, 2.0, 2.5], [3.0], [], [1.0, math.nan, math.inf]])
def test_a_histogram_counts_every_finite_number(numbers):
    found, finite = histogram(np.array(numbers)), [number for number in numbers if math.isfinite(number)]
    assert found["num"] == len(finite) == sum(found["bucket"]) and len(found["bucket_limit"]) == BINS
    assert found["sum"] == pytest.approx(sum(finite))
    if finite:
        assert (found["min"], found["max"]) == (min(finite), max(finite))


def test_tensorboard_reads_a_histogram(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    metrics = Metrics(tmp_path)
    metrics.add({"steps": 7}, {"x": 1.0}, {"value_head": np.array([0.0, 1.0, 1.0])})
    metrics.close()
    read = accumulator.EventAccumulator(str(tmp_path)).Reload()
    [found] = read.Histograms("spread/value_head")
    assert found.step == 7 and found.histogram_value.num == 3 and sum(found.histogram_value.bucket) == 3
