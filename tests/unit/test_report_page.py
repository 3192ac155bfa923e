"""The report: one file that needs nothing else, says what the Runs say, and trusts no text."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from lab.errors import DomainError, UsageError
from lab.report import Card, Page, render, write_report
from lab.report.cards import cards_of
from lab.validation.comparison import Comparison
from lab.validation.judge import judge
from lab.validation.margins import Margin, Regime
from tests.unit.runs_frames import busy_run, request, run_of

PREDICTED, MEASURED = busy_run(replications=3, count=200), busy_run("measured", replications=2, seed=2, count=200)


def _comparison() -> Comparison:
    row = judge(
        name=("goodput_per_s", "all", "1/s"),
        predicted=PREDICTED.value("goodput_per_s"),
        replications=PREDICTED.per_replication("goodput_per_s").tolist(),
        repeats=MEASURED.per_replication("goodput_per_s").tolist(),
        margin=Margin(value=0.5, kind="relative"),
    )
    return Comparison(
        predicted=PREDICTED, measured=MEASURED, rows=(row,), regime=Regime.MODERATE, paired=False, invalid=()
    )


def _figure() -> Figure:
    figure = Figure(figsize=(4, 2))
    figure.subplots().plot([1, 2, 3])
    return figure


def test_every_text_is_escaped() -> None:
    """Markup in a name, a cell, a caption, a note or a document comes out as text."""
    nasty = '<script>alert("x")</script>'
    page = Page(
        title=nasty,
        question=nasty,
        answers=[nasty],
        figures=[{nasty: nasty, "verdict": '"><b>'}],
        objectives=[{nasty: nasty}],
        cards=[Card(title=nasty, figure=_figure(), caption=nasty)],
        notes={nasty: [nasty]},
        documents={nasty: {"key": nasty}},
    )
    text = render(page)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 11
    assert '"><b>' not in text


def test_the_file_needs_nothing_else() -> None:
    """No script, no link, no address but data and the policy that forbids all others."""
    text = render(Page(title="t", cards=[Card(title="c", figure=_figure())]))
    assert "default-src 'none'" in text
    assert re.findall(r'(?:src|href)="(?!data:)', text) == []
    assert re.findall(r"https?://|@import|url\(", text) == []
    assert "<script" not in text


def test_drawings_are_svg_inside_the_page() -> None:
    """Each figure stands in the page as a well-formed SVG image with its title as alternative text."""
    text = render(Page(title="t", cards=[Card(title="A drawing", figure=_figure(), caption="Read it so.")]))
    (data,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', text)
    root = ElementTree.fromstring(base64.b64decode(data))
    assert root.tag.endswith("svg")
    assert 'alt="A drawing: Read it so."' in text


def test_the_same_page_gives_the_same_text() -> None:
    """No date and no random identifier gets into the file."""
    pages = [render(Page(title="t", cards=[Card(title="c", figure=_figure())])) for _ in range(2)]
    assert pages[0] == pages[1]
    assert "dc:date" not in base64.b64decode(re.findall(r"base64,([^\"]+)", pages[0])[0]).decode()


def test_verdicts_are_badges_and_empty_parts_are_left_out() -> None:
    """A verdict has the class of its word; an empty verdict has no badge; empty lists have no heading."""
    rows = [
        {"figure": "p99", "verdict": "pass"},
        {"figure": "p50", "verdict": "not met"},
        {"figure": "x", "verdict": ""},
    ]
    text = render(Page(title="t", figures=rows, notes={"Assumptions": [], "Not modelled": ["TLS"]}))
    assert '<span class="badge pass">pass</span>' in text
    assert '<span class="badge not-met">not met</span>' in text
    assert text.count('class="badge') == 2
    assert "<h2>Assumptions" not in text
    assert "<h2>Not modelled" in text
    assert "<h2>Plots" not in text


def test_rows_of_a_table_have_the_same_columns() -> None:
    """A row with other columns would put figures under wrong headings."""
    with pytest.raises(DomainError, match="figures: the rows have different columns"):
        Page(title="t", figures=[{"a": "1"}, {"b": "2"}])


def test_light_and_dark_with_drawings_on_white() -> None:
    """The page follows the reader's scheme; drawings, whose ink is black, keep a white card."""
    text = render(Page(title="t"))
    assert "prefers-color-scheme: dark" in text
    assert re.search(r"figure \{[^}]*background: #ffffff", text)


def test_a_comparison_tells_both_worlds(tmp_path: Path) -> None:
    """The page has the compared figures, objectives and bottlenecks of both worlds, all drawings, the scenario."""
    file = write_report(_comparison(), tmp_path / "deep" / "report.html")
    text = file.read_text(encoding="utf-8")
    assert "small: predicted and measured" in text
    assert "Is &lt;one&gt; slot enough?" in text
    assert '<span class="badge pass">pass</span>' in text
    for run in (PREDICTED, MEASURED):
        assert run.bottleneck().sentence.replace("<", "&lt;") in text
        assert f"Provenance, {run.world}" in text
    assert text.count("sojourn_time p99 of read &lt;= 200 ms") == 2
    for title in ("Topology", "Goodput over time", "Sojourn times", "Waiting at each component", "Hit ratio of items"):
        assert f"<h3>{title}" in text
    assert "Queue at the bottleneck, edge" in text
    assert [path.name for path in file.parent.iterdir()] == ["report.html"]


def test_a_single_run_has_a_report_with_its_notes(tmp_path: Path) -> None:
    """One Run's page has its summary and the scenario's facts, assumptions and omissions."""
    notes = {
        "facts": [{"says": "ten a second", "source": "a log"}],
        "assumptions": ["one region"],
        "not_modelled": ["TLS handshakes"],
    }
    rows = [request(n, 3.0 + n / 10, 0.1) for n in range(9)]
    run = run_of(rows, scenario=notes, unobserved=("the kernel: out of sight",))
    text = write_report(run, tmp_path / "run.html").read_text(encoding="utf-8")
    for sentence in ("ten a second (a log)", "one region", "TLS handshakes", "predicted: the kernel: out of sight"):
        assert f"<li>{sentence}</li>" in text
    assert "sojourn_time_s_p99" in text


def test_drawings_without_data_are_left_out() -> None:
    """Without a cache, a visit or an ok answer there is no hit ratio, no wait and no sojourn time to draw."""
    titles = [card.title for card in cards_of(run_of([request(1, 3.0, 1.0, "timeout")]))]
    assert titles == ["Topology", "Goodput over time"]


def test_a_report_opens_no_window_figures() -> None:
    """Drawing a report leaves nothing in pyplot's list of open figures."""
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    cards_of(PREDICTED)
    assert plt.get_fignums() == before


def test_a_report_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """A path below a plain file, or that is a folder, gives words and leaves nothing behind."""
    (tmp_path / "file").write_text("text")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "report.html", tmp_path / "folder"):
        with pytest.raises(UsageError, match="the report could not be written"):
            write_report(Page(title="t"), path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
