"""Answers requests, one JSON object a line on stdin, with one JSON object a line on stdout.

A request names its operation: {"op": "read", ...}. An answer is {"ok": result}, or {"error": {"type", "message"}}.
The process ends when stdin closes, so that it never outlives who started it.
"""

import json
import os
import sys
import traceback


def serve(operations):
    """Runs until stdin closes. `operations` gives for each name a function of the request's other members."""
    # Whatever libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        if line.strip():
            answers.write(json.dumps(answer(operations, line)) + "\n")


def answer(operations, line):
    try:
        request = json.loads(line)
        name = request.pop("op")
        if name not in operations:
            raise ValueError(f"op {name} is none of {', '.join(operations)}")
        return {"ok": operations[name](**request)}
    except Exception as error:  # Every failure is an answer: the tests expect some.
        traceback.print_exc()
        # Errors of the JVM carry its whole stack.
        return {"error": {"type": type(error).__name__, "message": str(error)[:4000]}}


def run_program(program, names):
    """Executes Python text that sees `names`; gives what it leaves in `result`."""
    scope = dict(names)
    exec(compile(program, "<program>", "exec"), scope)
    return scope.get("result")
