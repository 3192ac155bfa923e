"""What a plain YAML scalar stands for, and the ones that YAML readers disagree about.

YAML 1.1 and 1.2 read ``on``, ``010``, ``1e-3`` or ``1:30`` differently. Such a scalar is a trap: whoever
wrote it may have meant either, so the lab takes neither.
"""

from __future__ import annotations

import re

from lab.scenario.problems import shown

Scalar = str | int | float | bool | None

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]{1,3})?")
_MOST_DIGITS = 25
_HUGE = 1e30

_TRAPS = (
    (
        re.compile(r"(?i:on|off|yes|no)"),
        "is true or false to some YAML readers and a word to others; write true or false, or put the word in quotes",
    ),
    (
        re.compile(r"[-+]?0[0-9_]+(\.[0-9]*)?"),
        "begins with 0, so it is octal to some YAML readers and decimal to others; "
        "write it without that 0, or in quotes",
    ),
    (
        re.compile(r"[-+]?0[xXoObB][0-9a-fA-F_]+"),
        "is a number to some YAML readers and a text to others; write the number in decimal, or the text in quotes",
    ),
    (
        re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?"),
        "is a number to some YAML readers and a text to others; write the number without _, or the text in quotes",
    ),
    (
        re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+"),
        "is a number to some YAML readers and a text to others; write it out without the exponent (1e-3 is 0.001)",
    ),
    (
        re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"),
        "is a number in base 60 to some YAML readers; write a time with its unit, such as 90s, or a text in quotes",
    ),
    (
        re.compile(r"[-+]?\.(?i:inf|nan)"),
        "is not a finite number; write a number, or leave the key out if there is no limit",
    ),
    (
        re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?"),
        "is a date to some YAML readers and a text to others; put it in quotes",
    ),
    (
        re.compile(r"<<|="),
        "is a special key to some YAML readers, which this language does not have; write the keys out",
    ),
)


def resolve(text: str) -> Scalar:
    """Return what a plain (unquoted) scalar stands for, where all YAML readers agree.

    >>> resolve("0.5"), resolve("16"), resolve("250ms"), resolve("~")
    (0.5, 16, '250ms', None)
    """
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if len(text) <= _MOST_DIGITS and _INTEGER.fullmatch(text):
        return int(text)
    if len(text) <= _MOST_DIGITS and _FLOAT.fullmatch(text):
        return float(text)
    return text


def trap(text: str) -> str | None:
    """Return what is wrong with a plain (unquoted) scalar that YAML readers disagree about, or None.

    >>> trap("1:30").split(";")[0]
    "'1:30' is a number in base 60 to some YAML readers"
    """
    if _FLOAT.fullmatch(text) or _INTEGER.fullmatch(text):
        if len(text) > _MOST_DIGITS or abs(float(text)) > _HUGE:
            return f"{shown(text)} is a number too long to be meant; write one with fewer digits"
        return None
    for pattern, why in _TRAPS:
        if pattern.fullmatch(text):
            return f"{shown(text)} {why}"
    return None
