"""The log of guarded requests: one JSON object a line, each appended whole. Written and read here, and shown elsewhere.

It stays where its path says, and goes nowhere else. Keys, headers and addresses of upstreams are no part of it: a model is
named, no more; prompts and answers can be left out.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from heedful.constraints import Constraint
from heedful.control.result import Attempt, Guarded
from heedful.control.upstream import Message
from heedful.errors import InputError, StoreError

SCHEMA_VERSION = 1

_BEGINNING = b'{"schema_version": '
"""Of every line; see `record`."""

_OF_A_REQUEST = {
    "time", "model", "policy", "mode", "messages", "passed", "verdicts", "stopped", "why", "would", "best", "tokens", "seconds",
    "attempts",
}  # fmt: skip
_OF_AN_ATTEMPT = {"what", "verdicts", "ended", "why", "tokens"}
_OF_TOKENS, _OF_A_VERDICT = {"prompt", "completion"}, {"constraint", "outcome"}


def record(
    result: Guarded,
    messages: Sequence[Message],
    constraints: Sequence[Constraint],
    about: Mapping[str, str],
    *,
    texts: bool = True,
) -> dict[str, Any]:
    """A request as JSON values.

    Args:
        about: model, policy, mode, release.
        texts: with prompts, answers and what verdicts quote of them.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        **about,
        "constraints": [constraint.to_dict() for constraint in constraints],
        "messages": [dict(message) for message in messages] if texts else len(messages),
        **result_fields(result, texts=texts),
    }


def result_fields(result: Guarded, *, texts: bool = True) -> dict[str, Any]:
    """A result as JSON values."""
    judged = result.judged.usage
    said = {"text": result.text, "released": result.released} if texts else {"characters": len(result.text)}
    return {
        **said,
        "passed": result.passed,
        "verdicts": [_verdict(verdict.model_dump(mode="json"), texts) for verdict in result.verdicts],
        "stopped": result.stopped,
        "why": result.why if texts else "",
        "would": result.would if texts else "",
        "best": result.best,
        "tokens": {"prompt": result.usage.prompt, "completion": result.usage.completion},
        "judged": {"calls": result.judged.calls, "prompt": judged.prompt, "completion": judged.completion},
        "seconds": round(result.seconds, 4),
        "attempts": [_attempt(attempt, texts) for attempt in result.attempts],
    }


def _attempt(attempt: Attempt, texts: bool) -> dict[str, Any]:
    sampling = attempt.request.sampling
    asked: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
    }
    if texts:
        asked |= {"last_message": attempt.request.messages[-1]["content"], "prefix": attempt.request.prefix}
    return {
        "what": attempt.what,
        "request": asked,
        **({"text": attempt.text} if texts else {"characters": len(attempt.text)}),
        "passed": attempt.passed,
        "verdicts": [_verdict(verdict.model_dump(mode="json"), texts) for verdict in attempt.verdicts],
        "ended": attempt.ended,
        "why": attempt.why if texts else "",
        "alerts": [alert._asdict() | ({} if texts else {"reason": ""}) for alert in attempt.alerts],
        "tokens": {"prompt": attempt.usage.prompt, "completion": attempt.usage.completion},
        "seconds": round(attempt.seconds, 4),
    }


def _verdict(verdict: dict[str, Any], texts: bool) -> dict[str, Any]:
    """Without texts, without what may quote them."""
    return verdict if texts else {name: verdict[name] for name in ("constraint", "outcome", "score")}


def check_log(path: str | Path) -> None:
    """See that a line could be added; makes the file where there is none, and no folder.

    Raises:
        StoreError: it could not.
    """
    with _opened(path):
        pass


def append(path: str | Path, line: Mapping[str, Any]) -> None:
    """Add one line, whole or not at all, also where several processes write.

    Raises:
        StoreError: the file cannot be written.
    """
    # Half of a character, which UTF-8 cannot hold, becomes its JSON escape, and is read as what it was.
    data = (json.dumps(line, ensure_ascii=False) + "\n").encode(errors="backslashreplace")
    with _opened(path) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        before = os.fstat(descriptor).st_size
        if before and os.pread(descriptor, 1, before - 1) != b"\n":  # who wrote last was killed: his line stays his own
            data = b"\n" + data
        if os.write(descriptor, data) != len(data):
            os.ftruncate(descriptor, before)
            raise OSError("the disk is full")


@contextmanager
def _opened(path: str | Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    except OSError as error:
        reason, cure = error.strerror or error, "choose another place"
        folder = Path(path).parent
        if isinstance(error, NotADirectoryError):
            reason = "its folder is a file"
        elif not folder.exists():  # perhaps a slip: none is made
            reason, cure = f"there is no folder {folder}", f"mkdir -p {shlex.quote(str(folder))}"
        elif error.errno in (errno.ENOSPC, errno.EDQUOT) or error.errno is None:
            cure = "free some space, or choose another place"
        raise StoreError(f"cannot write the log {path}: {reason}", cure) from error


class Log(NamedTuple):
    """What a log holds.

    Attributes:
        lines: its requests, in order.
        torn: numbers, from 1, of lines that break off, since who wrote them was killed.
    """

    lines: list[dict[str, Any]]
    torn: tuple[int, ...] = ()


def read_log(path: str | Path) -> Log:
    """A log, but for lines that break off.

    Raises:
        InputError: it cannot be read, a line is no request, or it is of another schema version.
    """
    lines, torn = list[dict[str, Any]](), list[int]()
    try:
        with Path(path).open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    found = json.loads(line)
                    version = found["schema_version"]
                except (ValueError, TypeError, KeyError):
                    if _is_torn(line):
                        torn.append(number)
                        continue
                    raise InputError(
                        f"{path}, line {number}, is no guarded request", "give a log that a guard wrote"
                    ) from None
                if version != SCHEMA_VERSION:
                    raise InputError(
                        f"{path}, line {number}, has schema version {version}; this heedful reads {SCHEMA_VERSION}",
                        "read it with the heedful that wrote it",
                    )
                if not _is_request(found):
                    raise InputError(
                        f"{path}, line {number}, is not all of a guarded request", "give a log that a guard wrote"
                    )
                lines.append(found)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", "check the path") from error
    return Log(lines, tuple(torn))


def _is_torn(line: bytes) -> bool:
    """Whether it is the beginning of a line that a guard writes; zeros at its end are of no writer."""
    written = line.rstrip(b"\0\n")
    return written.startswith(_BEGINNING) or _BEGINNING.startswith(written)


def _is_request(line: dict[str, Any]) -> bool:
    """Whether all is there that a reader takes for granted."""
    try:
        attempts = list(line["attempts"])
        verdicts = [verdict for each in (line, *attempts) for verdict in each["verdicts"]]
        return (
            line.keys() >= _OF_A_REQUEST
            and all(attempt.keys() >= _OF_AN_ATTEMPT for attempt in attempts)
            and all(each["tokens"].keys() >= _OF_TOKENS for each in (line, *attempts))
            and all(verdict.keys() >= _OF_A_VERDICT for verdict in verdicts)
        )
    except (KeyError, TypeError, AttributeError):
        return False
