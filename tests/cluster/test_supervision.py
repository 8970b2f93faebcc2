"""Who gets work and who is tried again: arithmetic over times that tests make up."""

from hypothesis import given
from hypothesis import strategies as st

from muzero.actors.tasks import Play, Reanalyse, Task
from muzero.cluster.supervision import FIRST_PAUSE, LONGEST_PAUSE, MOST_DEATHS, MOST_MISSES, Patience, Slot, room


def task(number):
    return Task(number, 0, Play(8))


def test_a_slot_takes_tasks_once_its_process_answered_up_to_its_depth():
    slot = Slot(0, Play)
    assert not slot.free(0.0, 2)
    slot.answered(1.0, "here")
    slot.send(task(1), 1.0)
    assert slot.free(1.0, 2) and not slot.free(1.0, 1)
    slot.send(task(2), 1.5)
    assert not slot.free(2.0, 2)
    assert slot.finish(1, 3.0) == 2.0
    assert slot.finish(2, 4.0) == 1.0  # it could begin only when the first was done


def test_two_orders_that_fail_with_one_process_are_one_death():
    slot = Slot(0, Play)
    slot.answered(0.0, "here")
    generation = slot.generation
    assert slot.fail(1.0, generation, unreachable=True)
    assert not slot.fail(1.0, generation, unreachable=True)
    assert slot.deaths == 1 and not slot.alive and slot.not_before == 1.0 + FIRST_PAUSE


def test_waiting_for_a_restart_is_no_death_until_it_takes_too_often():
    slot = Slot(0, Play)
    slot.answered(0.0, "here")
    slot.fail(1.0, slot.generation, unreachable=True)
    counts = [slot.fail(2.0, slot.generation, unreachable=True) for _ in range(MOST_MISSES)]
    assert counts == [False] * (MOST_MISSES - 1) + [True]
    assert slot.deaths == 2


def test_pauses_double_until_a_slot_is_tried_once_a_minute():
    slot, pauses = Slot(0, Play), []
    for _ in range(MOST_DEATHS + 2):
        slot.answered(0.0, "here")
        slot.fail(0.0, slot.generation, unreachable=False)
        pauses.append(slot.not_before)
    assert pauses[:MOST_DEATHS] == [FIRST_PAUSE * 2**n for n in range(MOST_DEATHS)]
    assert pauses[MOST_DEATHS:] == [LONGEST_PAUSE] * 2 and slot.given_up
    slot.answered(100.0, "here")
    slot.send(task(1), 100.0)
    slot.finish(1, 101.0)
    assert not slot.given_up and slot.deaths == 0


def test_results_without_a_game_that_ends_do_not_forgive_work_that_raises():
    slot = Slot(0, Play)
    for number in range(MOST_DEATHS + 1):
        assert not slot.given_up
        slot.answered(0.0, "here")
        slot.send(task(number), 0.0)
        slot.finish(number, 1.0, ended=False)
        slot.fail(1.0, slot.generation, unreachable=False, raised=True)
    assert slot.given_up and slot.deaths == 1
    slot.answered(100.0, "here")
    slot.send(task(100), 100.0)
    slot.finish(100, 101.0)
    assert not slot.given_up


def test_patience_follows_what_is_usual_but_is_never_less_than_asked_for():
    patience = Patience(60.0)
    assert patience.seconds() == 60.0
    for _ in range(100):
        patience.finish(1.0)
    assert patience.seconds() == 60.0
    for _ in range(100):
        patience.finish(20.0)
    assert patience.seconds() == 200.0


@given(st.lists(st.sampled_from(["answer", "send", "finish", "die", "miss", "raise", "stale"]), max_size=60))
def test_whatever_happens_orders_are_never_lost_from_the_count(events):
    """Submitted = finished + failed + flying, and no slot takes more than two at once."""
    slot, numbers, now, submitted, ended, old = Slot(0, Play), 0, 0.0, 0, 0, []
    for event in events:
        now += 100.0
        if event == "answer":
            slot.answered(now, "here")
        elif event == "send" and slot.free(now, 2):
            numbers, submitted = numbers + 1, submitted + 1
            slot.send(task(numbers), now)
            old.append((numbers, slot.generation))
        elif event == "finish" and slot.flying:
            assert slot.finish(next(iter(slot.flying)), now) >= 0
            ended += 1
        elif event in ("die", "raise"):
            generation, deaths, was_alive = slot.generation, slot.deaths, slot.alive
            counts = slot.fail(now, generation, event == "die")
            assert slot.deaths - deaths == counts and (counts or not was_alive)
            for number in list(slot.flying):
                del slot.flying[number]
                ended += 1
                assert not slot.fail(now, generation, event == "die")
        elif event == "stale":
            assert not slot.fail(now, slot.generation - 1, False)
        assert submitted == ended + len(slot.flying) and len(slot.flying) <= 2


def test_actors_are_added_while_there_is_room_and_at_least_one_plays():
    others = [Slot(number, Reanalyse) for number in range(2)]
    playing = [*others, Slot(2, Play)]
    assert [room(others, cores, 1.0) for cores in (0, 2, 3, 8.5)] == [1, 1, 1, 6]
    assert [room(playing, cores, 0.5) for cores in (0, 1.5, 2, 4)] == [0, 0, 1, 5]
