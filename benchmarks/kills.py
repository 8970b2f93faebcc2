"""The same as `muzero-bench kills`."""

import sys

from muzero.benchmarks.kills import main

if __name__ == "__main__":
    main(sys.argv[1:])
