"""The choice of a runner, as the command line offers it."""

from __future__ import annotations

import os

from a2m_edge.errors import OptionError
from a2m_edge.jobs.processes import ProcessRunner
from a2m_edge.jobs.work import Runner


def choose_runner(workers: int | None = None, ray: str | None = None) -> Runner:
    """A runner by what a user asked for.

    Args:
        workers: processes; None for one on each core of this machine, or of the cluster.
        ray: address of a Ray cluster, ``"auto"`` for the one that this machine belongs to; None for this machine
            alone, without Ray.

    Raises:
        OptionError: ``workers`` is below 1.
        MissingExtraError: Ray was asked for and is not installed.
    """
    if workers is not None and workers < 1:
        raise OptionError(f"--workers must be at least 1, not {workers}")
    if ray is None:
        return ProcessRunner(workers or len(os.sched_getaffinity(0)))
    from a2m_edge.jobs.cluster import RayRunner, require_ray

    require_ray()
    return RayRunner(ray, workers)
