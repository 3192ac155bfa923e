"""A Run: what was observed of a scenario, the same type for a prediction and a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self, cast

import pandas as pd

from lab.errors import DomainError, NotEnoughData, RunStorageError
from lab.runs.aggregates import Aggregates
from lab.runs.aggregator import usual_bin_s
from lab.runs.all_figures import figures_frame
from lab.runs.bottleneck import Bottleneck, find_bottleneck
from lab.runs.documents import plain_json
from lab.runs.fingerprint import content_hash, schedule_hash
from lab.runs.html import run_card
from lab.runs.metrics import ALL, per_replication
from lab.runs.objectives import ObjectiveResult, judge, read_objective
from lab.runs.slices import slice_sentence
from lab.runs.storage import load_folder, save_folder
from lab.runs.summary import summary_frame
from lab.runs.tables import Tables
from lab.runs.timeline import timeline_frame
from lab.runs.window import Window, by_replication, request_rows, rows_of, window_of

World = Literal["predicted", "measured"]


# No slots: cached_property keeps its value in the object's __dict__.
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Run:
    """What was observed of a scenario, in one or more replications.

    Two Runs are equal in content when their :meth:`fingerprint` is. Treat the frames as read-only: figures
    are worked out once.

    Attributes:
        world: where it was observed.
        scenario: the whole scenario document, defaults filled in, quantities with units (``300ms``,
            ``0.1%``).
        tables: requests, visits (or aggregates of them), samples and events (also as properties of the Run).
        seed: of the draws; None where nothing was drawn.
        provenance: JSON values: versions, and for a measurement host, binaries, generator lateness, validity.
        unobserved: what this world cannot observe, each with the reason.

    Raises:
        DomainError: a visit has no request, the scenario has no window, or something is not plain JSON.
    """

    world: World
    scenario: Mapping[str, Any]
    tables: Tables
    seed: int | None
    provenance: Mapping[str, Any]
    unobserved: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.world not in ("predicted", "measured"):
            raise DomainError(f"world is {self.world!r}; it must be 'predicted' or 'measured'")
        for name in ("scenario", "provenance"):
            object.__setattr__(self, name, plain_json(getattr(self, name), name))
        object.__setattr__(self, "unobserved", tuple(str(what) for what in self.unobserved))
        window_of(self.scenario)
        for table in ("visits", "aggregates"):
            strangers = set(getattr(self.tables, table)["replication"]) - set(self.requests["replication"])
            if strangers:
                raise DomainError(f"{table} table: replication {min(strangers)} has visits but no requests")
        for replication, own in by_replication(self.requests):
            request_rows(own, rows_of(self.tables.visits, replication))

    @property
    def name(self) -> str:
        """The scenario's name."""
        return str(self.scenario.get("name", "unnamed"))

    @property
    def requests(self) -> pd.DataFrame:
        """One row a client request."""
        return self.tables.requests

    @property
    def visits(self) -> pd.DataFrame:
        """One row a visit of an attempt to a component.

        Raises:
            NotEnoughData: the Run kept aggregates of its visits alone.
        """
        if self.is_summary:
            raise NotEnoughData(
                f"{self!r} kept sums of its visits and not their rows, so this cannot be told; simulate with keep='all'"
            )
        return self.tables.visits

    @property
    def is_summary(self) -> bool:
        """Whether it kept aggregates of its visits instead of their rows."""
        return not self.tables.aggregates.empty

    @property
    def has_visits(self) -> bool:
        """Whether anything is known of visits to components."""
        return not (self.tables.visits.empty and self.tables.aggregates.empty)

    @property
    def bin_s(self) -> float:
        """Width in seconds of the bins in which it is followed: a second, or more in runs of many hours."""
        return usual_bin_s(self.window.end_s)

    @cached_property
    def _visited(self) -> pd.DataFrame | Aggregates:
        return Aggregates(self.tables.aggregates, self.scenario) if self.is_summary else self.tables.visits

    @property
    def samples(self) -> pd.DataFrame:
        """Gauges over time."""
        return self.tables.samples

    @property
    def events(self) -> pd.DataFrame:
        """Faults and decisions."""
        return self.tables.events

    @property
    def replications(self) -> tuple[int, ...]:
        """The numbers of its replications, ascending."""
        return tuple(number for number, _ in by_replication(self.requests))

    @property
    def window(self) -> Window:
        """The stretch of its clock that counts: from the warm-up's end to the duration."""
        return window_of(self.scenario)

    def only(self, replication: int) -> Self:
        """Return the Run with this one of its replications alone.

        Raises:
            NotEnoughData: there is no such replication.
        """
        if replication not in self.replications:
            raise NotEnoughData(f"there is no replication {replication}; there are {len(self.replications)}, from 0")
        frames = {name: frame[frame["replication"] == replication] for name, frame in self.tables.as_dict().items()}
        return replace(self, tables=Tables(**frames))

    def metrics(self, *, warm_up: bool = True) -> pd.DataFrame:
        """Return the figures, one row a (replication, metric, subject).

        What they are: :mod:`lab.runs.all_figures`.

        Args:
            warm_up: leave out the requests meant to start during the warm-up.

        Raises:
            NotEnoughData: a replication has no request in the window.
        """
        if warm_up:
            return self._metrics.copy()
        return self._figures(window_of(self.scenario, warm_up=False))

    @cached_property
    def _metrics(self) -> pd.DataFrame:
        return self._figures(self.window)

    def _figures(self, window: Window) -> pd.DataFrame:
        return figures_frame(
            requests=self.requests,
            visits=self._visited,
            samples=self.samples,
            scenario=self.scenario,
            window=window,
        )

    def per_replication(self, metric: str, subject: str = ALL) -> pd.Series[float]:
        """Return one figure's values (SI units), indexed by replication.

        Raises:
            NotEnoughData: no replication has it.
        """
        return per_replication(self._metrics, metric=metric, subject=subject)

    def value(self, metric: str, subject: str = ALL) -> float:
        """Return one figure's mean over the replications that have it (SI units).

        Raises:
            NotEnoughData: no replication has it.
        """
        return float(self.per_replication(metric, subject).mean())

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """Return each figure's mean over replications with its intervals.

        What the columns are: :func:`lab.runs.summary.summary_frame`.
        """
        return summary_frame(self._metrics, level=level)

    def objectives(self) -> tuple[ObjectiveResult, ...]:
        """Return how the run stands to each objective of its scenario, in their order."""
        documents = self.scenario.get("objectives") or ()
        wanted = [read_objective(document, where=f"objectives[{place}]") for place, document in enumerate(documents)]
        return tuple(judge(each, requests=self.requests, metrics=self._metrics, window=self.window) for each in wanted)

    def bottleneck(self) -> Bottleneck:
        """Return where requests wait most; see :func:`lab.runs.bottleneck.find_bottleneck`."""
        return find_bottleneck(scenario=self.scenario, requests=self.requests, visits=self._visited, window=self.window)

    def timeline(self, bin_s: float | None = None) -> pd.DataFrame:
        """Return the figures of each bin from time 0 to the duration.

        What they are: :func:`lab.runs.timeline.timeline_frame`.

        Args:
            bin_s: width of a bin in seconds; :attr:`bin_s` by default.

        Raises:
            NotEnoughData: the Run kept aggregates in other bins than these.
        """
        whole = window_of(self.scenario, warm_up=False)
        width_s = self.bin_s if bin_s is None else bin_s
        return timeline_frame(requests=self.requests, visits=self._visited, window=whole, bin_s=width_s)

    def to_pandas(self) -> dict[str, pd.DataFrame]:
        """Return copies of the tables by name."""
        return {name: frame.copy() for name, frame in self.tables.as_dict().items()}

    def fingerprint(self) -> str:
        """Return the SHA-256 (hex) of the tables' content."""
        return content_hash(self.tables.as_dict(), unless_empty=("aggregates",))

    def schedule_fingerprint(self) -> str:
        """Return the SHA-256 (hex) of what the first replication was sent: two Runs that share it are paired.

        Raises:
            NotEnoughData: the run has no requests.
        """
        for _, own in by_replication(self.requests):
            return schedule_hash(own)
        raise NotEnoughData("the run has no requests, so it has no schedule")

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the Run as a folder, whole or not at all, and return the folder.

        Raises:
            RunStorageError: the folder exists (and is not a Run to overwrite), or the disk refuses.
        """
        header = {
            "world": self.world,
            "seed": self.seed,
            "fingerprint": self.fingerprint(),
            "scenario": self.scenario,
            "provenance": self.provenance,
            "unobserved": list(self.unobserved),
        }
        save_folder(Path(folder), header=header, tables=self.tables.as_dict(), overwrite=overwrite)
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Return a saved Run.

        Raises:
            RunStorageError: the folder is not a whole Run; the message names the file.
        """
        header, tables = load_folder(Path(folder))
        try:
            return cls(
                world=cast(World, header["world"]),
                scenario=header["scenario"],
                tables=Tables.of_checked(**tables),
                seed=header["seed"],
                provenance=header["provenance"],
                unobserved=tuple(header["unobserved"]),
            )
        except (KeyError, TypeError, DomainError) as error:
            raise RunStorageError(
                f"{folder}: run.json and the tables do not make a Run ({error}); save it again"
            ) from error

    def __repr__(self) -> str:
        visits = "aggregates of their visits" if self.is_summary else f"{len(self.tables.visits)} visits"
        sizes = f"{len(self.replications)} replication(s), {len(self.requests)} requests, {visits}"
        return f"Run({self.name!r}, {self.world}, {sizes})"

    def _repr_html_(self) -> str | None:
        try:
            return run_card(
                title=self.name,
                world=self.world,
                question=str(self.scenario.get("question") or ""),
                summary=self.summary(),
                objectives=self.objectives(),
                closing=self._closing(),
            )
        except NotEnoughData:
            return None  # notebooks then fall back on repr, which holds for any Run

    def _closing(self) -> str:
        return f"{slice_sentence(self.scenario)} {self.bottleneck().sentence if self.has_visits else ''}".strip()
