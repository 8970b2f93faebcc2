"""The same as `muzero-bench inference`."""

from muzero.benchmarks.inference import main

if __name__ == "__main__":
    main()
