"""PyTorch in processes that fork: one thread, because the others do not exist there.

A forked process has the memory of its parent but none of its threads.  PyTorch would wait for them for ever in the
first operation that it shares among threads.  With one thread it shares nothing; PyTorch's own data loader does the
same in its workers.  A program that needs several threads in a child, or a GPU, starts it by "spawn".
"""

import os

import torch


def use_one_thread() -> None:
    """Compute on the calling thread alone, where several are set."""
    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=use_one_thread)
