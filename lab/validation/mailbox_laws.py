"""Laws of mailboxes: nothing vanishes, nothing appears, and nothing is delivered out of order within a chat."""

from __future__ import annotations

from collections.abc import Iterator

from lab.runs.run import Run
from lab.scenario.components import Mailbox
from lab.scenario.scenario import Scenario
from lab.validation.overtaking import overtakings, overtakings_in_groups


def broken_mailbox_laws(scenario: Scenario, run: Run) -> Iterator[str]:
    """Yield a sentence with numbers for each law that a mailbox of a predicted Run breaks.

    Order is that of each recipient; in a group, as far as the rows tell whose each delivery is
    (:func:`lab.validation.overtaking.overtakings_in_groups`).
    """
    own = run.provenance.get("own_components", [])
    for name, part in scenario.components.items():
        if isinstance(part, Mailbox) and name not in own:
            for replication in run.replications:
                where = f"{name} in replication {replication}"
                yield from _conservation(run.only(replication), name, part, where)
            ahead = _ahead(run, name, part)
            if ahead:
                whose = "their recipient" if part.group_size == 1 else "a member of their group"
                yield f"order: {ahead} messages of {name} were delivered before an earlier one to {whose}"


def _ahead(run: Run, name: str, mailbox: Mailbox) -> int:
    if mailbox.group_size == 1:
        return len(overtakings(run, name))
    if mailbox.capacity is not None:
        return 0  # whom a full box refused has no row, and is missing among the deliveries
    return len(overtakings_in_groups(run, name, members=mailbox.group_size))


def _conservation(run: Run, name: str, mailbox: Mailbox, where: str) -> Iterator[str]:
    """Each stored message makes one stay a recipient, each further delivery one more; each loss is noted."""
    stored = run.visits[(run.visits["component"] == f"{name}.publish") & (run.visits["outcome"] == "ok")]
    stays = run.visits[run.visits["component"] == name]
    noted = run.events[run.events["component"] == name]["kind"].astype(str).value_counts()
    expected = len(stored) * mailbox.group_size + noted.get("redelivery", 0) - noted.get("refused", 0)
    if len(stays) != expected:
        yield f"conservation: {where} should have made {expected} stays of what it stored, but {len(stays)} were seen"
    lost = int((stays["outcome"].astype(str) == "rejected").sum())
    if lost != noted.get("dropped", 0) + noted.get("expired", 0):
        yield (
            f"conservation: {where} lost {lost} messages, but noted {noted.get('dropped', 0)} dropped and "
            f"{noted.get('expired', 0)} expired"
        )
