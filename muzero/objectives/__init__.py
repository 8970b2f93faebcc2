"""What is learned: each module offers objectives behind one contract."""
