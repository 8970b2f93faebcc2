"""Configuration: layers of TOML, each table of which is a constructor call.

The constructor's signature is the schema.  Its keyword-only parameters are the keys, their annotations say what is
allowed, their defaults are the lowest layer; positional parameters are passed by code and cannot be configured::

    class GumbelPlanner:
        def __init__(self, actions: int, *, simulations: Annotated[int, Range(1, 10000)] = 50): ...

    schema = {"planner": {"gumbel": GumbelPlanner, "puct": PuctPlanner}, "learner": Learner}
    config = merge([read_layer("board.toml"), parse_settings(["planner.simulations=16"])], schema)
    planner = config.construct("planner", actions)

If a table has kinds, the first is the default.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from muzero.config.layers import NOTE, ConfigError, Layer, name_from_outside, quoted
from muzero.config.schema import Arguments, Constructor, assignments, choices, convert, parameters, written
from muzero.util.text import encodable, nearest, printable

Schema = Mapping[str, Mapping[str, Constructor] | Constructor]
"""Table -> constructor, or table -> kind -> constructor."""

DEFAULT = "default"  # the source of values that no layer names


@dataclass(frozen=True)
class AtMost:
    """A rule between two settings: the first is at most the second.  Both are written "table.key"."""

    low: str
    high: str
    reason: str
    cap: int | None = None  # larger values of the first mean the same as this one

    def problem(self, tables: Mapping[str, Table]) -> str | None:
        """The problem, if the rule is broken."""
        (one, low), (other, high) = (name.split(".") for name in (self.low, self.high))
        value, limit = tables[one].values[low], tables[other].values[high]
        if (value if self.cap is None else min(value, self.cap)) <= limit:
            return None
        given = f"[{one}] {low} = {written(value)} (from {tables[one].sources[low]})"
        bound = f"[{other}] {high} = {written(limit)} (from {tables[other].sources[high]})"
        return f"{given}; expected at most {bound}: {self.reason}"


@dataclass(frozen=True)
class Needs:
    """A rule between two settings: the first has no effect where the second is 0, so then it must be 0 too.

    Here and in `Excludes`, an empty text counts as 0.
    """

    low: str
    high: str
    remedy: str
    where: str | None = None  # a setting: the rule holds only where it is not 0

    def problem(self, tables: Mapping[str, Table]) -> str | None:
        """The problem, if the rule is broken."""
        (one, low), (other, high) = (name.split(".") for name in (self.low, self.high))
        value, needed = tables[one].values[low], tables[other].values[high]
        table, key = (self.where or self.low).split(".")
        if not value or needed or not tables[table].values[key]:
            return None
        given = f"[{one}] {low} = {written(value)} (from {tables[one].sources[low]})"
        without = f"[{other}] {high} = {written(needed)} (from {tables[other].sources[high]})"
        return f"{given} does nothing with {without}: {self.remedy}"


@dataclass(frozen=True)
class Excludes:
    """A rule between two settings: where one is not 0, the other must be 0."""

    low: str
    high: str
    remedy: str

    def problem(self, tables: Mapping[str, Table]) -> str | None:
        """The problem, if the rule is broken."""
        given = []
        for name in (self.low, self.high):
            table, key = name.split(".")
            if not (value := tables[table].values[key]):
                return None
            given.append(f"[{table}] {key} = {written(value)} (from {tables[table].sources[key]})")
        return f"{' cannot be used with '.join(given)}: {self.remedy}"


Rule = AtMost | Needs | Excludes


def merge(layers: Iterable[Layer], schema: Schema, bounds: Iterable[Rule] = ()) -> Config:
    """Resolve every key of every table of the schema; later layers win.

    A layer that names another kind for a table drops what earlier layers said about that table.

    Raises:
        ConfigError: with every problem of every layer, and every rule that is broken between valid values.
    """
    tables = {name: _Table(name, schema) for name in schema}
    problems = []
    for layer in layers:
        for name, entries in layer.tables.items():
            if name in tables:
                problems += tables[name].update(entries, layer)
            else:
                close = nearest(name, schema)
                hint = f"; did you mean [{close[0]}]?" if close else f"; tables: {', '.join(schema)}"
                problems.append(f"no table [{name_from_outside(name)}] (from {layer.origin(name)}){hint}")
    resolved = {name: table.resolved() for name, table in tables.items()}
    unclear = {f"{name}.{key}" for name, table in tables.items() for key in table.unclear()}
    for bound in bounds:
        if not unclear & {bound.low, bound.high} and (problem := bound.problem(resolved)):
            problems.append(problem)
    if problems:
        raise ConfigError(problems)
    return Config(resolved)


@dataclass(frozen=True)
class Table:
    """A table whose keys all have values."""

    constructor: Constructor = field(repr=False, compare=False)
    kind: str | None
    values: Mapping[str, Any]
    sources: Mapping[str, str] = field(compare=False)  # of the values, and of the kind as "kind"
    notes: Mapping[str, str] = field(default_factory=dict, compare=False)  # why values were chosen

    def entries(self) -> dict[str, Any]:
        """The entries of a file: the kind, if the table has kinds, and the values."""
        return dict(self.values) if self.kind is None else {"kind": self.kind, **self.values}


@dataclass(frozen=True)
class Config:
    """Every key of every table, with the source of its value.  Two are equal if their values are."""

    tables: Mapping[str, Table]

    def table(self, name: str) -> dict[str, Any]:
        """The values of a table, without its kind."""
        return dict(self.tables[name].values)

    def kind(self, name: str) -> str | None:
        """The kind of the table; None if the table has no kinds."""
        return self.tables[name].kind

    def source(self, name: str, key: str) -> str:
        """Where a value came from: a file and its line, "--set", or "default".  The key may be "kind"."""
        return self.tables[name].sources[key]

    def note(self, name: str, key: str) -> str | None:
        """Why a value was chosen, where neither a file nor the user said it; None of others.  The key may be "kind"."""
        return self.tables[name].notes.get(key)

    def construct(self, name: str, *positional: Any) -> Any:
        """Call the table's constructor with its values as keywords; `build` gives the results their types."""
        table = self.tables[name]
        return table.constructor(*positional, **table.values)

    def to_toml(self) -> str:
        """The whole configuration as a file that reads back as an equal one under the same schema, with its notes."""
        blocks = []
        for name, table in self.tables.items():
            values = table.entries()
            free = {key: values.pop(key) for key, value in table.entries().items() if isinstance(value, Mapping)}
            notes = [f"{NOTE}{table.notes[key]}" if key in table.notes else "" for key in values]
            lines = [line + note for line, note in zip(assignments(values), notes, strict=True)]
            blocks.append("\n".join([f"[{name}]", *lines, ""]))
            blocks += ["\n".join([f"[{name}.{key}]", *assignments(value), ""]) for key, value in free.items() if value]
        return "\n".join(blocks)

    def difference(self, other: Config, besides: Collection[str] = ()) -> list[str]:
        """The differences from the configuration of a run, except in the tables and "table.key"s named in `besides`.

        Where the kinds of a table differ, its keys are not compared.
        """
        lines = []
        for name, table in self.tables.items():
            here, there = table.entries(), other.tables[name].entries()
            keys = ["kind"] if table.kind != other.kind(name) else list(here)
            for key in keys:
                if here[key] != there[key] and not {name, f"{name}.{key}"} & set(besides):
                    lines.append(f"[{name}] {key} = {written(here[key])} here, {written(there[key])} in the run")
        return lines


