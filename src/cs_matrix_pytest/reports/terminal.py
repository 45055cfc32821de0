"""The matrix as a table of features by environments, and why each cell is not compatible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from cs_matrix_pytest.outcomes.classify import NOT_COMPATIBLE
from cs_matrix_pytest.outcomes.groups import by_cause, failures_of
from cs_matrix_pytest.outcomes.matrix import Cell, Matrix, Share
from cs_matrix_pytest.outcomes.model import Outcome
from cs_matrix_pytest.reports.console import ASCII, STYLES, Signs, draw
from cs_matrix_pytest.reports.escaping import printable
from cs_matrix_pytest.reports.wording import because, marked, message_of, strongest, tested

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_Item = TypeVar("_Item")

_SHOWN_WHYS = 20
_SHOWN_MESSAGE = 160
_TITLE_WIDTHS = (18, 34)
"""A feature's title wraps rather than take room from the environments: what it gets at least and at most."""

_HEADER_WIDTH = 32
_GAP = 2

_RULED = "    \n    \n {0}{0} \n    \n    \n    \n    \n    \n"
_WHY_ORDER = (Outcome.FAILING, Outcome.UNSTABLE, Outcome.UNTESTED)

_LEGEND = (
    (Outcome.COMPATIBLE, "the tests that ran pass"),
    (Outcome.FAILING, "a test fails"),
    (Outcome.UNSTABLE, "a test gave both answers"),
    (Outcome.UNTESTED, "nothing ran"),
)


def render(
    matrix: Matrix, width: int = 80, color: bool = False, *, encoding: str = "utf-8", explain: bool = False
) -> str:
    """The matrix as text, ending in a newline.

    ``width`` in columns; ``color`` adds ANSI colours, which never say anything alone; ``encoding`` is the output's:
    where it cannot take the symbols they are ASCII. ``explain`` lists every cell, test by test, instead of a line for
    each cell that is not compatible.
    """

    def write(console: Console, signs: Signs) -> None:
        page = _Page(matrix, console, signs)
        page.tables()
        if explain:
            page.explanations()
            page.causes()
        else:
            page.whys()
        page.notes()

    return draw(write, width, color, encoding)


@dataclass(frozen=True)
class _Column:
    """An environment in one of its contexts, at one ACS version."""

    header: str
    squares: Mapping[str, Share]
    """By feature id."""


