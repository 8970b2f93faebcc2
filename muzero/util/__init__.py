"""What every folder may use: text, files, seeds, signals; it knows nothing of learning."""
