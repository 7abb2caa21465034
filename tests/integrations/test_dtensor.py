"""Ops on tensors that two processes share."""

import socket
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from torch.testing import assert_close

from pyvae import functional as F

CALLS = {
    "a shared variance": (F.gaussian_log_prob, [(6, 5), (6, 5), (5,)], {}),
    "a variance for each row": (F.gaussian_log_prob, [(6, 5), (6, 5), (6, 1)], {}),
    "no data for a sample": (F.bernoulli_log_prob, [(4, 5), (3, 4, 5)], {"batch_ndim": 2}),
    "kl": (F.gaussian_kl, [(6, 5), (6, 5)], {}),
    "kl to a prior": (F.gaussian_kl, [(6, 5), (6, 5), (5,), (5,)], {}),
    "images": (F.laplace_log_prob, [(4, 3, 2, 2), (4, 3, 2, 2), ()], {}),
}


def results(op, tensors, options):
    value = op(*tensors, **options)
    return value, torch.autograd.grad((value * value.detach()).sum(), tensors)


def whole(t):
    return t.full_tensor() if hasattr(t, "full_tensor") else t


def worker(rank, port):
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor, init_device_mesh

    from pyvae.integrations import dtensor

    torch.set_num_threads(1)
    address = f"tcp://127.0.0.1:{port}"
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    dtensor.register()
    for name, (op, shapes, options) in CALLS.items():
        torch.manual_seed(0)
        plain = [torch.rand(shape).requires_grad_() for shape in shapes]
        batch = len(shapes[0]) if options else 1
        rank_of = max(len(shape) for shape in shapes)
        dim = options.get("batch_ndim", batch) - 1  # the last batch dimension
        spread = []
        for t in plain:
            own = dim - (rank_of - t.ndim)
            place = Shard(own) if own >= 0 and t.shape[own] > 1 else Replicate()
            spread.append(distribute_tensor(t.detach(), mesh, [place]).requires_grad_())
        value, grads = results(op, spread, options)
        assert value.placements == (Shard(dim),), name
        expected, right = results(op, plain, options)
        assert_close(whole(value), expected)
        assert_close([whole(g) for g in grads], list(right), msg=name)
    dist.destroy_process_group()


@pytest.mark.skipif(not dist.is_available(), reason="torch without distributed")
def test_rows_are_divided_and_shared_gradients_summed():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, __file__, str(port)]
    workers = [subprocess.Popen([*command, str(rank)], stderr=subprocess.PIPE) for rank in (0, 1)]
    for each in workers:
        _, said = each.communicate(timeout=300)
        assert each.returncode == 0, said.decode()[-2000:]


if __name__ == "__main__":
    worker(int(sys.argv[2]), int(sys.argv[1]))
