"""muzero-watch."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from muzero.cli.agent_options import refuse_absent
from muzero.cli.evaluate.options import PLAYERS, count, plies, whole
from muzero.cli.exits import INTERRUPTED, guarded
from muzero.cli.parser import Parser, add_consent
from muzero.util.text import escaped, nearest, shell_word

if TYPE_CHECKING:
    from muzero.cli.watch_episode import Watched
    from muzero.interactive.films import Film

SUFFIXES = (".mp4", ".gif", ".png")
FPS, FASTEST = 10.0, 240.0  # steps that are shown in a second
STRIP, MOST = 6, 60  # pictures of a strip
KEYS = """
keys in a terminal: space pauses, n shows the next step, + and - change the speed, q ends.
"""


def watch_command(arguments: Sequence[str] | None = None) -> int:
    """Play an episode and show it in the terminal, or write it to a file."""
    options = parsed(arguments)
    refuse_absent(options.run)
    import torch

    from muzero.cli.tables import say, terminal
    from muzero.cli.watch_episode import Watched
    from muzero.cli.watch_view import lines, live

    torch.set_num_threads(1)
    if options.out:
        from muzero.interactive.films import film

        made = film(options.out, options.fps, options.frames, options.at)  # says first what is missing for it
        with Watched(options) as watched:
            return written(made, watched)
    console, interrupted = terminal(), False
    with Watched(options) as watched:
        try:
            if console.is_terminal and not console.is_dumb_terminal:
                live(console, watched.title, watched.scenes(), options.fps)
            else:
                say(console, watched.title)
                lines(console, watched.scenes())
        except KeyboardInterrupt:
            interrupted = True
        say(console, watched.summary())
    return INTERRUPTED if interrupted else 0


def written(film: Film, watched: Watched) -> int:
    """Write an episode to a file, which is complete also where Ctrl-C ends it early."""
    from muzero.cli.evaluate.progress import Progress
    from muzero.cli.tables import say, terminal
    from muzero.interactive.scene_picture import ScenePictures

    pictures, progress, interrupted = ScenePictures(watched.title), Progress(), False
    episode: Iterator = watched.scenes()
    try:
        for scene in episode:
            film.add(pictures.draw(scene), scene.step)
            if progress.due():
                progress.show(f"step {scene.step:,}, score {scene.score:g}")
    except KeyboardInterrupt:
        interrupted = True
    except BaseException:
        film.discard()
        raise
    finally:
        progress.clear()
    film.close()
    console = terminal()
    say(console, ("interrupted, " if interrupted else "") + watched.summary())
    if film.pictures:
        size = film.path.stat().st_size
        say(console, f"wrote {film.pictures:,} pictures to {shell_word(film.path)} ({size / 1e6:.2f} MB)")
    else:
        say(console, "no picture was made, so there is no file")
    return INTERRUPTED if interrupted else 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the options of muzero-watch: the run, the game, and where to show it."""
    parser = Parser(
        prog="muzero-watch",
        example="zoo/breakout",
        description="Watch a trained agent play a game as it is evaluated: in the terminal, or as a file.",
        epilog=KEYS + PLAYERS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", metavar="RUN", help="a run's folder, RUN:STEP, RUN@SIMULATIONS, or zoo/NAME")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write a film (.mp4, .gif) or a strip of pictures (.png)"
    )
    parser.add_argument("--force", action="store_true", help="replace the file of --out if it exists")
    parser.add_argument("--fps", type=speed, default=FPS, metavar="N", help=f"steps in a second (default {FPS:g})")
    parser.add_argument("--steps", type=whole, metavar="N", help="stop after N steps (default: the whole game)")
    parser.add_argument(
        "--frames", type=whole, default=STRIP, metavar="N", help=f"pictures of a strip (default {STRIP})"
    )
    parser.add_argument("--at", type=steps, metavar="A,B,...", help="steps whose pictures a strip shows")
    parser.add_argument("--against", metavar="PLAYER", help="the opponent of a two-player game (default: itself)")
    parser.add_argument(
        "--openings", type=plies, metavar="2-4", help="random moves at the beginning, as of muzero-eval"
    )
    parser.add_argument("--seed", type=count, default=0, metavar="N", help="seed, as of muzero-eval (default 0)")
    parser.add_argument(
        "--episode", type=whole, default=1, metavar="N", help="which game of an evaluation of this seed (default 1)"
    )
    parser.add_argument("--sticky", action="store_true", help="Atari: with sticky actions, as in the second evaluation")
    parser.add_argument("--simulations", type=count, metavar="N", help="simulations per move (default: as trained)")
    parser.add_argument("--checkpoint", metavar="STEP|best", help="which checkpoint (default: the newest)")
    add_consent(parser)
    options = parser.parse_args(arguments)
    parser.require_words([options.run])
    check(parser, options)
    return options


def check(parser: Parser, options: argparse.Namespace) -> None:
    """Refuse a file that cannot be written, or would replace another, before anything is played for it."""
    given = set(parser.words) | {word.split("=")[0] for word in parser.words}
    path: Path | None = options.out
    strip = path is not None and path.suffix.lower() == ".png"
    for name in ("--frames", "--at"):
        if name in given and not strip:
            parser.error(f"{name} is of a strip of pictures: give --out FILE.png")
    if options.frames > MOST:
        parser.error(f"--frames {options.frames}; expected at most {MOST}")
    if path is None:
        if options.force:
            parser.error("--force is of a file: give --out FILE")
        return
    shown = escaped(str(path))
    if path.suffix.lower() not in SUFFIXES:
        close = nearest(path.suffix.lower(), SUFFIXES)
        hint = f"; did you mean {close[0]}?" if close else ""
        parser.error(f"--out {shown}: expected a name that ends in {', '.join(SUFFIXES)}{hint}")
    if path.is_dir():
        parser.error(f"--out {shown}: that is a folder; give the name of a file")
    if path.exists() and not options.force:
        parser.error(f"--out {shown}: the file exists; give another name, or --force to replace it")
    if not path.parent.is_dir():
        parser.error(f"--out {shown}: there is no folder {escaped(str(path.parent))}")
    if not os.access(path.parent, os.W_OK):
        parser.error(f"--out {shown}: {escaped(str(path.parent))} cannot be written to")


def speed(text: str) -> float:
    """Parse steps in a second."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if 0.1 <= found <= FASTEST:
        return found
    raise argparse.ArgumentTypeError(f"{text!r}; expected steps in a second, from 0.1 to {FASTEST:g}")


def steps(text: str) -> list[int]:
    """Parse numbers of steps, "0,40,80"."""
    words = text.split(",")
    if all(word.isdecimal() and int(word) < 10**7 for word in words) and len(words) <= MOST:
        return [int(word) for word in words]
    raise argparse.ArgumentTypeError(f"{text!r}; expected up to {MOST} numbers of steps, such as 0,40,80")


main = guarded(watch_command)
