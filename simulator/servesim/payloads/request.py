"""A scoring request after parsing: which format it came in, its data, its parameters."""

from typing import Any, Literal, NamedTuple

Format = Literal["dataframe_split", "dataframe_records", "instances", "inputs", "csv", "unified"]


class Table(NamedTuple):
    """Rows of equal length under column names; names are strings, or positions where the request gives none."""

    columns: tuple[Any, ...]
    cells: list[list[Any]]

    def cells_of(self, name: Any) -> list[Any]:
        """Return the cells of the column with a name that the table has."""
        at = self.columns.index(name)
        return [row[at] for row in self.cells]

    def records(self) -> list[dict[Any, Any]]:
        """Return one dict per row; of two columns with one name the last wins, as in MLflow's answers."""
        columns = self.columns
        return [dict(zip(columns, row, strict=True)) for row in self.cells]


class Request(NamedTuple):
    """One scoring request.

    `data` is a `Table` for the two dataframe formats and CSV, the whole JSON object for the unified LLM format, and
    otherwise the JSON value under `instances` or `inputs` (a `Table` too once a named signature was applied).
    """

    format: Format
    data: Any
    params: Any = None

    @property
    def unified(self) -> bool:
        """Whether the answer goes out bare, without `predictions`."""
        return self.format == "unified"

    @property
    def whole(self) -> bool:
        """Whether the model is given the one JSON object as it is: unified, and no signature made it a table."""
        return self.format == "unified" and not isinstance(self.data, Table)

    def rows(self) -> list[Any]:
        """Return what the model scores, one element per prediction.

        Dicts by column for tables and columns of equal length, else the elements of a list, else the one value.
        """
        if isinstance(self.data, Table):
            return self.data.records()
        if self.format == "unified":
            return [self.data]
        if isinstance(self.data, dict):
            return _rows_of_columns(self.data)
        return self.data if isinstance(self.data, list) else [self.data]

    def row_count(self) -> int:
        """Return the number of predictions that this request asks for."""
        return len(self.data.cells) if isinstance(self.data, Table) else len(self.rows())


def _rows_of_columns(columns: dict[str, Any]) -> list[Any]:
    if columns and not any(isinstance(values, list) for values in columns.values()):
        return [columns]
    lengths = {len(values) if isinstance(values, list) else -1 for values in columns.values()}
    if len(lengths) != 1:
        return [columns]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
