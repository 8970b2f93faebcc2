"""The same as `muzero-bench search`."""

from muzero.benchmarks.search import main

if __name__ == "__main__":
    main()
