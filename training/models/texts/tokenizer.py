"""Tokenizers of open_clip in the form that a bundle can hold."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from training.models.texts.cleaning import Cleaning, cleaning


def portable_tokenizer(tokenizer: Any) -> Tokenizer:
    """The same tokenizer in the form of the ``tokenizers`` library; it cuts and pads nothing yet.

    Args:
        tokenizer: what ``open_clip.get_tokenizer`` gives.

    Raises:
        ValueError: a bundle has no form for it, in a sentence that says why.
    """
    kind = type(tokenizer).__name__
    rules = _cleaning(tokenizer)
    if hasattr(tokenizer, "bpe_ranks"):
        if tokenizer.reduction_fn is not None:
            raise ValueError(f"{kind} leaves out words of long texts at random, which is for training only")
        return _byte_pairs(tokenizer, rules)
    backend = getattr(getattr(tokenizer, "tokenizer", None), "backend_tokenizer", None)
    if backend is None:
        raise ValueError(f"its {kind} is no tokenizer that a bundle can hold")
    if getattr(tokenizer, "tokenizer_mode", ""):
        raise ValueError(f"its {kind} puts a token behind the padding, which a bundle cannot express")
    return _cleaned_first(tokenizer, Tokenizer.from_str(backend.to_str()), rules)


def pad_token(tokenizer: Any) -> int:
    """The id with which a tokenizer of open_clip fills a batch."""
    backend = getattr(tokenizer, "tokenizer", None)
    return 0 if backend is None else int(backend.pad_token_id)


def _cleaning(tokenizer: Any) -> list[normalizers.Normalizer]:
    from open_clip.tokenizer import get_clean_fn

    kinds: tuple[Cleaning, ...] = ("lower", "whitespace", "canonicalize")
    for kind in kinds:
        if tokenizer.clean_fn is get_clean_fn(kind):
            return cleaning(kind)
    raise ValueError(f"its {type(tokenizer).__name__} cleans texts in a way that a bundle cannot express")


def _byte_pairs(tokenizer: Any, rules: list[normalizers.Normalizer]) -> Tokenizer:
    """CLIP's byte-pair encoding (openai/CLIP, ``simple_tokenizer.py``)."""
    special = [tokenizer.decoder[index] for index in tokenizer.all_special_ids]
    start, end = special[:2]
    twin = Tokenizer(
        models.BPE(
            vocab=tokenizer.encoder,
            merges=list(tokenizer.bpe_ranks),
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
            unk_token=end,
        )
    )
    twin.normalizer = normalizers.Sequence(rules)
    # The original ignores the case, by which U+0345, a small iota, counts as a letter and yet is none: it is dropped.
    whole = "|".join([*map(re.escape, special), "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"])
    pattern = rf"(?i:{whole})|\p{{L}}+|\p{{N}}|[^\s\p{{L}}\p{{N}}\x{{345}}]+"
    twin.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    # Whoever writes the name of a special token gets that token, as in the original.
    names = [token for token in special if twin.normalizer.normalize_str(token) == token]
    twin.add_tokens([AddedToken(name, normalized=True) for name in names])
    twin.decoder = decoders.ByteLevel()
    twin.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        special_tokens=[(start, tokenizer.sot_token_id), (end, tokenizer.eot_token_id)],
    )
    return twin


def _cleaned_first(tokenizer: Any, backend: Tokenizer, rules: list[normalizers.Normalizer]) -> Tokenizer:
    """A Hugging Face tokenizer that cleans as open_clip does before it is asked."""
    own = [] if backend.normalizer is None else [backend.normalizer]
    cleaned = normalizers.Sequence(rules)
    content = json.loads(backend.to_str())
    # A text is cleaned before special tokens are looked for in it: names that cleaning changes are never found.
    content["added_tokens"] = [
        token for token in content["added_tokens"] if cleaned.normalize_str(token["content"]) == token["content"]
    ]
    twin = Tokenizer.from_str(json.dumps(content))
    twin.normalizer = normalizers.Sequence([*rules, *own])
    if tokenizer.strip_sep_token:
        twin.post_processor = _without_separator(tokenizer, twin)
    return twin


def _without_separator(tokenizer: Any, twin: Tokenizer) -> processors.PostProcessor:
    """The template of a tokenizer with id 0 in the place of its separator, as open_clip does for CLIPA."""
    framed = twin.encode("a")
    separator = int(tokenizer.tokenizer.sep_token_id)
    parts = [
        "$A" if not special else (cast(str, twin.id_to_token(0 if index == separator else index)))
        for index, special in zip(framed.ids, framed.special_tokens_mask, strict=True)
    ]
    parts = list(dict.fromkeys(parts))
    return processors.TemplateProcessing(
        single=" ".join(parts),
        special_tokens=[(part, twin.token_to_id(part)) for part in parts if part != "$A"],
    )