class _Table:
    """A table to which layers are applied one by one."""

    def __init__(self, name: str, schema: Schema):
        self.name = name
        self.schema = schema
        self.kinds = _kinds(schema, name)
        self.kind = next(iter(self.kinds))
        self.known = True  # False after an unknown kind: then the keys cannot be checked
        self.values: dict[str, Any] = {}
        self.sources = {"kind": DEFAULT}
        self.notes: dict[str, str] = {}
        self.wrong: set[str] = set()  # keys whose last value was refused

    def update(self, entries: Mapping[str, Any], layer: Layer) -> list[str]:
        """Apply one layer's entries; returns the problems that they have."""
        entries = dict(entries)
        problems = []
        if None not in self.kinds and "kind" in entries:
            problems += self._name_kind(entries.pop("kind"), layer.origin(self.name, "kind"))
            self._note("kind", layer)
        if not self.known:
            return problems
        known = parameters(self.kinds[self.kind])
        for key, value in entries.items():
            source = layer.origin(self.name, key)
            given = f"[{self.name}] {key} = {printable(written(value))} (from {source})"
            if key not in known:
                takes_no = f"[{self.name}] {self.kinds[self.kind].__name__} takes no {quoted(key)}"
                problems.append(f"{takes_no}; {self._hint(key)} (from {source})")
                continue
            if not encodable(written(value)):  # could be neither saved nor shown
                self.wrong.add(key)
                problems.append(f"{given}; expected UTF-8 text: set a locale of UTF-8, such as LC_ALL=C.UTF-8")
                continue
            try:
                converted = convert(known[key].annotation, value)
                # Free keys are replaced one by one, as the keys of a table are.
                free = known[key].annotation == Arguments
                self.values[key] = {**self.values.get(key, {}), **converted} if free else converted
                self.sources[key] = source
                self._note(key, layer)
                self.wrong.discard(key)
            except ValueError:
                self.wrong.add(key)
                close = nearest(value, choices(known[key].annotation)) if isinstance(value, str) else []
                hint = f"; did you mean {written(close[0])}?" if close else ""
                problems.append(f"{given}; expected {known[key].expected}{hint}")
        return problems

    def _note(self, key: str, layer: Layer) -> None:
        """Keep the layer's reason for a value; without one, that of an earlier layer holds no more."""
        self.notes.pop(key, None)
        if (self.name, key) in layer.notes:
            self.notes[key] = layer.notes[self.name, key]

    def unclear(self) -> set[str]:
        """Keys that have no valid value."""
        return self.wrong if self.known else set(parameters(self.kinds[self.kind]))

    def resolved(self) -> Table:
        """The table, with the defaults of its constructor for keys that no layer names."""
        constructor = self.kinds[self.kind]
        defaults = {key: parameter.default for key, parameter in parameters(constructor).items()}
        sources = dict.fromkeys(defaults, DEFAULT) | self.sources
        return Table(constructor, self.kind, defaults | self.values, sources, self.notes)

    def _name_kind(self, kind: Any, source: str) -> list[str]:
        kinds = [name for name in self.kinds if name is not None]
        self.known = kind in kinds
        if not self.known:
            close = nearest(kind, kinds) if isinstance(kind, str) else []
            hint = f"did you mean {written(close[0])}?" if close else f"expected {' or '.join(map(written, kinds))}"
            return [f"[{self.name}] kind = {printable(written(kind))} (from {source}); {hint}"]
        if kind != self.kind:
            self.values, self.sources, self.notes, self.wrong = {}, {}, {}, set()
        self.kind = kind
        self.sources["kind"] = source
        return []

    def _hint(self, key: str) -> str:
        """A hint for an unknown key: a key of this table, of another kind of it, or of another table."""
        known = parameters(self.kinds[self.kind])
        own = list(known) if None in self.kinds else ["kind", *known]
        elsewhere = self._elsewhere()
        close, far = nearest(key, own), nearest(key, elsewhere)
        free = [name for name, parameter in known.items() if parameter.annotation == Arguments]
        hints = []
        if key in elsewhere:
            hints.append(f"{key!r} belongs to {elsewhere[key]}")
        if free and not close:
            hints.append(f"for an argument of the environment use {self.name}.{free[0]}.{name_from_outside(key)}")
        if close:
            hints.append(f"did you mean {close[0]!r}?")
        elif far and not hints:
            hints.append(f"did you mean {far[0]!r} of {elsewhere[far[0]]}?")
        elif free or not hints:
            hints.append(f"it takes {', '.join(own)}" if own else "it takes no keys")
        return "; ".join(hints)

    def _elsewhere(self) -> dict[str, str]:
        """The keys of other tables and of other kinds of this one, each with its place."""
        own: dict[str, list[str]] = {}
        for kind, constructor in _kinds(self.schema, self.name).items():
            for key in parameters(constructor):
                own.setdefault(key, []).append(written(kind))
        others = {
            key: f"[{table}]"
            for table in self.schema
            if table != self.name
            for constructor in _kinds(self.schema, table).values()
            for key in parameters(constructor)
        }
        return others | {key: f"kind = {' or '.join(kinds)}" for key, kinds in own.items()}


def _kinds(schema: Schema, table: str) -> Mapping[str | None, Constructor]:
    """The constructors of a table by kind; a table without kinds has one, under None."""
    entry = schema[table]
    return {**entry} if isinstance(entry, Mapping) else {None: entry}
