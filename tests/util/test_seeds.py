"""Seeds for purposes: the same everywhere and always, and unrelated to each other."""

import itertools

import numpy as np

from muzero.util.seeds import derive, derive_short


def test_seeds_never_change():
    """A change makes every run and every evaluation another one: it needs a new SCHEME and a line in CHANGELOG."""
    assert derive(0, "self-play", 0, 0) == 591832324337429254
    assert derive(7, "game of a match", np.int64(3)) == 4508886735685172071
    assert derive_short(7, "game of a match", 3) == 4508886735685172071 >> 32


def test_seeds_fit_where_they_are_used():
    for number in range(1000):
        assert 0 <= derive(number, "x") < 2**63 and 0 <= derive_short(number, "x") < 2**31


def test_different_purposes_and_neighbouring_seeds_share_no_seed():
    words = ("self-play", "slot", "1", "11")
    arguments = itertools.product(range(100), words, range(-1, 50), [(), (0,), (1,), (11,)])
    seeds = [derive(seed, word, number, *more) for seed, word, number, more in arguments]
    assert len(set(seeds)) == len(seeds)


def test_streams_of_neighbouring_seeds_do_not_overlap():
    """Neither the numbers drawn, nor the seeds derived from a derived seed, are those of a neighbour."""
    drawn = [np.random.default_rng(derive(seed, "replay")).integers(2**63, size=1000) for seed in range(50)]
    assert len(np.unique(np.concatenate(drawn))) == 50_000
    chained = {
        derive(derive(seed, "game of a match", game), "move", move)
        for seed in range(20)
        for game in range(20)
        for move in range(50)
    }
    assert len(chained) == 20 * 20 * 50


def test_bits_are_even():
    seeds = np.array([derive(seed, "bits", number) for seed in range(20) for number in range(500)])
    shares = [((seeds >> bit) & 1).mean() for bit in range(63)]
    assert max(abs(share - 0.5) for share in shares) < 0.03  # six standard deviations
