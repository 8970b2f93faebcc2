"""What `muzero-bench` measures."""
