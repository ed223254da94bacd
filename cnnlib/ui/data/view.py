"""The view of a prepared dataset: counts, pictures, statistics, augmentation, duplicates."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cnnlib.data.image_folder.split_names import SPLITS, TRAIN, VALIDATION
from cnnlib.data.statistics import Duplicates, class_counts, duplicates, size_notes
from cnnlib.errors import CnnlibError
from cnnlib.figures.dataset import class_counts_figure
from cnnlib.records.recipe import Augmentation
from cnnlib.ui.common.components import data_uri
from cnnlib.ui.common.format import count, escape_markdown
from cnnlib.ui.common.messages import fragment, show_error
from cnnlib.ui.common.recipe_form import FIELDS
from cnnlib.ui.common.shared import prepared as open_prepared
from cnnlib.ui.common.viewer import ask
from cnnlib.units import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.data.prepared import Prepared
    from cnnlib.records.dataset import DatasetInfo

PER_PAGE = 60
_VARIANTS = 8
_ALL = "All classes"
_CHANNELS = {1: ("grey",), 3: ("red", "green", "blue")}


def dataset_view(info: DatasetInfo) -> None:
    """Show all panels of a prepared dataset."""
    try:
        data = open_prepared(info.name, info.fingerprint)
    except CnnlibError as error:
        show_error(error)
        return
    counts = class_counts(data)
    figure = class_counts_figure(
        [each.name for each in counts],
        [each.train for each in counts],
        [each.test for each in counts],
        [each.validation for each in counts],
    )
    for sentence in size_notes(info, counts):
        st.markdown(escape_markdown(sentence))
    st.header("Pictures per class")
    st.plotly_chart(figure, key="data_counts", config={"displayModeBar": False})
    st.markdown(describe_statistics(info))
    skipped(data)
    fragment(pictures)(data)
    fragment(augmentation)(data)
    fragment(duplicates_panel)(data)


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


def pictures(data: Prepared) -> None:
    """Show a grid of pictures of one split and one class or all, page by page."""
    st.header("Pictures")
    with st.container(horizontal=True):
        split = st.segmented_control(
            "Split",
            [split for split in SPLITS if split != VALIDATION or data.info.validation_count],
            default=TRAIN,
            required=True,
            key="data_split",
            help="A network learns from the train split. A validation split is measured after each "
            "epoch, the test split at the end.",
        )
        selected = st.selectbox("Class", [_ALL, *data.info.classes], key="data_class", width=200)
        images, labels = data.split_arrays(split)
        indices = np.arange(len(labels))
        if selected != _ALL:
            indices = np.flatnonzero(labels == data.info.classes.index(selected))
        pages = max(1, -(-len(indices) // PER_PAGE))
        page = st.number_input(f"Page (of {count(pages)})", 1, pages, key="data_page", width=130)
    shown = indices[(page - 1) * PER_PAGE : page * PER_PAGE]
    if not len(shown):
        st.caption("This split has no pictures of this class.")
        return
    names = [f"{data.info.classes[labels[i]]}, number {i}" for i in shown]
    st.html(grid_html([images[i] for i in shown], names))


def grid_html(images: Sequence[np.ndarray], names: Sequence[str], per_row: int = 0) -> str:
    """Build the HTML of a grid of pictures with their names as tooltips.

    Args:
        per_row: Pictures in a row; 0 fits as many as there is room for.
    """
    tiles = "".join(
        f'<img src="{data_uri(np.asarray(image))}" alt="{html.escape(name)}" '
        f'title="{html.escape(name)}" style="width:100%;aspect-ratio:1;'
        'image-rendering:pixelated;border-radius:3px;display:block">'
        for image, name in zip(images, names, strict=True)
    )
    tracks = f"{per_row},minmax(0,64px)" if per_row else "auto-fill,minmax(52px,1fr)"
    columns = f"grid-template-columns:repeat({tracks})"
    return f'<div class="grid" style="display:grid;gap:0.25rem;{columns}">{tiles}</div>'


def augmentation(data: Prepared) -> None:
    """Show a few training pictures, each with random augmentations."""
    st.header("Augmentation")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        flip = st.toggle("Mirror", key="data_flip", help=FIELDS["flip"].help)
        shift = st.slider(
            "Shift (pixels)", 0, 8, 2, key="data_shift", width=180, help=FIELDS["shift"].help
        )
        cutout = st.slider(
            "Cutout (pixels)", 0, 16, 0, key="data_cutout", width=180, help=FIELDS["cutout"].help
        )
        seed = st.number_input("Seed", 1, 10_000, key="data_seed", width=130, help=_SEED_HELP)
    changed = augmented(data, Augmentation(flip, shift, cutout), seed)
    names = [
        f"Variant {i % _VARIANTS}" if i % _VARIANTS else "Original" for i in range(len(changed))
    ]
    st.caption(
        "The first picture of each row is the original. The others are random variants of it: with "
        "augmentation, a training uses a new variant of each picture in each epoch."
    )
    st.html(grid_html(list(changed), names, per_row=_VARIANTS))


_SEED_HELP = "Start value of the random numbers: another seed gives other variants."


def augmented(data: Prepared, options: Augmentation, seed: int) -> np.ndarray:
    """Augment three pictures; each comes first unchanged: N x C x H x W, uint8."""
    originals = np.array(data.train_images[:3])
    return ask("augmented", originals, data.info, options, seed, _VARIANTS)


def duplicates_panel(data: Prepared) -> None:
    """Show pictures that occur more than once, after a press of the button."""
    st.header("Duplicates")
    key = f"data_doubles_{data.info.fingerprint}"
    if st.button("Find identical pictures", icon=":material/content_copy:", key="data_doubles"):
        st.session_state[key] = True
    if not st.session_state.get(key):
        st.caption(
            "If test pictures are also training pictures, the measured accuracy is too high."
        )
        return
    with st.spinner("Comparing all pictures"):
        found = _find_duplicates(data.info.name, data.info.fingerprint)
    st.markdown(describe_duplicates(found))
    if found.across:
        pairs = found.across[: PER_PAGE // 2]
        images = [x for a, b in pairs for x in (data.train_images[a], data.test_images[b])]
        names = [name for a, b in pairs for name in (f"training picture {a}", f"test picture {b}")]
        st.html(grid_html(images, names))


@st.cache_data(show_spinner=False, max_entries=16)
def _find_duplicates(name: str, fingerprint: str) -> Duplicates:
    return duplicates(open_prepared(name, fingerprint))


def describe_duplicates(found: Duplicates) -> str:
    """Describe the numbers of duplicates, in sentences."""
    return (
        f"Test pictures that are also training pictures: **{count(len(found.across))}**. "
        f"Repeated pictures in the train split: {count(found.train_repeats)}, in the test split: "
        f"{count(found.test_repeats)}. Identical training pictures with different classes: "
        f"{count(len(found.contradictions))}."
    )
