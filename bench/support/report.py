"""Medians, spreads and ratios as a table in Markdown, and plots of them as SVG."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from xml.sax.saxutils import escape

OURS, RIVAL = "safetpd", "mod_proxy"


@dataclass(frozen=True)
class Goal:
    limit: float
    is_ratio: bool = True
    at_least: bool = False

    def is_met_by(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.limit:g}{'x' if self.is_ratio else ''}"


class Results:
    """Figures by measure, by name of the figure, by server; one for each round."""

    def __init__(self) -> None:
        self.figures: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))

    def add(self, measure: str, server: str, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            self.figures[measure][name][server].append(value)

    def servers(self) -> list[str]:
        seen = {server: None for names in self.figures.values() for values in names.values() for server in values}
        return [OURS, RIVAL] + [server for server in seen if server not in (OURS, RIVAL)]


def spread(values: list[float]) -> str:
    digits = 0 if median(values) >= 100 else 1 if median(values) >= 20 else 2
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{median(values):.{digits}f} [{min(values):.{digits}f}-{max(values):.{digits}f}]"


def verdict(goal: Goal, values: list[float]) -> str:
    """By the median, and whether all rounds agree with it."""
    is_met = goal.is_met_by(median(values))
    is_clear = all(goal.is_met_by(value) == is_met for value in values)
    return f"{goal}: {'met' if is_met else 'MISSED'}{'' if is_clear else ', within the noise'}"


def table(results: Results, goals: dict[tuple[str, str], list[Goal]]) -> str:
    servers = results.servers()
    others = servers[2:]
    lines = [f"| | {OURS} | {RIVAL} | ratio | goal | " + " | ".join(others) + " |", "|---" * (5 + len(others)) + "|"]
    for measure, names in results.figures.items():
        for name, by_server in names.items():
            ours, theirs = by_server.get(OURS, []), by_server.get(RIVAL, [])
            ratios = [mine / other for mine, other in zip(ours, theirs) if other]
            judged = [
                verdict(goal, ratios if goal.is_ratio else ours)
                for goal in goals.get((measure, name), [])
                if (ratios if goal.is_ratio else ours)
            ]
            cells = [spread(ours) if ours else "", spread(theirs) if theirs else "", spread(ratios) if ratios else ""]
            cells += ["; ".join(judged)] + [spread(by_server[server]) if by_server.get(server) else "" for server in others]
            lines.append(f"| {measure}, {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def soak_table(rows: list[tuple[str, list[dict]]], done: dict) -> str:
    """Medians of each row's samples, and what the sessions did meanwhile."""
    lines = ["| | PSS MiB | open files | processes |", "|---|---|---|---|"]
    for name, samples in rows:
        if samples:
            pss, files, processes = (median(each[key] for each in samples) for key in ("pss", "descriptors", "processes"))
            lines.append(f"| {name} | {pss / 1024:.1f} | {files:.0f} | {processes:.0f} |")
    return "\n".join(lines) + "\n\n- " + ", ".join(f"{count:,} {name}" for name, count in done.items())


def plot(results: Results, measure: str, name: str) -> str:
    """Medians as bars, the rounds' range as a line over each."""
    by_server = {server: values for server in results.servers() if (values := results.figures[measure][name].get(server))}
    width, row, left = 640, 28, 130
    most = max(max(values) for values in by_server.values()) or 1
    parts = [f'<text x="8" y="18" font-weight="bold">{escape(measure)}: {escape(name)}</text>']
    for index, (server, values) in enumerate(by_server.items()):
        y = 32 + index * row
        scale = (width - left - 70) / most
        bar, low, high = (left + value * scale for value in (median(values), min(values), max(values)))
        colour = "#2a6f97" if server == OURS else "#b0b7bd"
        parts.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(server)}</text>')
        parts.append(f'<rect x="{left}" y="{y}" width="{bar - left:.1f}" height="18" fill="{colour}"/>')
        parts.append(f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y + 9}" y2="{y + 9}" stroke="#222" stroke-width="2"/>')
        parts.append(f'<text x="{max(bar, high) + 6:.1f}" y="{y + 14}">{median(values):.4g}</text>')
    height = 44 + len(by_server) * row
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="13">'
        f'<rect width="{width}" height="{height}" fill="white"/>{"".join(parts)}</svg>\n'
    )


def write_plots(results: Results, directory: Path, wanted: list[tuple[str, str]]) -> None:
    directory.mkdir(exist_ok=True)
    for measure, name in wanted:
        if results.figures.get(measure, {}).get(name):
            file = "".join(c if c.isalnum() else "-" for c in f"{measure} {name}".lower()).replace("--", "-")
            (directory / f"{file}.svg").write_text(plot(results, measure, name))
