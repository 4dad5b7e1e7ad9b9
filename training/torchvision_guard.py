"""Lets open_clip be imported where torchvision comes without its compiled operators.

Package registries serve torchvision built for CUDA. Beside a CPU build of torch its library cannot be loaded,
so the operator ``torchvision::nms`` never exists; yet torchvision describes that operator's shapes to torch
while it is imported, which raises ``operator torchvision::nms does not exist`` and takes timm, transformers and
open_clip down with it. This program needs only torchvision's transforms, which are Python, so the description
of operators that are not there is passed over.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch


def import_open_clip() -> ModuleType:
    """Imports open_clip, and torchvision with it, whichever build of torchvision is installed.

    Returns:
        The module ``open_clip``.

    Raises:
        MissingExtraError: open_clip is not installed.
    """
    from a2m_edge.errors import MissingExtraError

    with _missing_operators_passed_over():
        try:
            return importlib.import_module("open_clip")
        except ModuleNotFoundError as error:
            if error.name != "open_clip":
                raise
            raise MissingExtraError("open_clip", "train") from error


@contextmanager
def _missing_operators_passed_over() -> Iterator[None]:
    """While this lasts, ``torch.library.register_fake`` skips ``torchvision::`` operators that do not exist.

    Operators that do exist are registered as ever, so a torchvision with its library is left whole.
    """
    register_fake = torch.library.register_fake

    def guarded(op: Any, *args: Any, **options: Any) -> Any:
        if isinstance(op, str) and op.startswith("torchvision::") and not _exists(op):

            def unchanged(function: Callable[..., Any]) -> Callable[..., Any]:
                return function

            return unchanged
        return register_fake(op, *args, **options)

    torch.library.register_fake = guarded
    try:
        yield
    finally:
        torch.library.register_fake = register_fake


def _exists(op: str) -> bool:
    """Whether the operator ``namespace::name`` is compiled in."""
    namespace, name = op.split("::")
    return hasattr(getattr(torch.ops, namespace), name)
