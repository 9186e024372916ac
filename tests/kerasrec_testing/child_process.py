"""A Python process that answers many requests, for checks that need a fresh process but not one each."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

TESTS = Path(__file__).parents[1]

LOOP = """
import json, sys, traceback
for line in sys.stdin:
    try:
        reply = {"answer": answer(json.loads(line))}
    except Exception:
        reply = {"error": traceback.format_exc()}
    print(json.dumps(reply), flush=True)
"""


class ChildProcess:
    """Runs `code`, which defines `answer(request)`, in a new process.

    Args:
        code: the source of the function, from JSON values to JSON values.
        environment: variables of the process; by default those of this one, and imports of this checkout.

    Example:
        >>> with ChildProcess("def answer(request): return request['a'] + 1", environment={}) as child:
        ...     child.ask(a=1), child.ask(a=2)
        (2, 3)
    """

    def __init__(self, code: str, environment: Mapping[str, str] | None = None) -> None:
        if environment is None:
            path = [str(TESTS), str(TESTS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-c", code + LOOP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment,
        )

    def ask(self, **request):
        """The answer to a request. An exception in the child process fails the test."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.errors.seek(0)
            raise AssertionError(f"the child process ended:\n{self.errors.read()[-4000:]}")
        reply = json.loads(line)
        assert "error" not in reply, reply["error"]
        return reply["answer"]

    def __enter__(self) -> "ChildProcess":
        return self

    def __exit__(self, *_) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait(timeout=120)
        self.process.stdout.close()
        self.errors.close()
