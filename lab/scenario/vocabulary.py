"""Words of the scenario language: which exist, which only will, and which one was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from lab.scenario.problems import shown

_LONGEST_WORD = 100  # finding close matches of longer ones would take long
_NOT_YET = frozenset(
    {
        *("predictive", "disk_full", "partly_open"),
        *("worker", "job", "dead_letter", "batch", "linger", "push_notification"),
        *("retry_budget", "hedging"),
        *("write_through", "write_behind", "negative_caching", "etag", "vary", "client_cache", "server_failure_limit"),
        *("source", "cross_zone_time", "min_connections", "full_connections", "retry_on", "sticky"),
        *("gamma", "erlang", "weibull", "pareto", "hotset", "load_shedding"),
        *("deadlock_timeout", "commit_delay", "scatter_gather", "foreign_key"),
    }
)


def unknown_word(word: str, *, known: Iterable[str], what: str) -> str:
    """Return what to say about a word that is not one of the known ones.

    Args:
        word: as it was written.
        known: the words that may stand there.
        what: what the word is: ``key``, ``kind``, ...

    >>> unknown_word("replica", known=["kind", "replicas"], what="key")
    "there is no key 'replica' here; did you mean 'replicas'? (there are: kind, replicas)"
    """
    words = list(known)
    if word in _NOT_YET:
        return (
            f"the lab does not model {shown(word)} yet, and refuses it rather than ignore it; take it out, and name it "
            f"under not_modelled if it matters (what can stand here: {', '.join(words)})"
        )
    close = get_close_matches(word.lower(), words, n=1, cutoff=0.6) if len(word) <= _LONGEST_WORD else []
    guess = f"; did you mean {close[0]!r}?" if close else ""
    return f"there is no {what} {shown(word)} here{guess} (there are: {', '.join(words)})"
