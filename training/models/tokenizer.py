"""Tokenizers of open_clip in the form that a bundle can hold."""

from __future__ import annotations

from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors


def portable_tokenizer(tokenizer: Any) -> Tokenizer:
    """The same tokenizer in the form of the ``tokenizers`` library.

    Raises:
        ValueError: it is neither a Hugging Face tokenizer nor CLIP's byte-pair encoding.
    """
    backend = getattr(getattr(tokenizer, "tokenizer", None), "backend_tokenizer", None)
    if backend is not None:
        return Tokenizer.from_str(backend.to_str())
    if not hasattr(tokenizer, "bpe_ranks"):
        raise ValueError(f"its tokenizer {type(tokenizer).__name__} has no form that a bundle can hold")
    # CLIP's byte-pair encoding (openai/CLIP, simple_tokenizer.py), without its repair of broken HTML.
    start, end = (tokenizer.decoder[index] for index in (tokenizer.sot_token_id, tokenizer.eot_token_id))
    twin = Tokenizer(
        models.BPE(
            vocab=tokenizer.encoder,
            merges=list(tokenizer.bpe_ranks),
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
            unk_token=end,
        )
    )
    twin.normalizer = normalizers.Sequence(
        [
            normalizers.NFC(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
            normalizers.Lowercase(),
        ]
    )
    pattern = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    twin.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    twin.decoder = decoders.ByteLevel()
    twin.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        special_tokens=[(start, tokenizer.sot_token_id), (end, tokenizer.eot_token_id)],
    )
    return twin
