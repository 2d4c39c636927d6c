"""Medians, spreads and ratios as one table in Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

GIB = 1 << 30


@dataclass
class Sample:
    """One transfer through one gateway."""

    gateway: str
    direction: str
    bytes: int
    seconds: float  # as the client saw it: transfer command to final reply
    cpu: float  # of the gateway's process tree, the whole session: connection, handshakes, login, transfer, end
    foreign_cores: float  # what other processes used of the machine meanwhile
    cipher: str
    resumed: bool

    @property
    def cpu_per_gib(self) -> float:
        return self.cpu * GIB / self.bytes

    @property
    def mb_per_second(self) -> float:
        return self.bytes / 1e6 / self.seconds


@dataclass
class Memory:
    """The gateway's process tree with `sessions` idle, logged-in sessions."""

    gateway: str
    sessions: int
    login_seconds: float
    pss_before: int  # KiB
    pss_with: int

    @property
    def per_session(self) -> float:
        return (self.pss_with - self.pss_before) / self.sessions


def spread(values: list[float], digits: int) -> str:
    return f"{median(values):.{digits}f} [{min(values):.{digits}f}-{max(values):.{digits}f}]"


def row(name: str, ours: str, theirs: str, ratio: str, goal: str = "") -> str:
    return f"| {name} | {ours} | {theirs} | {ratio} | {goal} |"


MEASURES = {  # title, property, digits, what the ratio's goal is
    "CPU s/GiB": ("cpu_per_gib", 2, 1.0),
    "wall s": ("seconds", 2, None),
    "MB/s": ("mb_per_second", 0, None),
}


def verdict(values: list[float], limit: float) -> str:
    """By the median, and whether all rounds agree with it."""
    is_met = median(values) <= limit
    is_clear = all((value <= limit) == is_met for value in values)
    return ("met" if is_met else "MISSED") + ("" if is_clear else ", within the noise")


def transfer_rows(samples: list[Sample], ours: str, theirs: str) -> list[str]:
    rows = []
    for direction in ("download", "upload"):
        for title, (name, digits, limit) in MEASURES.items():
            values = {
                gateway: [getattr(s, name) for s in samples if s.gateway == gateway and s.direction == direction]
                for gateway in (ours, theirs)
            }
            ratios = [mine / other for mine, other in zip(values[ours], values[theirs])]
            goal = f"at most {limit:.2f}: {verdict(ratios, limit)}" if limit else ""
            cells = [spread(values[gateway], digits) for gateway in (ours, theirs)]
            rows.append(row(f"{direction}, {title}", *cells, spread(ratios, 2), goal))
    return rows


def memory_rows(memories: dict[str, Memory], ours: str, theirs: str, limit_kib: float) -> list[str]:
    mine, other = memories[ours], memories[theirs]
    rows = [
        row(
            f"PSS KiB per idle session, {mine.sessions} sessions",
            f"{mine.per_session:.1f}",
            f"{other.per_session:.1f}",
            f"{mine.per_session / other.per_session:.2f}",
            f"at most {limit_kib:.0f} KiB: {verdict([mine.per_session], limit_kib)}",
        ),
        row(
            "PSS KiB without a session",
            str(mine.pss_before),
            str(other.pss_before),
            f"{mine.pss_before / other.pss_before:.2f}",
        ),
        row(
            f"{mine.sessions} logins, one after the other, s",
            f"{mine.login_seconds:.1f}",
            f"{other.login_seconds:.1f}",
            f"{mine.login_seconds / other.login_seconds:.2f}",
        ),
    ]
    return rows


def table(samples: list[Sample], memories: dict[str, Memory], ours: str, theirs: str, limit_kib: float) -> str:
    lines = [row("", ours, theirs, f"ratio to {theirs}", "goal"), "|---|---|---|---|---|"]
    if samples:
        lines += transfer_rows(samples, ours, theirs)
    if memories:
        lines += memory_rows(memories, ours, theirs, limit_kib)
    return "\n".join(lines)


def remarks(samples: list[Sample], most_foreign: float) -> list[str]:
    """What a reader must know to judge the table."""
    notes = []
    for gateway in sorted({s.gateway for s in samples}):
        of_it = [s for s in samples if s.gateway == gateway]
        ciphers = ", ".join(sorted({s.cipher for s in of_it}))
        resumed = sum(s.resumed for s in of_it)
        notes.append(
            f"{gateway}: {ciphers}; {resumed} of {len(of_it)} data connections resumed the control connection's session"
        )
    disturbed = [s for s in samples if s.foreign_cores > most_foreign]
    worst = max((s.foreign_cores for s in samples), default=0)
    notes.append(
        f"{len(disturbed)} of {len(samples)} transfers kept although other processes used more than {most_foreign} of a core "
        f"(the most: {worst:.2f})"
    )
    return notes
