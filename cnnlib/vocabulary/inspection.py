"""Attribution methods: maps of the pixels that the score of a class depends on."""

from __future__ import annotations

from dataclasses import dataclass

from cnnlib.vocabulary.entry import Entry, table

_GRADIENT_LEGEND = (
    "Red: a brighter pixel would raise the score. Blue: a darker pixel would raise the score."
)


@dataclass(frozen=True, slots=True)
class AttributionMethod(Entry):
    """An attribution method.

    Args:
        function: Its name in `cnnlib.probe.attribution.methods`.
        help: What it computes, after its label.
        legend: What the colours of its map mean.
        source: Where it was published.
        is_signed: Whether its values are contributions to the score, so that a pixel with a
            negative value is unimportant. If not, large values of either sign are important.
        is_complete: Whether its values add up to the score minus that of a grey picture.
    """

    function: str
    help: str
    legend: str
    source: str
    is_signed: bool = False
    is_complete: bool = False


ATTRIBUTION_METHODS = table(
    AttributionMethod(
        "saliency",
        "Saliency",
        "saliency",
        "the gradient of the score",
        _GRADIENT_LEGEND,
        "Simonyan, Vedaldi and Zisserman, 2014",
    ),
    AttributionMethod(
        "integrated",
        "Integrated gradients",
        "integrated",
        "the mean gradient on the way from a grey picture to this one, times the picture",
        "Red pixels raise the score, compared with a grey picture. Blue pixels lower it.",
        "Sundararajan et al., 2017",
        is_signed=True,
        is_complete=True,
    ),
    AttributionMethod(
        "occlusion",
        "Occlusion",
        "occlusion",
        "how much the score falls when a patch is covered with grey",
        "Covering a red pixel lowers the score. Covering a blue pixel raises it.",
        "Zeiler and Fergus, 2014",
        is_signed=True,
    ),
    AttributionMethod(
        "grad_cam",
        "Grad-CAM",
        "grad_cam",
        "the last feature maps of the network, weighted by their gradients",
        "Bright areas raise the score of the class.",
        "Selvaraju et al., 2017",
        is_signed=True,
    ),
    AttributionMethod(
        "guided",
        "Guided backprop",
        "guided",
        "the gradient without negative parts at each ReLU",
        _GRADIENT_LEGEND,
        "Springenberg et al., 2015",
    ),
)
