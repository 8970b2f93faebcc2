"""The same as `muzero-bench actors`."""

import sys

from muzero.benchmarks.actors import main

if __name__ == "__main__":
    main(sys.argv[1:])
