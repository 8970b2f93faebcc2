"""Settings of a whole run: the tables [run] and [actors]."""

from dataclasses import dataclass
from typing import Annotated, Literal

from muzero.config import Range


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What a run learns, how long, and how often it saves and evaluates.

    Args:
        game: the game, as --game takes it: "board/tic_tac_toe".
        data: recorded experience to learn from, without playing: the folder of a run, "minari:ID" of a Minari data set
            on this machine, or a .npz file; empty plays.  It is read when the run begins, and copied into its log.
        updates: length of a run that learns from `data`, in updates; 0 makes as many as a run of `steps` that plays.
        seed: the seed of everything random in the run: weights, games, exploration, sampling.
        device: where the network learns, and plays if this process plays; "auto" is a GPU if there is one.
        threads: CPU threads of torch in learning and evaluation; an actor of this machine plays on one.
        steps: environment steps of the whole run, earlier sessions of a resumed run included.
        seconds: seconds of training after which the run ends although steps are left; "none" sets no limit.  A run
            that has stored no steps by then continues until it has, at most 30 seconds longer.  The evaluation at the
            end follows: it may take a tenth of this time, or one minute if that is longer.
        games: games played side by side in this process, or in each actor.
        play: steps of each game between two rounds of learning.
        updates_per_step: updates of the network for each environment step after `start`.
        reanalysed_per_step: stored positions that are planned again, with the newest weights, for each environment
            step after `start` (Schrittwieser et al. 2021); 0 plans none again.  Each costs a full search.  Actors
            on Ray have `actors.reanalyse` instead.
        reanalyse_every: updates in which every stored position is planned again once, however many there are; 0 leaves
            the number to `reanalysed_per_step`.  On Ray, the actors of `actors.reanalyse` do it.  A run that learns
            from `data` makes as many updates before it plans anything.
        start: environment steps that are stored before learning begins.
        save_every: environment steps between two checkpoints; of a run that learns from `data`, updates.
        keep: the newest checkpoints to keep; the best by evaluation is kept too.
        keep_every: seconds of training; one checkpoint of each such period is kept for ever.
        failed_saves: checkpoints in a row that may fail before the run gives up; 0 never gives up.
        evaluate_every: environment steps between two evaluations during the run; of one that learns from `data`,
            updates.  "auto" evaluates up to 10 games about ten times, in at most 5 % of the run's time; 0 evaluates at
            the end only.
        opponent: the opponent of evaluations in two-player games: any player of muzero-eval that is not a run, such as
            "minimax".
        symmetries: images of a board, mirrored and rotated, of which a trained agent averages the predictions: in
            evaluations, in matches and from Python.  Two play better than one, and take twice as long.  At most as many
            as the game has; self-play looks at the board alone.
        evaluation_games: games of each evaluation; at most 10 of them with evaluate_every = "auto", until the end.
    """

    game: str = ""
    data: str = ""
    updates: Annotated[int, Range(0)] = 0
    seed: Annotated[int, Range(0, 2**31)] = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[int, Range(1, 1024)] = 1
    steps: Annotated[int, Range(1)] = 100_000
    seconds: Annotated[float, Range(0.001)] | None = None
    games: Annotated[int, Range(1, 65_536)] = 16
    play: Annotated[int, Range(1, 10_000)] = 8
    updates_per_step: Annotated[float, Range(0.0, 1000.0)] = 0.25
    reanalysed_per_step: Annotated[float, Range(0.0, 100.0)] = 0.0
    reanalyse_every: Annotated[int, Range(0)] = 0
    start: Annotated[int, Range(1)] = 1000
    save_every: Annotated[int, Range(1)] = 20_000
    keep: Annotated[int, Range(1, 1000)] = 3
    keep_every: Annotated[float, Range(1.0)] = 43_200.0
    failed_saves: Annotated[int, Range(0)] = 0
    evaluate_every: Annotated[int, Range(0)] | Literal["auto"] = "auto"
    opponent: str = "random"
    symmetries: Annotated[int, Range(1, 16)] = 1
    evaluation_games: Annotated[int, Range(1, 100_000)] = 100

    @property
    def unit(self) -> str:
        """What the length of the run is counted in."""
        return "updates" if self.data else "steps"

    @property
    def length(self) -> int:
        """Of the whole run: environment steps, or updates from recorded experience."""
        if not self.data:
            return self.steps
        return self.updates or max(1, int((self.steps - self.start) * self.updates_per_step))

    def done(self, count: int, seconds: float) -> float:
        """The share of the run that is done.

        Args:
            count: environment steps so far, or updates from recorded experience.
            seconds: of training.
        """
        share = count / self.length
        return share if self.seconds is None else max(share, seconds / self.seconds)


@dataclass(frozen=True, kw_only=True)
class ActorSettings:
    """Where games are played: on this machine beside the learner, or by actors on Ray.

    Args:
        count: actors on Ray; 0 plays without Ray, -1 (--actors auto) starts as many as there are cores for.
        overlap: where `count` is 0, whether a child process plays the next games while this one learns, on a CPU.  The
            games and all that is learned are the same without it.  "auto": where there is a core for it, and no library
            that cannot be used in a forked process is loaded; "off" plays in this process, as a debugger needs it.
        address: HOST:PORT of a running Ray cluster; empty uses this machine alone.
        cpus: cores reserved for each actor.
        gpus: GPUs reserved for each actor; with a fraction, several actors share one.
        reanalyse: further actors, which plan stored positions again with the newest weights, as many as they can, or
            as `run.reanalyse_every` asks for; where `count` is 0, the actor that plays does it.
        evaluate: 1 adds an actor that evaluates while the others play.
        in_flight: tasks that an actor has at once, so that it never waits for the learner.
        max_age: times that weights may have been published since a segment's weights for it to be learned from.
        patience: seconds after which a task counts as hanging, unless ten times its usual duration is longer.
        insecure: whether to use a cluster that asks for no token: anyone who reaches it can run code on it.
    """

    count: Annotated[int, Range(-1, 100_000)] = 0
    overlap: Literal["auto", "on", "off"] = "auto"
    address: str = ""
    cpus: Annotated[float, Range(0.0, 1024.0)] = 1.0
    gpus: Annotated[float, Range(0.0, 16.0)] = 0.0
    reanalyse: Annotated[int, Range(0, 10_000)] = 0
    evaluate: Annotated[int, Range(0, 1)] = 0
    in_flight: Annotated[int, Range(1, 2)] = 2
    max_age: Annotated[int, Range(1)] = 50
    patience: Annotated[float, Range(0.1)] = 60.0
    insecure: bool = False
