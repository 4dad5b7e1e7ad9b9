"""Writes down what somebody said, with Whisper (Radford et al. 2022, arXiv 2212.04356) on one thread."""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DeviceError
from kiosk.web.speech.log_mel import RATE, SECONDS, whisper_log_mel
from kiosk.web.speech.whisper_files import whisper_files

LANGUAGES = (
    *("en", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "tr", "ar", "zh", "ja", "ko"),
    *("da", "sv", "no", "fi", "cs", "uk", "el", "he", "hu", "ro", "hi", "ca"),
)
"""What is listened for, by Whisper's names: the languages that comments are understood in."""

_SHORTEST = 0.3  # seconds; less is a slip of the finger
_FRAME = RATE // 20
_QUIET = 10 ** (-50 / 20)  # of the loudest frame; below it nobody spoke into the microphone

_LEAST, _SILENCE = 8, 2
"""Seconds that are read at least, and of silence after what was said. Whisper was trained with 30 seconds of both, and
they take four times as long."""

_NO_SPEECH, _UNSURE, _LOOPING = 0.6, -1.0, 2.4
"""Whisper's own thresholds: the probability of the sign for "nobody speaks", the mean natural logarithm of the signs'
probabilities, and how many times smaller a text becomes that says the same over and over. Any one is enough here."""

_EXPECTED = 5.0  # how many times likelier the language of the page is than what the sound alone says
_MOST_SIGNS = 224  # of 20 seconds of fast speech in any writing


class Recogniser:
    """Writes down what is said; it keeps nothing.

    Raises:
        MissingExtraError: the extra ``speech`` is not installed.
        DeviceError: it cannot be loaded.
    """

    def __init__(self) -> None:
        files = whisper_files()
        try:
            import ctranslate2
            from tokenizers import Tokenizer

            self._ctranslate2 = ctranslate2
            self._tokenizer = Tokenizer.from_str(files.pop("tokenizer.json").decode())
            self._whisper: Any = ctranslate2.models.Whisper(
                "whisper-base", device="cpu", compute_type="int8", intra_threads=1, inter_threads=1, files=files
            )
        except Exception as error:  # of a library that does not fit this computer; whatever it raises
            raise DeviceError(
                f"Whisper cannot be loaded ({type(error).__name__}): install a2m-edge[speech] anew, or set speech ="
                " false in [web]"
            ) from error

    def write_down(self, samples: NDArray[np.float32], language: str | None = None) -> str:
        """The words that are spoken.

        Args:
            samples: float32 [N] in [-1, 1] at ``RATE``.
            language: that is expected (BCP 47), or None.

        Returns:
            the text, empty where nobody speaks or nothing was understood.
        """
        if len(samples) < _SHORTEST * RATE or _loudest(samples) < _QUIET:
            return ""
        seconds = min(SECONDS, max(_LEAST, math.ceil(len(samples) / RATE) + _SILENCE))
        mel = np.ascontiguousarray(whisper_log_mel(samples, seconds)[None])
        heard = self._whisper.encode(self._ctranslate2.StorageView.from_array(mel))
        spoken = self._language(heard, (language or "").split("-")[0])
        prompt = ["<|startoftranscript|>", f"<|{spoken}|>", "<|transcribe|>", "<|notimestamps|>"]
        result = self._whisper.generate(
            heard,
            [[self._tokenizer.token_to_id(sign) for sign in prompt]],
            beam_size=1,
            max_length=2 * _MOST_SIGNS,  # CTranslate2 gives half of it
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        signs = result.sequences_ids[0]
        # The score is a mean over the signs without the one that ends them.
        sure = result.scores[0] * len(signs) / (len(signs) + 1)
        if not signs or result.no_speech_prob > _NO_SPEECH or sure < _UNSURE:
            return ""
        text: str = self._tokenizer.decode(signs, skip_special_tokens=True)
        content = text.encode()
        if len(content) / len(zlib.compress(content)) > _LOOPING:
            return ""
        return text.strip().rstrip("\ufffd")

    def _language(self, heard: Any, expected: str) -> str:
        known = {sign.strip("<|>"): share for sign, share in self._whisper.detect_language(heard)[0]}
        return max(LANGUAGES, key=lambda name: known.get(name, 0.0) * (_EXPECTED if name == expected else 1.0))


def _loudest(samples: NDArray[np.float32]) -> float:
    """Root mean square of the loudest twentieth of a second."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    return float(np.sqrt(np.square(frames).mean(axis=1).max()))
