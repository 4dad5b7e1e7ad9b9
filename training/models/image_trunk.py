"""The image trunk of ``a2m-s``: MobileNetV2 that also gives statistics of its lower layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

IMAGE_TRUNK = "mobilenetv2_100_stages"
"""Its name in a configuration of open_clip, once ``register_image_trunks`` has made it known to timm."""


class StagedMobileNet(nn.Module):
    """MobileNetV2 1.0 whose features are those of its last layer and the mean and deviation of each stage.

    The last layer tells what is shown; how it is painted, its colours, contrasts and textures, is in the moments of the
    stages below, as in the statistics that describe style (Gatys et al. 2016; Huang & Belongie 2017). The features are
    standardised by ``standard``, whose moments a training sets; without one they pass unchanged.

    Args:
        options: of timm's ``mobilenetv2_100``. It gets TensorFlow's padding, for which its ImageNet weights were
            trained.

    Attributes:
        num_features: how many features there are; the first ``last_features`` are those of the last layer.
    """

    def __init__(self, **options: Any) -> None:
        from timm.models.efficientnet import mobilenetv2_100

        super().__init__()
        network: Any = mobilenetv2_100(pretrained=False, pad_type="same", **options)
        network.reset_classifier(0, "avg")
        self.network = network
        self.default_cfg = network.default_cfg
        self.last_features: int = network.num_features
        self.num_features: int = network.num_features + 2 * sum(_width(stage) for stage in network.blocks)
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
        moments = []
        for stage in self.network.blocks:
            seen = stage(seen)
            places = seen.flatten(2)
            moments += [places.mean(2), places.var(2, correction=0).clamp(min=1e-8).sqrt()]
        last = self.network.forward_head(self.network.bn2(self.network.conv_head(seen)))
        return torch.cat([last, *moments], 1)

    def forward(self, image: Tensor) -> Tensor:
        """Standardised features: float32 [batch, 3, height, width] -> float32 [batch, num_features]."""
        standardised: Tensor = self.standard(self.pooled(image))
        return standardised


def register_image_trunks() -> None:
    """Makes the trunk known to timm in this process, and MobileNetV2 with the same padding but its last layer alone,
    which the checkpoint of the default bundle has."""
    from timm.models import register_model
    from timm.models.efficientnet import mobilenetv2_100

    def mobilenetv2_100_stages(pretrained: bool = False, **options: Any) -> nn.Module:
        """See ``StagedMobileNet``."""
        return StagedMobileNet(**options)

    def mobilenetv2_100_same(pretrained: bool = False, **options: Any) -> nn.Module:
        """The last layer alone."""
        model: nn.Module = mobilenetv2_100(pretrained=False, pad_type="same", **options)
        return model

    register_model(mobilenetv2_100_stages)
    register_model(mobilenetv2_100_same)


def _width(stage: nn.Module) -> int:
    """Channels that a stage gives."""
    return [module for module in stage.modules() if isinstance(module, nn.BatchNorm2d)][-1].num_features
