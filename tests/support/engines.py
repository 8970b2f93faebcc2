"""Engines for tests: `python engines.py gtp|uci HABIT`.  They do not know the rules: the habit decides their moves."""

import sys
import time


def write_for_ever(stream, text):
    while True:
        stream.write(text)


LETTERS = "abcdefghjklmnopq"  # of columns, as GTP names them
FOREVER = {
    "line without end": lambda: write_for_ever(sys.stdout, "x" * 1000),
    "lines without end": lambda: write_for_ever(sys.stdout, "= 1\n2\n" * 100),
    "empty lines": lambda: write_for_ever(sys.stdout, "\n" * 1000),
    "errors without end": lambda: write_for_ever(sys.stderr, "still thinking\n" * 100),
    "slow lines": lambda: [(print("= 1", flush=True), time.sleep(0.01)) for _ in range(100_000)],
    "deaf": lambda: time.sleep(60),
}


def gtp(habit):
    engine = GtpEngine(habit)
    for line in sys.stdin:
        words = line.split()
        if habit == "dies" and words[0] == "genmove":
            print("out of ideas", file=sys.stderr)
            return
        misbehave(habit, words[0])
        print(f"{engine.answer(words)}\n", flush=True)
        if words == ["quit"]:
            return


def misbehave(habit, command):
    if habit == "silent" and command == "genmove":
        time.sleep(60)
    if habit == "logs":
        print("\n".join(f"thought {count} times" for count in range(1000)), file=sys.stderr)
    if habit == "stubborn" and command == "quit":
        time.sleep(60)
    if habit in FOREVER and command == "genmove":
        FOREVER[habit]()


class GtpEngine:
    """A Go engine that knows where stones lie, and nothing else."""

    def __init__(self, habit):
        self.habit, self.size, self.stones, self.seed = habit, 9, {}, 0
        self.known = ["name", "version", "list_commands", "boardsize", "clear_board", "komi", "play", "genmove"]
        self.known += ["undo", "quit"] + ["kgs-genmove_cleanup"] * (habit == "cleans")
        self.known += ["set_random_seed"] * (habit == "seeded")

    def answer(self, words):
        """The answer to a command, with the mark in front that says whether it was obeyed."""
        text = ""
        match words:
            case ["name"]:
                text = "Tester"
            case ["version"]:
                text = "1.0"
            case ["list_commands"]:
                text = "\n".join(self.known)
            case ["boardsize", number]:
                self.size = int(number)
                if self.size > 9:
                    return "? unacceptable size"
            case ["set_random_seed", number]:
                self.seed = int(number)
            case ["clear_board"]:
                self.stones = {}
            case ["play", colour, point]:
                self.stones[point] = colour
            case [("genmove" | "kgs-genmove_cleanup") as command, colour]:
                text = self.move(command)
                self.stones[text.lower()] = colour
        return f"= {text}"

    def move(self, command):
        """A free point, or what the habit asks for."""
        if self.habit == "occupies" and self.stones:
            return next(iter(self.stones))
        if self.habit == "passes" or (self.habit == "cleans" and command == "genmove"):
            return "PASS"
        if self.habit == "resigns":
            return "resign"
        points = [f"{letter}{y + 1}" for y in range(self.size) for letter in LETTERS[: self.size]]
        free = [point for point in points if point not in self.stones]
        return free[self.seed % len(free)]


def uci(habit):
    for line in sys.stdin:
        words = line.split()
        if words[:1] == ["uci"]:
            print("id name Tester 1.0\nuciok", flush=True)
        elif words[:1] == ["isready"]:
            print("readyok", flush=True)
        elif words[:1] == ["setoption"] and habit == "plain":
            print(f"No such option: {' '.join(words[2:])}", flush=True)
        elif words[:1] == ["go"]:
            print("info depth 1", flush=True)
            print("bestmove e2e5" if habit == "cheats" else "bestmove e2e4 ponder e7e5", flush=True)
        elif words[:1] == ["quit"]:
            return


if __name__ == "__main__":
    if sys.argv[1] == "chatter":
        print("Welcome to a program that speaks no protocol at all", flush=True)
        time.sleep(30)
    else:
        {"gtp": gtp, "uci": uci}[sys.argv[1]](sys.argv[2])
