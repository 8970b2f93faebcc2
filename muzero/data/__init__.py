"""Experience: segments, their log on disk, the replay and its windows."""
