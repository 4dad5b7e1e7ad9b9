"""Does what was exported do what was trained?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from export.graphs.files import GraphFile
from export.models import Models
from export.proof.parity import Check, check_graph, check_tokens
from export.proof.reduction import check_reductions
from export.proof.utterances import difficult_texts


def validate_graphs(models: Models, graphs: Mapping[str, GraphFile], feelings: Path | None = None) -> list[Check]:
    """Compares exported graphs and the tokenizer with what was trained.

    Args:
        models: what was exported.
        graphs: what came of it. Each fp32 graph is held against its model, and each graph of less precision against
            the fp32 one.
        feelings: an ArtEmis file of utterances and their emotions, on which the change of accuracy through
            encoders of less precision is measured as well.

    Returns:
        every comparison, those that failed too.

    Raises:
        DataError: ``feelings`` cannot be read.
    """
    checks = [check for graph in graphs.values() for check in check_graph(graph.plan, graph.full)]
    tokenizer = models.bundle_tokenizer
    checks.append(check_tokens(models.encoder.reference_tokens, tokenizer, difficult_texts()))
    return [*checks, *check_reductions(graphs, models, feelings)]
