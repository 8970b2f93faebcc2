"""Several learners in forked processes, as torchrun starts them."""

import multiprocessing
import os
import socket
import traceback

import torch

from muzero.learning import parallel

FORK = multiprocessing.get_context("fork")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def variables(rank, size, port):
    """What torchrun sets."""
    names = {"RANK": rank, "WORLD_SIZE": size, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": size}
    return {name: str(value) for name, value in names.items()} | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}


def live(work, rank, size, port, link):
    os.environ.update(variables(rank, size, port))
    try:
        learners, _ = parallel.join(torch.device("cpu"))
        link.send((work(learners), None))
    except BaseException as error:
        traceback.print_exc()
        link.send((None, f"{type(error).__name__}: {error}"))
    finally:
        parallel.leave()


def together(work, size=2):
    """What `work(learners)` returns, and the error that it ends with, in each of several processes."""
    port, made = free_port(), []
    for rank in range(size):
        here, there = FORK.Pipe(duplex=False)
        process = FORK.Process(target=live, args=(work, rank, size, port, there))
        process.start()
        there.close()
        made.append((process, here))
    found = []
    for process, link in made:
        try:
            found.append(link.recv())
        except EOFError:  # it died
            found.append((None, None))
        process.join()
    return found


def results(work, size=2):
    """What `work(learners)` returns in each of several processes, of which none fails."""
    found = together(work, size)
    assert [error for _, error in found] == [None] * size
    return [result for result, _ in found]
