"""The progress of a run on a terminal: a line for each step that has ended, and bars of the lists under way."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from twilio_component.cli.output import cell
from twilio_component.cli.run_screen import screen, state_text, wait_line
from twilio_component.cli.run_words import FinishedSteps, counts_of_loop, error_codes, loop_summary

if TYPE_CHECKING:
    from types import TracebackType

_WIDE = 110  # columns: room for a bar beside the counts


class ProgressScreen:
    """Shows a run repeatedly, and its end; as a context manager it gives the terminal back."""

    def __init__(self, stream: IO[str]) -> None:
        self._console = screen(stream)
        bar = [BarColumn(24)] if self._console.width >= _WIDE else []
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            *bar,
            TextColumn("{task.fields[counts]}", markup=False, table_column=Column(no_wrap=True)),
            console=self._console,
            auto_refresh=False,
            transient=True,
        )
        self._steps = FinishedSteps()
        self._bars: dict[str, TaskID] = {}
        self._waiting: list[str] = []

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, run: dict[str, Any]) -> None:
        """Print the steps that have ended since the last time, and move the bars."""
        self._print_steps(run)
        waiting = [wait_line(wait) for wait in run["waits"]]
        for line in waiting:
            if line not in self._waiting:
                self._print(Text(f"…  {line}", "yellow"))
        self._waiting = waiting
        for loop in run["loops"]:
            self._move(loop)
        self._progress.refresh()

    def end(self, run: dict[str, Any]) -> None:
        """Print how the run has ended, and each of its lists."""
        self._print_steps(run)
        self._progress.stop()
        for loop in run["loops"]:
            self._print(Text(loop_summary(loop)))
        error = run["error"]
        why = f": {error_codes(error)}: {cell(error['message'])}" if error else ""
        self._print(Text.assemble(state_text(run["state"]), why))

    def _print_steps(self, run: dict[str, Any]) -> None:
        for step in self._steps.new(run):
            error = step.get("error")
            code = f"  {error_codes(error)}" if error else ""
            self._print(Text(f"{'✗' if error else '✓'}  {cell(step['step'])}{code}", "red" if error else ""))

    def _move(self, loop: dict[str, Any]) -> None:
        name = loop["loop"]
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(cell(name), counts="")
        whole = loop["taken"] if loop["isWhole"] else None
        self._progress.update(
            self._bars[name], total=whole, completed=loop["taken"] - loop["left"], counts=counts_of_loop(loop)
        )

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=False)
