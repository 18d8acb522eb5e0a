"""Those of IFBench's `custom` group that ask for a table in CSV. Knows rows, columns and quotes, not what fields say."""

from __future__ import annotations

import csv
import io
import re
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from heedful.constraints.ifbench.base import IFBenchConstraint, ifbench_type
from heedful.constraints.verdict import Verdict

_SPECIAL = re.compile(r'".*[^\d\w\s].*"')

Row = list[str]


class _Table(IFBenchConstraint):
    columns: ClassVar[tuple[str, ...]]
    rows: ClassVar[int]
    delimiter: ClassVar[str] = ","

    def describe(self) -> str:
        name = "tab" if self.delimiter == "\t" else "comma"
        return f"{name} separated rows: {', '.join(self.columns)}, and then {self.rows} of data"

    def _text(self, text: str) -> str:
        """The text that must be the table."""
        return text

    def _rows(self, text: str) -> list[Row] | None:
        """The rows that a reader of CSV finds, the names of the columns first; None if it cannot read the text."""
        try:
            return list(csv.reader(io.StringIO(text), delimiter=self.delimiter))
        except csv.Error:
            return None

    def _problem(self, rows: Sequence[Row], first_line: str) -> str:
        """What is wrong; empty if nothing is."""
        if not self._is_header(rows[0] if rows else [], first_line):
            return f"the first row does not name {', '.join(self.columns)}"
        if len(rows) != self.rows + 1:
            return f"{len(rows) - 1} rows of data, exactly {self.rows}"
        return self._wrong_row(rows)

    @abstractmethod
    def _is_header(self, row: Row, line: str) -> bool:
        """Whether the first row names the columns; `line` is how it is written."""

    @abstractmethod
    def _wrong_row(self, rows: Sequence[Row]) -> str:
        """What is wrong with a row; empty if nothing is."""

    def _verify(self, text: str) -> Verdict:
        table = self._text(text)
        rows = self._rows(table)
        problem = "it cannot be read as CSV" if rows is None else self._problem(rows, table.split("\n")[0].strip())
        measured = 0 if rows is None else max(len(rows) - 1, 0)
        return self._held(
            not problem, problem or "a table as asked", measured=measured, hint=f"write {self.describe()}"
        )


class _Quoted(_Table):
    """A table in which quotes are looked at; the reader keeps them if they are doubled within quotes."""

    def _rows(self, text: str) -> list[Row] | None:
        return super()._rows(text.replace('"', '"""'))

    def _is_header(self, row: Row, line: str) -> bool:
        spaces = " *" if self.delimiter == "\t" else r"[ \t]*"
        names = (self.delimiter + spaces).join(f'(?:{name}|"{name}")' for name in self.columns)
        return re.fullmatch(names, line) is not None


def wrong_length(rows: Sequence[Row], columns: int) -> str:
    wrong = [number for number, row in enumerate(rows) if len(row) != columns]
    return f"row {wrong[0]} has {len(rows[wrong[0]])} fields, exactly {columns}" if wrong else ""


@ifbench_type("custom:csv_city")
class CityTable(_Table):
    """Seven rows of five fields, divided by commas."""

    columns = ("ID", "Country", "City", "Year", "Count")
    rows = 7

    def _is_header(self, row: Row, line: str) -> bool:
        return tuple(row) == self.columns

    def _wrong_row(self, rows: Sequence[Row]) -> str:
        return wrong_length(rows, len(self.columns))


@ifbench_type("custom:csv_special_character")
class SpecialCharacterTable(_Quoted):
    """Fourteen rows of five fields, one field in double quotes with a special character.

    As in the reference the rows behind that field are not looked at.
    """

    columns = ("ProductID", "Category", "Brand", "Price", "Stock")
    rows = 14

    def _wrong_row(self, rows: Sequence[Row]) -> str:
        for number, row in enumerate(rows[1:], start=1):
            if len(row) != len(self.columns):
                return f"row {number} has {len(row)} fields, exactly {len(self.columns)}"
            if has_special(row):
                return ""
        return "no field in double quotes holds a special character"


def has_special(row: Row) -> bool:
    """Whether a field in double quotes holds something other than letters, digits and white space."""
    return any(_SPECIAL.match(field) for field in row)


@ifbench_type("custom:csv_quotes")
class QuotesTable(_Quoted):
    """Three rows of five fields, divided by tabs, and every field in double quotes."""

    columns = ("StudentID", "Subject", "Grade", "Semester", "Score")
    rows = 3
    delimiter = "\t"

    def _wrong_row(self, rows: Sequence[Row]) -> str:
        if problem := wrong_length(rows, len(self.columns)):
            return problem
        fields = [field.strip() for row in rows for field in row]
        bare = [field for field in fields if not (field[:1] == field[-1:] == '"')]
        return f"“{bare[0][:40]}” is not in double quotes" if bare else ""
