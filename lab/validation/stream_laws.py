"""Laws of streams: nothing is lost, nothing appears, and nothing is delivered out of order by key."""

from __future__ import annotations

from collections.abc import Iterator

from lab.runs.run import Run
from lab.scenario.components import Stream
from lab.scenario.scenario import Scenario
from lab.validation.overtaking import overtakings


def broken_stream_laws(scenario: Scenario, run: Run) -> Iterator[str]:
    """Yield a sentence with numbers for each law that a stream of a predicted Run breaks."""
    own = run.provenance.get("own_components", [])
    for name, part in scenario.components.items():
        if isinstance(part, Stream) and name not in own:
            for replication in run.replications:
                yield from _conservation(run.only(replication), name, f"{name} in replication {replication}")
            yield from _order(run, name)


def _conservation(run: Run, name: str, where: str) -> Iterator[str]:
    """Each published record makes one stay, and each redelivery one more; none ends as dropped."""
    published = run.visits[(run.visits["component"] == f"{name}.publish") & (run.visits["outcome"] == "ok")]
    stays = run.visits[run.visits["component"] == name]
    again = int(((run.events["component"] == name) & (run.events["kind"] == "redelivery")).sum())
    if len(stays) != len(published) + again:
        yield (
            f"conservation: {where} took {len(published)} records and delivered {again} again, which makes "
            f"{len(published) + again} stays, but {len(stays)} were seen"
        )
    lost = int((stays["outcome"].astype(str) == "rejected").sum())
    if lost:
        yield f"conservation: {where} dropped {lost} records"


def _order(run: Run, name: str) -> Iterator[str]:
    """By key, the work on records begins in the order in which they were published."""
    ahead = overtakings(run, name, by="begun")
    if len(ahead):
        first = ahead.iloc[0]
        yield (
            f"order: {len(ahead)} records of {name} overtook an earlier one of their key, such as request "
            f"{first['request']} of replication {first['replication']} at {first['at_s']:.6f} s"
        )
