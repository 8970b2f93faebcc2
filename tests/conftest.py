"""One torch thread: the networks of tests are small, and threads that wait for each other slow them down tenfold."""

import torch

torch.set_num_threads(1)
