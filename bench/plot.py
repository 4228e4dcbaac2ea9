"""docs/growth.svg: what a question costs the database, against how many customers there are. Both axes logarithmic."""

import math
from collections.abc import Sequence
from html import escape

from bench.database_time import Cost

WIDTH, HEIGHT, TOP, BOTTOM, LEFT, GAP, RIGHT = 960, 420, 84, 66, 58, 124, 84
PANEL = (WIDTH - LEFT - GAP - RIGHT) / 2
NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
COLOURS = {"Q1": 1, "Q2": 2, "Q4": 3, "Q5": 4, "M1": 5}
TOLD = {
    "Q1": "Q1 one customer",
    "Q2": "Q2 page of 50",
    "Q4": "Q4 top of a stage",
    "Q5": "Q5 sums by stage",
    "M1": "M1 write a touchpoint",
}
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #3d4451 }
  .title { font-size: 15px; font-weight: 600; fill: #14181f }
  .panel { font-weight: 600 }
  .quiet { fill: #6b7280 }
  .grid { stroke: #d9dde3; stroke-width: 1 }
  .line { fill: none; stroke-width: 2.2; stroke-linejoin: round }
  .other { stroke-dasharray: 5 4; stroke-width: 1.5; opacity: .75 }
  .c1 { stroke: #2563eb } .c2 { stroke: #0d9488 } .c3 { stroke: #c2410c }
  .c4 { stroke: #9333ea } .c5 { stroke: #64748b }
  .d1 { fill: #2563eb } .d2 { fill: #0d9488 } .d3 { fill: #c2410c } .d4 { fill: #9333ea } .d5 { fill: #64748b }
  @media (prefers-color-scheme: dark) {
    text { fill: #c3c9d4 } .title { fill: #f0f3f8 } .quiet { fill: #929bab } .grid { stroke: #353c48 }
    .c1 { stroke: #7aa7ff } .c2 { stroke: #4fd1c0 } .c3 { stroke: #ff9a62 }
    .c4 { stroke: #c79bff } .c5 { stroke: #a3b0c2 }
    .d1 { fill: #7aa7ff } .d2 { fill: #4fd1c0 } .d3 { fill: #ff9a62 } .d4 { fill: #c79bff } .d5 { fill: #a3b0c2 }
  }
"""


def growth(costs: Sequence[Cost], date: str) -> str:
    """The picture: one panel a database; Guanxi's lines whole, the hand-written route's dashed for Q4 and Q5."""
    sizes = sorted({cost.size for cost in costs})
    low = math.floor(math.log10(max(0.01, min(cost.ms for cost in costs))))
    high = math.ceil(math.log10(max(cost.ms for cost in costs)))

    def y(ms: float) -> float:
        part = (math.log10(max(ms, 10**low)) - low) / max(1, high - low)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    def x(size: int, start: float) -> float:
        return start + 14 + (PANEL - 28) * (sizes.index(size) / max(1, len(sizes) - 1))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t">',
        f"<style>{STYLE}</style>",
        '<title id="t">Database time of a request against the number of customers</title>',
        f'<text class="title" x="{LEFT}" y="22">Database time of one request, ms</text>',
        f'<text class="quiet" x="{LEFT}" y="40">median, one client, {escape(date)}; dashed: hand-written</text>',
    ]
    for number, dialect in enumerate(name for name in NAMES if any(cost.dialect == name for cost in costs)):
        start = LEFT + number * (PANEL + GAP)
        parts.append(f'<text class="panel" x="{start:.0f}" y="{TOP - 12}">{NAMES[dialect]}</text>')
        for power in range(low, high + 1):
            at = y(10**power)
            parts.append(f'<line class="grid" x1="{start:.0f}" x2="{start + PANEL:.0f}" y1="{at:.1f}" y2="{at:.1f}"/>')
            parts.append(
                f'<text class="quiet" x="{start - 8:.0f}" y="{at + 4:.1f}" text-anchor="end">{10.0**power:g}</text>'
            )
        for size in sizes:
            at, text = x(size, start), f"{size // 1000}k" if size < 1_000_000 else f"{size // 1_000_000}M"
            parts.append(
                f'<text class="quiet" x="{at:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{text}</text>'
            )
        ends: list[tuple[float, str]] = []
        for question, colour in COLOURS.items():
            for server in ("floor", "guanxi"):
                if server == "floor" and question not in ("Q4", "Q5"):
                    continue
                mine = sorted((cost.size, cost.ms) for cost in costs if _is(cost, dialect, server, question))
                if not mine:
                    continue
                points = [(x(size, start), y(ms)) for size, ms in mine]
                kind = "line other" if server == "floor" else "line"
                shape = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
                parts.append(f'<polyline class="{kind} c{colour}" points="{shape}"/>')
                if server == "guanxi":
                    parts += [f'<circle class="d{colour}" cx="{a:.1f}" cy="{b:.1f}" r="3.2"/>' for a, b in points]
                    ends.append((points[-1][1], f"{question}  {_number(mine[-1][1])}"))
        parts += _labels(ends, start + PANEL + 4)
    parts += _legend()
    return "\n".join([*parts, "</svg>"]) + "\n"


def _is(cost: Cost, dialect: str, server: str, question: str) -> bool:
    return (cost.dialect, cost.server, cost.question) == (dialect, server, question)


def _number(ms: float) -> str:
    return f"{ms:.0f}" if ms >= 10 else f"{ms:.2g}"


def _labels(ends: list[tuple[float, str]], at: float) -> list[str]:
    """What the last point of each line is, none over another."""
    made: list[str] = []
    last = -math.inf
    for height, text in sorted(ends):
        last = max(height, last + 14)
        made.append(f'<text x="{at:.0f}" y="{last + 4:.1f}">{escape(text)}</text>')
    return made


def _legend() -> list[str]:
    made, at = [], float(LEFT)
    for question, colour in COLOURS.items():
        made.append(f'<circle class="d{colour}" cx="{at + 4:.0f}" cy="{HEIGHT - 18}" r="4"/>')
        made.append(f'<text x="{at + 13:.0f}" y="{HEIGHT - 14}">{escape(TOLD[question])}</text>')
        at += 34 + 6.6 * len(TOLD[question])
    return made
