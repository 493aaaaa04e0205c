"""The number of this process is known without asking the system, also after a fork."""

from __future__ import annotations

import subprocess
import sys

FORK = """
import os
from twilio_component.host.process_id import process_id
before = process_id()
assert before == os.getpid()
child = os.fork()
if not child:
    os._exit(0 if process_id() == os.getpid() != before else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_has_its_own_number() -> None:
    subprocess.run([sys.executable, "-c", FORK], check=True)
