"""One picture that is drawn again, in its place, when a slider moves."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lab.errors import DomainError, LabError, UsageError

if TYPE_CHECKING:
    from types import ModuleType

_DOTS_PER_INCH = 80  # what keeps a notebook's outputs small and a label readable
_RANGE = 3  # from, to, step

Slider = tuple[float, float, float] | Sequence[float | str]


@dataclass(slots=True, kw_only=True)
class Exploration:
    """A picture with its sliders, shown by being the last line of a cell; made by :func:`explore`.

    First comes the picture at the values that the reader starts from, by itself: it stays in a notebook that is only
    read. Below it stands the one that follows the sliders.
    """

    draw: Callable[..., object]
    starts: Mapping[str, Any]
    sliders: Mapping[str, Slider]
    size: tuple[float, float]
    panels: int
    _picture: Any = field(default=None, init=False, repr=False)
    _problem: Any = field(default=None, init=False, repr=False)
    _controls: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def png(self, **values: object) -> bytes:
        """Return the picture at the starting values, with those given instead."""
        from matplotlib.figure import Figure  # here: a lesson's exercises need no plots

        figure = Figure(figsize=self.size, layout="constrained")  # no pyplot: nothing else shows or keeps it
        axes = figure.subplots(1, self.panels)
        self.draw(axes, **{**self.starts, **values})
        target = io.BytesIO()
        figure.savefig(target, format="png", dpi=_DOTS_PER_INCH)
        return target.getvalue()

    def widget(self) -> Any:
        """Return the sliders with the picture below them, as one widget of ipywidgets (each call the same one)."""
        widgets = _ipywidgets()
        if self._picture is None:
            as_drawn = {"align_self": "flex-start", "max_width": "100%"}  # a box stretches what is in it
            self._picture = widgets.Image(format="png", value=self.png(), layout=as_drawn)
            self._problem = widgets.HTML()
            self._controls = {
                name: _control(widgets, name, slider, self.starts[name]) for name, slider in self.sliders.items()
            }
            for control in self._controls.values():
                control.observe(self._redraw, names="value")
        return widgets.VBox([*self._controls.values(), self._problem, self._picture])

    def move(self, **values: object) -> bytes:
        """Set sliders as a hand would, and return the picture that is shown then."""
        self.widget()
        for name, value in values.items():
            self._controls[name].value = value
        return bytes(self._picture.value)

    def _redraw(self, _change: object) -> None:
        values = {name: control.value for name, control in self._controls.items()}
        try:
            self._picture.value = self.png(**values)
        except LabError as reason:  # such as an unstable queue: said beside the sliders, where the reader looks
            self._problem.value = f"<b>No picture for these values:</b> {escape(str(reason))}"
        else:
            self._problem.value = ""

    def _ipython_display_(self) -> None:
        widget = self.widget()
        shown = import_module("IPython.display")  # here, and untyped: only IPython calls this
        at = ", ".join(f"{_label(name)} {value}" for name, value in self.starts.items())
        shown.display(shown.Image(data=self.png(), format="png"))
        shown.display(shown.HTML(f"<small>Drawn at {escape(at)}. Run the cell, move a slider, see it change.</small>"))
        shown.display(widget)


def explore(
    draw: Callable[..., object], *, size: tuple[float, float] = (7.0, 3.6), panels: int = 1, **sliders: Slider
) -> Exploration:
    """Show a picture with a slider for each of its values; end a cell with it.

    Args:
        draw: draws on the Axes it is given (an array of them for several panels) for the values that it is given by
            name; the defaults of these parameters are where the reader starts. It must be done within a second.
        size: of the picture, width and height in inches.
        panels: how many Axes side by side.
        sliders: for each value its range as ``(from, to, step)``, or a list of choices.

    Raises:
        DomainError: a slider has no parameter of its name with a default, or the default is not on the slider.
    """
    if not sliders:
        raise DomainError("explore() needs at least one slider, such as rate_per_s=(10, 90, 5)")
    parameters = inspect.signature(draw).parameters
    starts: dict[str, Any] = {}
    for name, slider in sliders.items():
        if name not in parameters or parameters[name].default is inspect.Parameter.empty:
            raise DomainError(
                f"{name} has a slider, but {getattr(draw, '__name__', 'draw')}() has no parameter {name} with a "
                f"default to start from; write def draw(ax, {name}=...)"
            )
        starts[name] = parameters[name].default
        _require_on(name, slider, starts[name])
    return Exploration(draw=draw, starts=starts, sliders=sliders, size=size, panels=panels)


def _require_on(name: str, slider: Slider, start: Any) -> None:
    if _is_range(slider):
        low, high, step = slider
        if not low < high or step <= 0:  # type: ignore[operator]
            raise DomainError(f"the slider {name} runs {slider}; give (from, to, step) with from < to and step > 0")
        on_it = low <= start <= high
    else:
        on_it = start in slider
    if not on_it:
        raise DomainError(f"{name} starts at {start!r}, which is not on its slider {slider}; move one of them")


def _is_range(slider: Slider) -> bool:
    return isinstance(slider, tuple) and len(slider) == _RANGE and not any(isinstance(each, str) for each in slider)


def _control(widgets: ModuleType, name: str, slider: Slider, start: Any) -> Any:
    style = {"description_width": "initial"}
    # Only when it is let go: pictures asked for while one is being drawn would queue up.
    common = {"description": _label(name), "value": start, "continuous_update": False, "style": style}
    if not _is_range(slider):
        return widgets.SelectionSlider(options=list(slider), **common)
    kind = widgets.IntSlider if all(isinstance(each, int) for each in (*slider, start)) else widgets.FloatSlider
    low, high, step = slider
    return kind(min=low, max=high, step=step, layout={"width": "28em"}, **common)


def _label(name: str) -> str:
    return name.replace("_", " ")


def _ipywidgets() -> ModuleType:
    try:
        return import_module("ipywidgets")  # here: the core does without it
    except ModuleNotFoundError as missing:
        raise UsageError(
            "sliders need ipywidgets, which is not installed; install the lab with its notebooks "
            '(make install, or pip install "architecture-lab[notebooks]")'
        ) from missing