class _Page:
    def __init__(self, matrix: Matrix, console: Console, signs: Signs) -> None:
        self.matrix = matrix
        self.console = console
        self.signs = signs
        self.one_lab = len({environment.lab for environment in matrix.environments.values()}) < 2

    def tables(self) -> None:
        versions = sorted({cell.acs_version for cell in self.matrix.cells}, key=_version_order)
        if not versions:
            self._print("Nothing was tested, and nothing was named that could be.")
        for version in versions:
            cells = [cell for cell in self.matrix.cells if cell.acs_version == version]
            features = self._ordered_features({cell.feature for cell in cells})
            for columns in self._fitted(self._columns(cells), features):
                self._table(printable(f"CloudStack {version}"), columns, features)
        self._legend()

    def whys(self) -> None:
        """One entry for each cell that is not compatible; untested cells of one cause share an entry."""
        lines = [*self._decided_whys(), *self._untested_whys()]
        if not lines:
            return
        self._print()
        self._print("Why", style="bold")
        self._entries(lines[:_SHOWN_WHYS])
        more = len(lines) - _SHOWN_WHYS
        if more > 0:
            self._print(f"  and {more} more: cs-matrix report --explain")

    def explanations(self) -> None:
        for cell in self.matrix.cells:
            outcome = cell.total.outcome
            self._print()
            title = f"{self._title(cell.feature)}, CloudStack {cell.acs_version}, {cell.context}"
            verdict = f"{outcome.value} {tested(cell.total)}".rstrip()
            blocked = f", {cell.total.blocked} blocked" if cell.total.blocked else ""
            self._print(f"{self.signs.of[outcome]} {verdict}: {printable(title)}", style=STYLES[outcome])
            shares = ", ".join(
                f"{self._name(name)} {share.outcome.value}" for name, share in cell.by_environment.items()
            )
            self._print(f"  {printable(shares)}; attempts {cell.total.attempts}{blocked}")
            self._entries(
                [
                    (each.outcome, f"{_level(each.level)}{each.test}: {printable(marked(each), _SHOWN_MESSAGE)}")
                    for each in cell.total.evidence
                ],
                indent=2,
            )

    def causes(self) -> None:
        """One entry for each cause that failed several tests, or one test in several contexts."""
        lines = []
        for found in by_cause(failures_of(self.matrix), lambda failure: failure.evidence):
            if found.signature is None or len(found.items) < 2:
                continue
            tests = len({failure.evidence.test for failure in found.items})
            names = dict.fromkeys(self._name(name) for failure in found.items for name in failure.environments)
            said = printable(message_of(found.evidence), _SHOWN_MESSAGE)
            lines.append(
                (found.evidence.outcome, f"{said}: {tests} test{'' if tests == 1 else 's'} in {', '.join(names)}")
            )
        if lines:
            self._print()
            self._print("Failures of one cause", style="bold")
            self._entries(lines)

    def notes(self) -> None:
        """What a reader should know of the records themselves."""
        cut = [run.run for run in self.matrix.runs if not run.ended]
        lines = list(self.matrix.warnings)
        if cut:
            lines.append(f"cut short (what they finished counts): {', '.join(cut)}")
        if lines:
            self._print()
        for line in lines:
            self._print(f"Note: {printable(line)}")

    # Tables

    def _columns(self, cells: Sequence[Cell]) -> list[_Column]:
        squares: dict[tuple[str, str], dict[str, Share]] = {}
        for cell in cells:
            for name, share in cell.by_environment.items():
                squares.setdefault((name, cell.context), {})[cell.feature] = share
        names = [name for name, _ in squares]
        return [
            _Column(
                self._name(name) if names.count(name) == 1 else f"{self._name(name)} ({printable(context)})", shares
            )
            for (name, context), shares in sorted(squares.items())
        ]

    def _fitted(self, columns: Sequence[_Column], features: Sequence[str]) -> Iterator[Sequence[_Column]]:
        """The columns in as few tables as the width allows, evenly."""
        widths = [self._column_width(column, features) + _GAP for column in columns]
        least = self._least_title_width(features)
        tables = next(
            (
                count
                for count in range(1, len(columns) + 1)
                if all(least + sum(part) < self.console.width for part in _parts(widths, count))
            ),
            len(columns),
        )
        return _parts(columns, tables)

    def _table(self, title: str, columns: Sequence[_Column], features: Sequence[str]) -> None:
        from rich.box import Box
        from rich.table import Table
        from rich.text import Text

        taken = sum(self._column_width(column, features) + _GAP for column in columns)
        least = self._least_title_width(features)
        room = min(max(self.console.width - taken - 1, least), _TITLE_WIDTHS[1])
        # Explicit widths: what rich would take from a column that is too wide, it takes from the words.
        table = Table(
            box=Box(_RULED.format(self.signs.rule), ascii=self.signs is ASCII),
            show_edge=False,
            padding=(0, 1, 0, 0),
        )
        width = min(max(self._title_width(features), len(title)), room)
        table.add_column(Text(title), width=width, overflow="fold")
        for column in columns:
            width = min(self._column_width(column, features), self.console.width - least - _GAP - 1)
            table.add_column(Text(column.header), width=width, overflow="fold")
        area: str | None = None
        if len(features) > 1 and all(_is_untested(column) for column in columns):
            # What was never reached needs no row per feature to say so.
            blank = [self._square(None) for _ in columns]
            table.add_row(Text(f"all {len(features)} features"), *blank)
            features = ()
        grouped = any(self.matrix.features[feature].area for feature in features)
        for feature in features:
            here = printable(self.matrix.features[feature].area or "other")
            if grouped and here != area:
                table.add_row(Text(here, style="bold"))
                area = here
            indent = "  " if grouped else ""
            row = [self._square(column.squares.get(feature)) for column in columns]
            table.add_row(Text(indent + self._title(feature)), *row)
        self._print()
        self.console.print(table)

    def _square(self, share: Share | None) -> Text:
        from rich.text import Text

        outcome = share.outcome if share else Outcome.UNTESTED
        return Text(self._square_text(share), style=STYLES[outcome])

    def _square_text(self, share: Share | None) -> str:
        outcome = share.outcome if share else Outcome.UNTESTED
        count = printable(tested(share)) if share else ""
        return f"{self.signs.of[outcome]} {outcome.value} {count}".rstrip()

    def _column_width(self, column: _Column, features: Sequence[str]) -> int:
        squares = (len(self._square_text(column.squares.get(feature))) for feature in features)
        longest_word = max(map(len, column.header.split()), default=0)
        return max(min(longest_word, _HEADER_WIDTH), *squares, 0)

    def _title_width(self, features: Iterable[str]) -> int:
        return max(len(self._title(feature)) + 2 for feature in features)

    def _least_title_width(self, features: Iterable[str]) -> int:
        return min(_TITLE_WIDTHS[0], max(self._title_width(features), len("CloudStack")))

    def _ordered_features(self, ids: Iterable[str]) -> list[str]:
        """By area, those without one last; then by title."""
        features = (self.matrix.features[id] for id in ids)
        return [f.id for f in sorted(features, key=lambda f: (f.area is None, f.area or "", f.title, f.id))]

    def _legend(self) -> None:
        words = [f"{self.signs.of[outcome]} {outcome.value}: {meaning}" for outcome, meaning in _LEGEND]
        self._print()
        self._print("; ".join([*words, "12/14: 12 of its 14 tests are compatible"]), style="dim")

    # Why

    def _decided_whys(self) -> list[tuple[Outcome, str]]:
        cells = [cell for cell in self.matrix.cells if cell.total.outcome in NOT_COMPATIBLE]
        cells.sort(key=lambda cell: _WHY_ORDER.index(cell.total.outcome))
        causes: dict[tuple[Outcome, str, str, str], list[Cell]] = {}
        for cell in cells:
            evidence = strongest(cell.total)
            more = sum(each.outcome is cell.total.outcome for each in cell.total.evidence) - 1
            also = f"; and {more} more {cell.total.outcome.value}" if more else ""
            said = printable(marked(evidence), _SHOWN_MESSAGE)
            cause = f"{_short(evidence.test)} {said}{also}"
            causes.setdefault((cell.total.outcome, cell.acs_version, cell.feature, cause), []).append(cell)
        return [
            (outcome, f"{self._title(feature)}, {self._where(concerned)}: {cause}")
            for (outcome, _, feature, cause), concerned in causes.items()
        ]

    def _untested_whys(self) -> list[tuple[Outcome, str]]:
        causes: dict[tuple[str, str], list[str]] = {}
        for cell in self.matrix.cells:
            if cell.total.outcome is Outcome.UNTESTED:
                reason = printable(because(strongest(cell.total)), _SHOWN_MESSAGE)
                causes.setdefault((self._where([cell]), reason), []).append(self._title(cell.feature))
        return [
            (Outcome.UNTESTED, f"{titles[0] if len(titles) == 1 else f'{len(titles)} features'}, {where}: {cause}")
            for (where, cause), titles in causes.items()
        ]

    def _where(self, cells: Sequence[Cell]) -> str:
        """The environments that the verdict of cells of one version is about, and the version if others were decided."""
        concerned = [
            [name for name, share in cell.by_environment.items() if share.outcome is not Outcome.COMPATIBLE]
            or [*cell.by_environment]
            for cell in cells
        ]
        names = ", ".join(self._name(name) for part in concerned for name in part)
        decided = {each.acs_version for each in self.matrix.cells if each.total.outcome is not Outcome.UNTESTED}
        return f"{names} (CloudStack {printable(cells[0].acs_version)})" if len(decided) > 1 else names

    def _entries(self, lines: Iterable[tuple[Outcome, str]], indent: int = 0) -> None:
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(width=indent + 1)
        grid.add_column(width=self.console.width - indent - 2, overflow="fold")
        for outcome, line in lines:
            grid.add_row(Text(" " * indent + self.signs.of[outcome], style=STYLES[outcome]), Text(printable(line)))
        self.console.print(grid)

    def _title(self, feature: str) -> str:
        return printable(self.matrix.features[feature].title)

    def _name(self, environment: str) -> str:
        """Without the lab where there is only one."""
        return printable(environment.partition("/")[2] if self.one_lab else environment)

    def _print(self, text: str = "", style: str | None = None) -> None:
        from rich.text import Text

        self.console.print(Text(text, style=style or ""))


def _is_untested(column: _Column) -> bool:
    return all(share.outcome is Outcome.UNTESTED for share in column.squares.values())


def _parts(items: Sequence[_Item], count: int) -> Iterator[Sequence[_Item]]:
    """The items in ``count`` parts whose sizes differ by one at most."""
    size, larger = divmod(len(items), count)
    start = 0
    for index in range(count):
        end = start + size + (index < larger)
        yield items[start:end]
        start = end


def _short(test: str) -> str:
    """A test without its module's path."""
    return test.partition("::")[2] or test


def _level(level: str) -> str:
    return "" if level == "test" else f"({level}) "


def _version_order(version: str) -> tuple[tuple[int, int | str], ...]:
    """4.9 before 4.20; words, as "unknown", last."""
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in version.split("."))
