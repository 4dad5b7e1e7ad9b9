"""The image trunk of ``a2m-s``: a small network that also gives statistics of its lower layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

IMAGE_TRUNK = "efficientnet_lite2_stages"
"""Its name in a configuration of open_clip, once ``register_image_trunks`` has made it known to timm."""


class StagedTrunk(nn.Module):
    """A network of timm's EfficientNet family whose features are the moments of its last layer and of its stages.

    The last layer tells what is shown; how it is painted, its colours, contrasts and textures, is in the moments of the
    stages below, as in the statistics that describe style (Gatys et al. 2016; Huang & Belongie 2017). The features are
    standardised by ``standard``, whose moments a training sets; without one they pass unchanged.

    Args:
        network: of timm, without a classifier.
        first_stage: the lowest stage whose mean and deviation are features.
        last_deviation: whether the deviation of the last layer is one, not its mean alone.

    Attributes:
        num_features: how many features there are.
    """

    network: Any

    def __init__(self, network: nn.Module, first_stage: int = 0, last_deviation: bool = True) -> None:
        super().__init__()
        self.network = network
        self._first_stage, self._last_deviation = first_stage, last_deviation
        self.default_cfg = self.network.default_cfg
        self.num_features: int = self.network.num_features * (2 if last_deviation else 1) + 2 * sum(
            _width(stage) for stage in self.network.blocks[first_stage:]
        )
        self.standard = nn.BatchNorm1d(self.num_features, affine=False)

    def reset_classifier(self, classes: int, global_pool: str = "avg") -> None:
        """As timm's models have it; there is no classifier.

        Raises:
            ValueError: something else than features is asked for.
        """
        if classes or global_pool != "avg":
            raise ValueError("this trunk gives features alone")

    def pooled(self, image: Tensor) -> Tensor:
        """Features as they are: float32 [batch, 3, height, width] -> float32 [batch, num_features]."""
        seen = self.network.bn1(self.network.conv_stem(image))
        moments: list[Tensor] = []
        for number, stage in enumerate(self.network.blocks):
            seen = stage(seen)
            if number >= self._first_stage:
                moments += _moments(seen)
        mean, deviation = _moments(self.network.bn2(self.network.conv_head(seen)))
        return torch.cat([mean, *([deviation] if self._last_deviation else []), *moments], 1)

    def forward(self, image: Tensor) -> Tensor:
        """Standardised features: float32 [batch, 3, height, width] -> float32 [batch, num_features]."""
        standardised: Tensor = self.standard(self.pooled(image))
        return standardised


def register_image_trunks() -> None:
    """Makes the trunks known to timm in this process: that of ``a2m-s``, and those of earlier checkpoints of it."""
    from timm.models import register_model
    from timm.models.efficientnet import mobilenetv2_100, tf_efficientnet_lite2

    def efficientnet_lite2_stages(pretrained: bool = False, **options: Any) -> nn.Module:
        """EfficientNet-Lite2 from its third stage on: what is below told nothing more of held-out pictures."""
        return StagedTrunk(_headless(tf_efficientnet_lite2(pretrained=False, **options)), first_stage=2)

    def mobilenetv2_100_stages(pretrained: bool = False, **options: Any) -> nn.Module:
        """MobileNetV2 with TensorFlow's padding, for which its ImageNet weights were trained."""
        network = _headless(mobilenetv2_100(pretrained=False, pad_type="same", **options))
        return StagedTrunk(network, last_deviation=False)

    def mobilenetv2_100_same(pretrained: bool = False, **options: Any) -> nn.Module:
        """The last layer of the same alone."""
        model: nn.Module = mobilenetv2_100(pretrained=False, pad_type="same", **options)
        return model

    register_model(efficientnet_lite2_stages)
    register_model(mobilenetv2_100_stages)
    register_model(mobilenetv2_100_same)


def _headless(network: Any) -> nn.Module:
    network.reset_classifier(0, "avg")
    headless: nn.Module = network
    return headless


def _moments(layer: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation over the places of a layer, [batch, channels, height, width] -> [batch, channels] each."""
    places = layer.flatten(2)
    return places.mean(2), places.var(2, correction=0).clamp(min=1e-8).sqrt()


def _width(stage: nn.Module) -> int:
    """Channels that a stage gives."""
    return [module for module in stage.modules() if isinstance(module, nn.BatchNorm2d)][-1].num_features
