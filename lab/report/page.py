"""A report page from plain inputs: texts, tables of texts, figures. It knows nothing of runs or verdicts."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.errors import DomainError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TEMPLATE = "page.html.j2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One figure of a page: its title, the drawing, and a sentence on how to read it."""

    title: str
    figure: Figure
    caption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a report says, in the order in which it says it.

    Attributes:
        title: the heading.
        question: what was asked; may be empty.
        answers: sentences that answer it.
        figures: rows of texts with the same keys; a column named ``verdict`` is shown as badges.
        objectives: rows of texts with the same keys.
        cards: drawings.
        notes: headed lists of sentences (assumptions, what is not modelled); empty ones are left out.
        documents: headed JSON documents (scenario, provenance), folded away.
    """

    title: str
    question: str = ""
    answers: Sequence[str] = ()
    figures: Sequence[Mapping[str, str]] = ()
    objectives: Sequence[Mapping[str, str]] = ()
    cards: Sequence[Card] = ()
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("figures", "objectives"):
            rows = getattr(self, name)
            if any(list(row) != list(rows[0]) for row in rows):
                raise DomainError(
                    f"{name}: the rows have different columns; give each row the same keys in the same order"
                )


def render(page: Page) -> str:
    """Return the page as one HTML document with its drawings inside; equal pages give equal text.

    Every text is escaped. A content policy forbids scripts and any request.
    """
    import jinja2  # here, so that importing lab.report stays quick

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(_TEMPLATE).render(
        page=page,
        drawings=[(card, svg_data(card.figure)) for card in page.cards],
        documents={
            name: json.dumps(document, indent=2, ensure_ascii=False) for name, document in page.documents.items()
        },
    )


def svg_data(figure: Figure) -> str:
    """Return the figure as a data URL of an SVG image, the same for the same drawing."""
    import matplotlib as mpl  # here, so that importing lab.report stays quick

    buffer = io.BytesIO()
    # Without a salt the identifiers inside are random, and without a date there is none: same figure, same bytes.
    with mpl.rc_context({"svg.hashsalt": "lab", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
