"""The same as `muzero-bench ingest`."""

import sys

from muzero.benchmarks.ingest import main

if __name__ == "__main__":
    main(sys.argv[1:])
