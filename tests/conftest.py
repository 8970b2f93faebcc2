"""What holds for all tests: one torch thread, and Ctrl-C as a terminal delivers it."""

import signal

import torch

# The networks of tests are small: threads that wait for each other slow them down tenfold.
torch.set_num_threads(1)
# A shell starts what it runs in the background with SIGINT ignored, and children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
