"""The page's answers: games, moves, thoughts and trees."""

import io
import threading

import pytest
from PIL import Image

from muzero.agent import Agent
from muzero.interactive.strength import Set
from muzero.web import table as table_module
from muzero.web.table import thinned
from muzero.web.tables import MOST_TABLES, Tables


def begin(client, **wish):
    answer = client.post("/api/tables", json=wish)
    assert answer.status_code == 200, answer.text
    return answer.json()


def post(client, state, what, status=200, **wish):
    answer = client.post(f"/api/tables/{state['table']}/{what}", json={"revision": state["revision"], **wish})
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_game_from_its_first_move_to_its_end(client):
    state = begin(client, people=[0])
    assert state["yours"] and state["board"]["taps"]["4"] == [[4]] and state["players"] == ["x", "o"]
    for _ in range(9):
        if state["over"]:
            break
        wish = {"action": state["legal"][0]["action"]} if state["yours"] else {}
        state = post(client, state, "moves", **wish)
        square = state["last"][0]
        assert state["board"]["cells"][square][2] == ("x" if state["ply"] % 2 else "o")
    assert state["words"].startswith(("You lose after", "Draw after")) and not state["legal"]
    assert [ply % 2 for ply, _ in state["values"]] == [1] * len(state["values"])
    assert post(client, state, "moves", 409) == {"error": "the game is over"}


def test_people_move_at_their_turn_and_legally(client):
    state = begin(client, people=[1])
    assert post(client, state, "moves", 409, action=0) == {"error": "it is the agent's turn"}
    state = post(client, state, "moves")
    taken = state["last"][0]
    assert "not legal" in post(client, state, "moves", 409, action=taken)["error"]
    assert "not legal" in post(client, state, "moves", 409, action=10**9)["error"]
    for bad in ({"action": -1}, {"action": "4"}, {"action": True}, {"action": 1.5}):
        assert "whole number" in post(client, state, "moves", 400, **bad)["error"]
    assert "changed" in post(client, {**state, "revision": 0}, "moves", 409, action=taken)["error"]


def test_moves_are_taken_back_to_a_move_of_the_person(client):
    state = begin(client, people=[0])
    first = state["legal"]
    post(client, state, "back", 409)
    state = post(client, post(client, state, "moves", action=4), "moves")
    assert state["ply"] == 2
    state = post(client, state, "back")
    assert state["ply"] == 0 and state["legal"] == first and state["yours"] and state["values"] == []


def test_the_tree_is_unfolded_node_by_node(client):
    state = post(client, begin(client, people=[0, 1], simulations=40), "thoughts")
    thoughts = state["thoughts"]
    assert thoughts["ply"] == 0 and thoughts["simulations"] == 40 == sum(move["visits"] for move in thoughts["moves"])

    def nodes(index, status=200):
        answer = client.get(f"/api/tables/{state['table']}/positions/0/nodes/{index}")
        assert answer.status_code == status
        return answer.json()

    visits, waiting, seen = {}, [0], set()
    while waiting:
        found = nodes(waiting.pop())
        seen.add(found["node"])
        for child in found["children"]:
            visits[child["node"]] = child["visits"]
            waiting += [child["node"]] if child["children"] else []
        assert found["visits"] == 1 + sum(child["visits"] for child in found["children"])
    assert sorted({*visits, 0}) == list(range(41))
    for missing in (41, 10**12):
        nodes(missing, 404)
    assert client.get(f"/api/tables/{state['table']}/positions/0/nodes/-1").status_code == 404
    assert client.get(f"/api/tables/{state['table']}/positions/1").status_code == 404


def test_strength_and_seats_change_within_a_game(client):
    state = post(client, begin(client, people=[0]), "thoughts")
    state = post(client, state, "seats", people=[1], strength="casual")
    assert not state["yours"] and state["thoughts"] is None
    state = post(client, state, "moves")
    assert state["thoughts"]["simulations"] == 0 and not state["thoughts"]["tree"]
    assert state["strength"] == "plays without search"
    assert "expected beginner, casual, club" in post(client, state, "seats", 400, strength="<b>")["error"]
    assert "expected a name" in post(client, state, "seats", 400, strength=["club"])["error"]
    assert post(client, state, "seats", strength="strong")["strength"].startswith("searches 64 positions")
    assert "expected 0 to" in post(client, state, "seats", 400, people=[1], simulations=10**6)["error"]


def test_the_oldest_of_too_many_games_ends(client):
    first, others = begin(client, people=[0]), [begin(client, people=[0]) for _ in range(MOST_TABLES)]
    assert len({state["table"] for state in [first, *others]}) == MOST_TABLES + 1
    answer = client.get(f"/api/tables/{first['table']}")
    assert answer.status_code == 404 and "begin another" in answer.json()["error"]
    begin(client, people=[0], replaces=others[-1]["table"])
    assert client.get(f"/api/tables/{others[0]['table']}").status_code == 200


def test_a_search_blocks_neither_the_page_nor_its_game(client, monkeypatch):
    begun, released = threading.Event(), threading.Event()
    think = table_module.think

    def slow(*arguments):
        begun.set()
        released.wait()
        return think(*arguments)

    monkeypatch.setattr(table_module, "think", slow)
    state, answers = begin(client, people=[0, 1]), []
    searching = threading.Thread(target=lambda: answers.append(post(client, state, "thoughts", 409)))
    searching.start()
    begun.wait()
    try:
        assert client.get("/static/app.js").status_code == 200
        assert client.get(f"/api/tables/{state['table']}").json()["ply"] == 0
        assert post(client, state, "moves", action=4)["ply"] == 1  # while it is searched what would be best
    finally:
        released.set()
        searching.join()
    assert answers == [{"error": "the game has changed meanwhile"}]


@pytest.fixture(scope="module")
def breakout():
    return Tables(Set(Agent.load("zoo/breakout", simulations=2), 0.0))


def test_an_environment_is_shown_as_png(breakout):
    table = breakout.get(breakout.begin([], breakout.player, 3, None))
    for _ in range(5):
        table.move(table.revision)
    state = table.state()
    assert state["frame"] and state["board"] is None and not state["yours"] and len(state["values"]) == 5
    picture = table.picture()

    opened = Image.open(io.BytesIO(picture))
    assert opened.size == (10, 10) and len(opened.getcolors()) > 2
    table.take_back(table.revision)
    assert table.ply == 4
    breakout.close()


def test_a_long_game_has_a_short_chart():
    points = [(ply, 0.0) for ply in range(10_000)]
    assert len(thinned(points)) < 310 and thinned(points)[-1] == points[-1] and thinned(points[:7]) == points[:7]
