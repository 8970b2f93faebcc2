"""The C++ rule that a page of the documentation shows compiles, where the page says, and finds the better action."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STEPS = (  # file, what stands there, what the page has one add before it
    ("selection.h", '#include "puct.h"\n', '#include "ucb.h"\n'),
    ("dispatch.h", "apply(W, Gumbel)\n", "apply(W, Ucb<Siblings>); "),
    ("search.h", "Bound<Gumbel>>", "Bound<Ucb<Siblings>>, "),
)
PROGRAM = """
#include <cstdio>
#include "search.h"
int main() {
  muzero::Search search({1, 3, 60, 60, 1}, muzero::Path::kBaseline);
  search.use_ucb(1.0);
  const muzero::Evaluation& said = search.evaluation();
  const uint8_t legal[] = {1, 1, 1};
  said.value[0] = said.logits[0] = said.logits[1] = said.logits[2] = 0;
  search.start(legal);
  search.select();
  for (int done = 0; done < 60; ++done) {
    said.reward[0] = search.selection().action[0] == 2;
    said.discount[0] = 0;
    search.back_up(done < 59);
  }
  int64_t action; float policy[3], value, q[3]; int32_t visits[3];
  search.finish({&action, policy, &value, visits, q});
  std::printf("%d %d %d %d", static_cast<int>(action), visits[0], visits[1], visits[2]);
}
"""


@pytest.mark.slow
def test_the_rule_of_the_page_searches(tmp_path):
    page = (ROOT / "docs" / "own-search-rule.md").read_text()
    rule, use = re.findall(r"^```cpp\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    sources = tmp_path / "csrc"
    shutil.copytree(ROOT / "csrc", sources)
    (sources / "ucb.h").write_text(rule)
    for name, place, added in (*STEPS, ("search.h", "  // noise: [B, A], or null for none", use)):
        text = (sources / name).read_text()
        assert text.count(place) == 1, f"{name} has changed"
        (sources / name).write_text(text.replace(place, added + place))
    (tmp_path / "program.cpp").write_text(PROGRAM)
    words = "g++ -std=c++20 -O1 -Wall -Wextra -Werror -DMUZERO_WIDTH=4 -Icsrc program.cpp csrc/dispatch.cpp -lpthread"
    subprocess.run([*words.split(), "-o", "program"], check=True, cwd=tmp_path, timeout=300)
    found = subprocess.run(["./program"], check=True, cwd=tmp_path, timeout=60, capture_output=True, text=True)
    action, *visits = map(int, found.stdout.split())
    assert action == 2 and visits[2] > 50 and min(visits) >= 2  # the only action with a reward; none was forgotten
