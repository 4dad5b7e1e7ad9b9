"""Training in several processes at once: ``torchrun --nproc-per-node N -m training ...``.

The processes do together exactly what one does alone. All of them draw the same batch, from the seed and the number
of the step. Each computes the models on its own share of the rows (``share``), the outputs of all shares are put
together (``gather``), and every process computes the losses of the whole batch. So a loss may be anything, the mean
of rows, a contrast of every row with every other, or a ratio of norms over the batch; and shares may differ in size.
Where outputs are too large to travel (the inner features of discriminators), a loss that is a mean over rows is
computed on the share and weighted (``weigh``).

Either way the gradient of one process is the mean of the gradients of all processes, which ``average_gradients`` takes
by one reduction after the backward pass. ``DistributedDataParallel`` is not used: it hooks into the forward pass of
one module and one backward pass for it, whereas here towers are called by parts, parts are frozen, and a GAN goes
backward through one model on the way to another. What it would win, the overlap of computing and sending, matters
little for models of this size.

What is told is the same in every process, the first one alone writes files and speaks. In a single process that
``torchrun`` did not start, all of these functions do nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

from a2m_edge.errors import OptionError

PATIENCE = timedelta(days=7)
"""How long processes wait for one that embeds or validates; of one that died ``torchrun`` ends the others at once."""


def launched() -> int:
    """How many processes were started with this one, by ``torchrun``'s environment."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def joined() -> Iterator[None]:
    """Joins the processes that ``torchrun`` started: gloo for what lies on the CPU, NCCL for what lies on CUDA.

    Raises:
        OptionError: the environment is not that of ``torchrun``, or the processes do not find each other.
    """
    if "WORLD_SIZE" not in os.environ:
        yield
        return
    try:
        both = torch.cuda.is_available() and dist.is_nccl_available()
        dist.init_process_group("cpu:gloo,cuda:nccl" if both else "gloo", timeout=PATIENCE)
    except (ValueError, RuntimeError) as error:
        raise OptionError(f"the processes cannot join ({error}): start them by  torchrun -m training ...") from error
    try:
        yield
    finally:
        dist.destroy_process_group()


def count() -> int:
    """How many processes train together.

    Raises:
        OptionError: several were started and have not joined: they would overwrite each other's files.
    """
    if dist.is_available() and dist.is_initialized():
        return dist.get_world_size()
    if launched() > 1:
        raise OptionError(
            f"{launched()} processes were started that do not work together: start them by  torchrun -m training ..."
        )
    return 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if count() > 1 else 0


def local_rank() -> int:
    """The number of this process on its computer, from 0: that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0")) if count() > 1 else 0


def first() -> bool:
    """Whether this process is the one that writes files and speaks."""
    return rank() == 0


def need_rows(batch: int) -> None:
    """Refuses batches of which some process would get nothing.

    Raises:
        OptionError: the batch has fewer rows than there are processes.
    """
    if batch < count():
        raise OptionError(
            f"a batch of {batch} cannot be shared by {count()} processes: give a larger one, or start fewer of them"
        )


@contextmanager
def first_before_others() -> Iterator[None]:
    """The first process goes through the block before all others: it makes the files that they then find."""
    if not first():
        _wait()
    yield
    if first():
        _wait()


def share(rows: int) -> slice:
    """The rows of a batch that this process computes; all of them where there are fewer than processes."""
    return _share(rows, rank()) if rows >= count() else slice(0, rows)


def gather(part: Tensor, rows: int) -> Tensor:
    """The rows [rows, ...] of all processes, of which this one has computed ``part``, those of ``share(rows)``.

    Gradients reach ``part`` as ``average_gradients`` expects them, provided that every process computes the same
    losses from what is gathered.
    """
    if count() == 1 or rows < count():
        return part
    gathered: Tensor = _Gather.apply(part, rows)  # type: ignore[no-untyped-call]
    return gathered


def weigh(loss: Tensor, rows: int) -> Tensor:
    """A loss that is the mean over the rows of ``share(rows)``: its mean over all processes is that over all rows."""
    own = share(rows)
    return loss if rows < count() else loss * ((own.stop - own.start) * count() / rows)


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replaces every gradient by its mean over the processes, which must have gradients of the same parameters."""
    if count() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    together = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(together)
    together /= count()
    pieces = together.split([gradient.numel() for gradient in gradients])
    for gradient, piece in zip(gradients, pieces, strict=True):
        gradient.copy_(piece.view_as(gradient))


def mean(scalars: Mapping[str, float]) -> dict[str, float]:
    """The means over the processes, which must have scalars of the same names."""
    if count() == 1:
        return dict(scalars)
    values = torch.tensor(list(scalars.values()), dtype=torch.float64)
    dist.all_reduce(values)
    return dict(zip(scalars, (values / count()).tolist(), strict=True))


def agree(progress: float, stop: bool) -> tuple[float, bool]:
    """The progress by the first process's clock, and whether any process was asked to stop."""
    if count() == 1:
        return progress, stop
    told = torch.tensor([progress if first() else 0.0, float(stop)], dtype=torch.float64)
    dist.all_reduce(told)
    return float(told[0]), bool(told[1])


@torch.no_grad()
def equalise(models: Iterable[nn.Module]) -> None:
    """Gives every process the weights and buffers that the first one has."""
    if count() == 1:
        return
    for model in models:
        for tensor in (*model.parameters(), *model.buffers()):
            sent = tensor.detach().contiguous()
            dist.broadcast(sent, 0)
            tensor.copy_(sent)


def _share(rows: int, process: int) -> slice:
    return slice(rows * process // count(), rows * (process + 1) // count())


def _wait() -> None:
    if count() > 1:
        # dist.barrier would choose NCCL, whose watchdog has no patience.
        dist.all_reduce(torch.zeros(1))


class _Gather(torch.autograd.Function):
    """Every process computes the same losses, so each already has the gradient of all rows: nothing is sent back."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, rows: int) -> Tensor:
        ctx.rows = rows
        shares = [_share(rows, process) for process in range(count())]
        sizes = [own.stop - own.start for own in shares]
        padded = part.new_zeros((max(sizes), *part.shape[1:]))
        padded[: len(part)] = part
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        return torch.cat([piece[:size] for piece, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        # The mean over the processes that follows is to be the sum over their shares.
        return gradients[0][share(ctx.rows)] * count(), None
