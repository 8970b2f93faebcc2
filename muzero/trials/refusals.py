"""Settings that are each valid, but not together, not for this game, or not on this machine."""

from __future__ import annotations

from collections.abc import Mapping

from muzero.config import Config, ConfigError
from muzero.config.run import RunSettings
from muzero.interfaces import GameSpec, Objective, Planner, WorldModel
from muzero.util import memory


def check_memory(config: Config, row_bytes: int) -> None:
    """Refuse more games side by side than this machine has memory for.

    row_bytes: memory of one stored step.

    Raises:
        ConfigError: naming the memory that they would need and the memory that there is.
    """
    count, segment = config.table("run")["games"], config.table("selfplay")["segment_steps"]
    actors = config.table("actors")
    processes = 1 if actors["address"] else max(1, actors["count"])
    needed, limit = processes * count * segment * row_bytes, memory.limit()
    if needed > limit:
        of_each = f" in each of {processes:,} actors" if processes > 1 else ""
        problem = (
            f"[run] games = {count}{of_each} (from {config.source('run', 'games')}) would need {needed / 1e9:,.1f} GB "
            f"for steps under way, and this machine has {limit / 1e9:,.1f} GB; use fewer games, or smaller "
            f"selfplay.segment_steps (now {segment})"
        )
        raise ConfigError([problem])


def check_recorded(config: Config, settings: RunSettings) -> None:
    """Refuse a run from recorded experience that would end before it has planned any of it.

    Raises:
        ConfigError: with the remedy.
    """
    if settings.data and settings.length <= settings.reanalyse_every:
        given = f"[run] reanalyse_every = {settings.reanalyse_every} (from {config.source('run', 'reanalyse_every')})"
        remedy = f"set run.updates (muzero-train --updates) to more, or run.reanalyse_every={settings.length // 4 or 1}"
        raise ConfigError(
            [f"{given}: positions are planned after as many updates, and the run makes {settings.length:,}; {remedy}"]
        )


def check_planner(
    config: Config, spec: GameSpec, planner: Planner, model: WorldModel, kinds: Mapping[str, type[Planner]]
) -> None:
    """Refuse a planner that cannot serve the game or the model, and a model with memory where it cannot be used.

    kinds: all planners, of which those that fit are named.

    Raises:
        ConfigError: with the reason, and what can be used.
    """
    if spec.two_player and model.memory(1):
        given = f'[model] kind = "{config.kind("model")}" (from {config.source("model", "kind")})'
        why = "it remembers what it has seen, and in a match a player does not see the positions of its opponent"
        raise ConfigError(
            [f"{given} cannot be used: {spec.name} is for two players: {why}; use a model without memory"]
        )
    for table, key in (("actors", "reanalyse"), ("run", "reanalysed_per_step"), ("run", "reanalyse_every")):
        if config.table(table)[key] and model.memory(1):
            given = f"[{table}] {key} (from {config.source(table, key)})"
            why = "a stored position is planned again without the positions before it"
            raise ConfigError([f"{given} cannot be used with a model with memory: {why}; set {table}.{key} = 0"])
    if not (reason := _refusal(planner, model, spec)):
        return
    able = [kind for kind, made in kinds.items() if not _refusal(made(), model, spec)]
    given = f'[planner] kind = "{config.kind("planner")}" (from {config.source("planner", "kind")})'
    raise ConfigError([f"{given} cannot be used: {reason}; use --set planner.kind={' or '.join(able)}"])


def _refusal(planner: Planner, model: WorldModel, spec: GameSpec) -> str | None:
    """Why a planner cannot serve a model and a game, in words; None if it can."""
    if spec.two_player and planner.start(1, spec.actions):
        why = "it remembers its last plan, and in a match a player does not plan the moves of its opponent"
        return f"{spec.name} is for two players: {why}"
    return planner.refuses(model, spec)


def check_learning(config: Config, objective: Objective) -> None:
    """Refuse batches that the objective cannot learn from, and sums of rewards that it does not teach.

    Raises:
        ConfigError: with the reason, and the remedy.
    """
    size, steps = config.table("learner")["batch"], config.table("model").get("value_prefix", 0)
    if reason := objective.refuses(size):
        raise ConfigError([f"[learner] batch = {size} (from {config.source('learner', 'batch')}) {reason}"])
    if steps > objective.unroll:
        given = f"[model] value_prefix = {steps} (from {config.source('model', 'value_prefix')})"
        why = (
            f"rewards are taught over objective.unroll = {objective.unroll} steps, so longer sums would never be "
            "learned"
        )
        raise ConfigError([f"{given}: {why}; set it to at most that, or objective.unroll to {steps}"])


def check_augmentation(config: Config, spec: GameSpec, reason: str | None) -> None:
    """Refuse to move frames, or to change their intensity, where observations are not frames, or to move them out.

    reason: why the game has no frames; None where it has.

    Raises:
        ConfigError: with the reason, and the remedy.
    """
    for key in ("shift", "intensity"):
        if reason and (value := config.table("replay")[key]):
            given = f"[replay] {key} = {value} (from {config.source('replay', key)})"
            raise ConfigError([f"{given} cannot be used with {spec.name}: {reason}; set replay.{key} = 0"])
    shift = config.table("replay")["shift"]
    if shift and shift >= (side := min(spec.observation[1:])):  # nothing of a frame would be left
        given = f"[replay] shift = {shift} (from {config.source('replay', 'shift')})"
        raise ConfigError([f"{given}; expected less than {side}, the shorter side of a frame of {spec.name}"])
