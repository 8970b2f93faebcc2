"""CPU seconds of this process and of those that it started, whether they still run or not."""

import subprocess
import sys

import pytest

from muzero.util.cpu import cpu_seconds

SPENT = 0.3  # CPU seconds that a test spends
SPEND = f"import time, sys\nwhile time.process_time() < {SPENT}: pass\nprint(flush=True)\nsys.stdin.read()"
TICKS = 0.05  # by which the system's counters may be behind


ALONE = f"""
import time
from muzero.util.cpu import cpu_seconds
before, began = cpu_seconds(), time.process_time()
while time.process_time() - began < {SPENT}: pass
print(cpu_seconds() - before, time.process_time() - began)
"""


def test_the_work_of_a_process_counts():
    """Of one that has started no others: those of the tests before may still work."""
    out = subprocess.run([sys.executable, "-c", ALONE], stdout=subprocess.PIPE, text=True, check=True).stdout
    counted, spent = map(float, out.split())
    assert counted == pytest.approx(spent, abs=TICKS)


@pytest.mark.parametrize("shell", [False, True], ids=["child", "grandchild"])
def test_a_descendant_counts_while_it_runs_and_after_it_ended(shell):
    before = cpu_seconds()
    words = ["sh", "-c", '"$0" "$@"; true'] if shell else []
    with subprocess.Popen(
        [*words, sys.executable, "-c", SPEND], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        running = cpu_seconds() - before
        process.stdin.close()
        process.wait()
    assert SPENT - TICKS < running <= cpu_seconds() - before
