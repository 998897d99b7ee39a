"""Line charts as SVG, drawn by a few lines of our own: nothing to load, nothing to install, sharp on any screen."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10

from services.simulator.floor import SLICE_S, Day

WIDTH, HEIGHT = 760, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 58, 44
# Told apart in print and by people who see few colours; dashes tell the same again.
COLOURS = ("#1f5fa8", "#c4500c", "#3a7d44", "#7a4aa0", "#8a6d1f", "#5a5a5a", "#a02c5a")
DASHES = ("", "7 4", "2 3", "10 3 2 3", "4 2", "1 2", "12 5")


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart: (x, y) points, None where there is nothing to show."""

    name: str
    points: Sequence[tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: *unit* stands behind the numbers of the y axis, *level* is a dashed line across (a cap)."""

    title: str
    x_label: str
    unit: str
    series: Sequence[Series]
    level: float | None = None
    from_zero: bool = True
    x_at: Sequence[float] = ()  # x values that get a mark, evenly spaced as categories


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers from below *low* to above *high*, at most *most* steps apart."""
    span = max(high - low, 1e-9)
    step = 10.0 ** floor(log10(span / most))
    for factor in (1.0, 2.0, 5.0, 10.0):
        if span / (step * factor) <= most:
            step *= factor
            break
    first = floor(low / step + 1e-9)
    marks = [first * step]
    while marks[-1] < high - 1e-9 * span:
        marks.append((first + len(marks)) * step)
    return marks


def to_svg(chart: Chart) -> str:
    """Return the chart as an SVG document."""
    values = [y for series in chart.series for _, y in series.points if y is not None]
    values += [chart.level] if chart.level is not None else []
    low = 0.0 if chart.from_zero else min(values, default=0.0)
    y_marks = ticks(low, max(values, default=1.0) or 1.0)
    xs = [x for series in chart.series for x, _ in series.points]
    x_marks = list(chart.x_at) or ticks(min(xs, default=0.0), max(xs, default=1.0), 9)
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def across(x: float) -> float:
        if chart.x_at:
            return LEFT + inner_width * (x_marks.index(x) + 0.5) / len(x_marks)
        return LEFT + inner_width * (x - x_marks[0]) / ((x_marks[-1] - x_marks[0]) or 1.0)

    def up(y: float) -> float:
        return HEIGHT - BOTTOM - inner_height * (y - y_marks[0]) / ((y_marks[-1] - y_marks[0]) or 1.0)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        f' font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="{escape(chart.title)}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" font-size="15" font-weight="600" fill="#1c1c1c">{escape(chart.title)}</text>',
    ]
    for mark in y_marks:
        parts.append(_line(LEFT, up(mark), WIDTH - RIGHT, up(mark), "#e3e3e3"))
        parts.append(_text(LEFT - 7, up(mark) + 4, f"{mark:g}{chart.unit}", "end"))
    for mark in x_marks:
        parts.append(_line(across(mark), HEIGHT - BOTTOM, across(mark), HEIGHT - BOTTOM + 4, "#8a8a8a"))
        parts.append(_text(across(mark), HEIGHT - BOTTOM + 17, f"{mark:g}", "middle"))
    parts.append(_text(LEFT + inner_width / 2, HEIGHT - 8, chart.x_label, "middle"))
    if chart.level is not None:
        parts.append(_line(LEFT, up(chart.level), WIDTH - RIGHT, up(chart.level), "#b00020", "5 4"))
        parts.append(_text(WIDTH - RIGHT, up(chart.level) - 5, f"cap {chart.level:g}{chart.unit}", "end", "#b00020"))
    legend_x = float(LEFT)
    for index, series in enumerate(chart.series):
        colour, dashes = COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]
        for piece in _pieces(series.points):
            path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in piece)
            parts.append(
                f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"'
                f' stroke-dasharray="{dashes}"/>'
            )
        parts.append(_line(legend_x, 38, legend_x + 24, 38, colour, dashes, 2))
        parts.append(_text(legend_x + 29, 42, series.name, "start"))
        legend_x += 46 + 6.6 * len(series.name)
    return "\n".join([*parts, "</svg>\n"])


def _pieces(points: Sequence[tuple[float, float | None]]) -> list[list[tuple[float, float]]]:
    pieces: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if y is not None:
            pieces[-1].append((x, y))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dashes: str = "", width: float = 1) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width:g}"'
        f' stroke-dasharray="{dashes}"/>'
    )


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#4a4a4a") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def day_charts(days: Sequence[Day], cap: float | None) -> dict[str, Chart]:
    """Return the four charts of simulated days, averaged over them in steps of a quarter of an hour."""
    step = 3
    hours = [index * SLICE_S / 3600.0 for index in range(0, len(days[0].slices) - step + 1, step)]

    def over(value: str, per: str | None) -> list[float | None]:
        found: list[float | None] = []
        for index in range(len(hours)):
            parts = [part for day in days for part in day.slices[index * step : (index + 1) * step]]
            below = sum([getattr(part, per) for part in parts]) if per else len(days) * 1.0
            found.append(sum([getattr(part, value) for part in parts]) / below if below else None)
        return found

    def line(name: str, values: Sequence[float | None], factor: float = 1.0) -> Series:
        return Series(name, [(x, None if y is None else y * factor) for x, y in zip(hours, values, strict=True)])

    shares: list[tuple[float, float | None]] = []
    answered = abandoned = 0
    for index, x in enumerate(hours):
        parts = [part for day in days for part in day.slices[index * step : (index + 1) * step]]
        answered += sum([part.answered for part in parts])
        abandoned += sum([part.abandoned for part in parts])
        shares.append((x, 100.0 * abandoned / answered if answered else None))
    x_label = "hours since the beginning"
    return {
        "occupancy": Chart("Occupancy", x_label, " %", [line("operators busy", over("busy_s", "staffed_s"), 100.0)]),
        "abandonment": Chart(
            "Abandoned of those who answered",
            x_label,
            " %",
            [line("each quarter of an hour", over("abandoned", "answered"), 100.0), Series("day so far", shares)],
            None if cap is None else 100.0 * cap,
        ),
        "waits": Chart("Mean wait of those who answered", x_label, " s", [line("wait", over("waited_s", "answered"))]),
        "lines": Chart(
            "Lines placed, and lines that would have kept everybody busy (by hindsight)",
            x_label,
            "",
            [line("placed per quarter of an hour", over("dialed", None)), line("needed", over("needed", None))],
        ),
    }
