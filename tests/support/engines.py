"""Engines for tests: `python engines.py gtp|uci HABIT`.  They do not know the rules: the habit decides their moves."""

import sys
import time


def write_for_ever(stream, text):
    while True:
        stream.write(text)


FOREVER = {
    "line without end": lambda: write_for_ever(sys.stdout, "x" * 1000),
    "lines without end": lambda: write_for_ever(sys.stdout, "= 1\n2\n" * 100),
    "empty lines": lambda: write_for_ever(sys.stdout, "\n" * 1000),
    "errors without end": lambda: write_for_ever(sys.stderr, "still thinking\n" * 100),
    "slow lines": lambda: [(print("= 1", flush=True), time.sleep(0.01)) for _ in range(100_000)],
    "deaf": lambda: time.sleep(60),
}


def gtp(habit):
    size, stones = 9, {}
    known = ["name", "version", "list_commands", "boardsize", "clear_board", "komi", "play", "genmove", "undo", "quit"]
    known += ["kgs-genmove_cleanup"] * (habit == "cleans")
    known += ["set_random_seed"] * (habit == "seeded")
    letters, seed = "abcdefghjklmnopq", 0
    for line in sys.stdin:
        words = line.split()
        if habit == "silent" and words[0] == "genmove":
            time.sleep(60)
        if habit == "logs":
            print("\n".join(f"thought {count} times" for count in range(1000)), file=sys.stderr)
        if habit == "stubborn" and words[0] == "quit":
            time.sleep(60)
        if habit in FOREVER and words[0] == "genmove":
            FOREVER[habit]()
        if habit == "dies" and words[0] == "genmove":
            print("out of ideas", file=sys.stderr)
            return
        answer, mark = "", "="
        match words:
            case ["name"]:
                answer = "Tester"
            case ["version"]:
                answer = "1.0"
            case ["list_commands"]:
                answer = "\n".join(known)
            case ["boardsize", number]:
                size = int(number)
                mark = "?" if size > 9 else "="
                answer = "unacceptable size" if size > 9 else ""
            case ["set_random_seed", number]:
                seed = int(number)
            case ["clear_board"]:
                stones = {}
            case ["play", colour, point]:
                stones[point] = colour
            case [("genmove" | "kgs-genmove_cleanup") as command, colour]:
                points = [f"{letters[x]}{y + 1}" for y in range(size) for x in range(size)]
                free = [point for point in points if point not in stones]
                answer = free[seed % len(free)]
                if habit == "occupies" and stones:
                    answer = next(iter(stones))
                elif habit == "passes" or (habit == "cleans" and command == "genmove"):
                    answer = "PASS"
                elif habit == "resigns":
                    answer = "resign"
                stones[answer.lower()] = colour
            case ["quit"]:
                print("=\n", flush=True)
                return
        print(f"{mark} {answer}\n", flush=True)


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
