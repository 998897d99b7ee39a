"""`galw pace --stdio`: the pacing engine for any dialer or simulator, one JSON object per line in, one per line out."""

import gc
import sys
from pathlib import Path
from typing import BinaryIO

import click
import orjson

from services.dialer.domain.pacing.engine import Pacer
from services.dialer.domain.pacing.wire import Reader, WrongLineError, to_answer

# A line of a million events has about 100 MB; a longer one is not a snapshot, and is refused piece by piece.
MAX_LINE_BYTES = 512 * 1024 * 1024


def answer(pacer: Pacer, reader: Reader, line: bytes) -> bytes:
    """Return the answer to one line: a decision, or an error that changed nothing."""
    try:
        floor = reader.read(orjson.loads(line))
    except orjson.JSONDecodeError as error:
        return orjson.dumps({"error": {"field": "line", "expected": "a JSON object", "found": str(error)}})
    except WrongLineError as error:
        return orjson.dumps({"error": {"field": error.field, "expected": error.expected}})
    return orjson.dumps(to_answer(pacer.decide(floor)))


def serve(source: BinaryIO, sink: BinaryIO, pacer: Pacer) -> None:
    """Answer lines until the source ends."""
    reader = Reader()
    while line := source.readline(MAX_LINE_BYTES):
        if line.strip():
            sink.write(answer(pacer, reader, line) + b"\n")
            sink.flush()


@click.command()
@click.option("--stdio", is_flag=True, help="Answer one JSON object per line on standard input.")
@click.option(
    "--state",
    "state_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Continue from this file if it exists, and write what was learned to it at the end.",
)
def command(stdio: bool, state_file: Path | None) -> None:
    """Decide how many lines to place now, for any dialer or simulator; docs/pacing.md describes the lines.

    \b
    Example:
      galw pace --stdio --state pacing.json < floor.jsonl
    """
    if not stdio:
        raise click.UsageError(
            "say --stdio: lines of JSON are read from standard input and answered on standard output"
        )
    pacer = Pacer()
    if state_file is not None and state_file.exists():
        try:
            pacer = Pacer(orjson.loads(state_file.read_bytes()))
        except (ValueError, KeyError, TypeError) as error:
            raise click.ClickException(
                f"{state_file} holds no pacing state: {error}; remove it to begin afresh"
            ) from None
    # A line is some hundred objects that live until its answer: looking for cycles among them would only take time.
    gc.freeze()
    gc.set_threshold(100_000)
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer, pacer)
    except BrokenPipeError:
        sys.stderr.close()  # nobody listens any more; there is nobody to tell
    if state_file is not None:
        state_file.write_bytes(orjson.dumps(pacer.to_state()))


if __name__ == "__main__":
    command(prog_name="galw pace")
