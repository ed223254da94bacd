"""The view of a prepared dataset: contact sheet, augmentation, statistics, unused files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cnnlib.data.statistics import class_counts, size_notes
from cnnlib.errors import CnnlibError
from cnnlib.records.recipe import Augmentation
from cnnlib.records.recipe_link import encode_recipe
from cnnlib.ui.common.components import data_uri, first_of_each_class
from cnnlib.ui.common.format import count, escape_markdown
from cnnlib.ui.common.messages import fragment, show_error
from cnnlib.ui.common.recipe_form import FIELDS
from cnnlib.ui.common.shared import prepared as open_prepared
from cnnlib.ui.common.urls import TRAIN
from cnnlib.ui.common.viewer import ask
from cnnlib.ui.data.sheet import contact_sheet, default_request, open_training
from cnnlib.units import plural

if TYPE_CHECKING:
    from cnnlib.data.prepared import Prepared
    from cnnlib.records.dataset import DatasetInfo

_AUGMENTED, _VARIANTS = 4, 8  # pictures, and how often each is shown
_CHANNELS = {1: ("grey",), 3: ("red", "green", "blue")}


def dataset_view(info: DatasetInfo) -> None:
    """Show all panels of a prepared dataset."""
    try:
        data = open_prepared(info.name, info.fingerprint)
    except CnnlibError as error:
        show_error(error)
        return
    for sentence in size_notes(info, class_counts(data)):
        st.markdown(escape_markdown(sentence))
    fragment(contact_sheet)(data)
    open_training()
    fragment(augmentation)(data)
    st.caption(describe_statistics(info))
    skipped(data)


def describe_statistics(info: DatasetInfo) -> str:
    """Describe mean and standard deviation of each channel in a sentence."""
    parts = [
        f"{name} {mean:.4f} ± {std:.4f}"
        for name, mean, std in zip(_CHANNELS[info.in_size[0]], info.mean, info.std, strict=True)
    ]
    return (
        "Mean ± standard deviation of the pixel values of all training pictures, on a scale from 0 "
        f"to 1: {', '.join(parts)}."
    )


def skipped(data: Prepared) -> None:
    """Show how many files are not used, and the first of them with the reason."""
    if not data.skipped:
        return
    total = int(data.info.source.get("skipped", len(data.skipped)))
    with st.expander(f"{plural(total, 'file')} not used"):
        if total > len(data.skipped):
            st.caption(f"The first {count(len(data.skipped))} of them:")
        st.dataframe(
            [{"File": each.path, "Reason": each.reason} for each in data.skipped], hide_index=True
        )


def augmentation(data: Prepared) -> None:
    """Show a few training pictures before and after random augmentations."""
    st.header("Augmentation: before and after")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        flip = st.toggle("Mirror", key="data_flip", help=FIELDS["flip"].help)
        shift = st.slider(
            "Shift (pixels)", 0, 8, 2, key="data_shift", width=180, help=FIELDS["shift"].help
        )
        cutout = st.slider(
            "Cutout (pixels)", 0, 16, 0, key="data_cutout", width=180, help=FIELDS["cutout"].help
        )
        seed = st.number_input("Seed", 1, 10_000, key="data_seed", width=130, help=_SEED_HELP)
    chosen = Augmentation(flip, shift, cutout)
    st.html(before_and_after_html(augmented(data, chosen, seed)))
    st.caption(
        "With augmentation, a training uses a new random variant of each picture in each epoch. It "
        "helps if the variants still look like pictures of their class: a mirrored 2 does not."
    )
    recipe = default_request(data.info).recipe
    st.page_link(
        TRAIN,
        label="Next: train with this augmentation",
        icon=":material/play_arrow:",
        query_params={
            "dataset": data.info.name,
            "recipe": encode_recipe(replace(recipe, augmentation=chosen)),
        },
    )


def before_and_after_html(pictures: np.ndarray) -> str:
    """Build a table: a row for each original, then its variants.

    Args:
        pictures: N x C x H x W, uint8, each original followed by its variants.
    """
    rows = "".join(
        f"<tr><td>{_picture_html(row[0], 'before')}</td>"
        + "".join(f"<td>{_picture_html(each, 'after')}</td>" for each in row[1:])
        + "</tr>"
        for row in pictures.reshape(-1, _VARIANTS, *pictures.shape[1:])
    )
    heads = f'<th scope="col">Before</th><th scope="colgroup" colspan="{_VARIANTS - 1}">After</th>'
    return f'<table class="augmented"><tr>{heads}</tr>{rows}</table>'


def _picture_html(picture: np.ndarray, when: str) -> str:
    return f'<img src="{data_uri(picture)}" alt="A picture {when} augmentation">'


_SEED_HELP = "Start value of the random numbers: another seed gives other variants."


def augmented(data: Prepared, options: Augmentation, seed: int) -> np.ndarray:
    """Augment a picture of each of the first classes; each comes first unchanged.

    Returns:
        N x C x H x W, uint8.
    """
    shown = first_of_each_class(data.train_labels, min(_AUGMENTED, len(data.info.classes)))
    return ask("augmented", np.array(data.train_images[shown]), data.info, options, seed, _VARIANTS)
