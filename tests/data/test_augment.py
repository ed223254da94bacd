"""Augmentation: separate for each picture, drawn from a generator."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cnnlib.data.augment import augment
from cnnlib.records.recipe import Augmentation

GREY = torch.tensor([128, 128, 128], dtype=torch.uint8)


def pictures(count: int = 64, channels: int = 3, height: int = 8, width: int = 6) -> torch.Tensor:
    """Return random bytes from 1 up, so that zeros come from the augmentation only."""
    generator = torch.Generator().manual_seed(1)
    size = (count, channels, height, width)
    return torch.randint(1, 256, size, generator=generator, dtype=torch.uint8)


def changed(images: torch.Tensor, seed: int = 0, **settings) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    fill = GREY[: images.shape[1]]
    return augment(images, Augmentation(**settings), generator, fill)


def test_an_empty_augmentation_returns_the_images_and_draws_no_numbers():
    images, generator = pictures(), torch.Generator().manual_seed(0)
    before = generator.get_state()
    assert augment(images, Augmentation(), generator, GREY) is images
    assert torch.equal(generator.get_state(), before)


def test_about_half_of_the_pictures_are_mirrored_and_the_others_are_not():
    images = pictures(count=1000)
    result = changed(images, flip=True)
    mirrored = (result == images.flip(3)).flatten(1).all(1)
    same = (result == images).flatten(1).all(1)
    assert torch.equal(mirrored, ~same)
    assert 430 < mirrored.sum() < 570  # 500 +- 4.4 standard deviations of 15.8


def test_a_shift_moves_a_picture_over_an_edge_of_zeros():
    images = pictures(count=500)
    result = changed(images, shift=2)
    seen = set()
    for before, after in zip(images.numpy(), result.numpy(), strict=True):
        bordered = np.pad(before, ((0, 0), (2, 2), (2, 2)))
        crops = {
            (y, x)
            for y in range(5)
            for x in range(5)
            if (bordered[:, y : y + 8, x : x + 6] == after).all()
        }
        assert len(crops) == 1
        seen |= crops
    assert len(seen) == 25  # all shifts by -2..2 in both directions occur


def test_a_shift_and_a_mirror_together_are_a_crop_of_a_mirrored_picture():
    images = pictures(count=40)
    for before, after in zip(
        images.numpy(), changed(images, flip=True, shift=1).numpy(), strict=True
    ):
        candidates = [
            np.pad(turned, ((0, 0), (1, 1), (1, 1)))[:, y : y + 8, x : x + 6]
            for turned in (before, before[:, :, ::-1])
            for y in range(3)
            for x in range(3)
        ]
        assert sum((candidate == after).all() for candidate in candidates) == 1


def test_a_cutout_covers_one_square_with_the_fill_in_all_channels():
    images = torch.full((300, 2, 12, 12), 7, dtype=torch.uint8)
    result = changed(images, cutout=4)
    covered = result[:, 0] == 128
    assert torch.equal(covered, result[:, 1] == 128)
    rows, columns = covered.any(2).sum(1), covered.any(1).sum(1)
    assert torch.equal(covered.flatten(1).sum(1), rows * columns)  # a rectangle
    # The centre is any pixel, so that at an edge 2 to 4 of 4 rows remain.
    assert (rows.min(), rows.max()) == (2, 4)
    assert (columns.min(), columns.max()) == (2, 4)
    assert torch.all(result[~covered[:, None].expand_as(result)] == 7)


def test_a_cutout_larger_than_the_picture_leaves_some_of_it_or_nothing():
    result = changed(pictures(count=50, height=4, width=4), cutout=128)
    assert torch.all(result == 128)


def test_each_picture_is_changed_differently():
    one = pictures(count=1).expand(100, -1, -1, -1)
    result = changed(one, flip=True, shift=3, cutout=3)
    assert len(torch.unique(result.flatten(1), dim=0)) > 90


def test_the_same_generator_state_gives_the_same_pictures():
    images, generator = pictures(), torch.Generator().manual_seed(4)
    settings = Augmentation(flip=True, shift=2, cutout=3)
    augment(images, settings, generator, GREY)
    state = generator.get_state()
    first = augment(images, settings, generator, GREY)
    generator.set_state(state)
    assert torch.equal(augment(images, settings, generator, GREY), first)


def test_floats_are_changed_as_bytes_are():
    images = pictures(channels=1)
    settings = {"flip": True, "shift": 2, "cutout": 3}
    assert torch.equal(changed(images.float(), **settings), changed(images, **settings).float())


def test_the_input_pictures_are_not_changed():
    images = pictures()
    before = images.clone()
    changed(images, flip=True, shift=2, cutout=3)
    assert torch.equal(images, before)


@pytest.mark.needs_cuda
def test_a_generator_on_the_cpu_gives_the_same_pictures_on_a_gpu():
    images, settings = pictures(), Augmentation(flip=True, shift=2, cutout=3)
    here = augment(images, settings, torch.Generator().manual_seed(0), GREY)
    there = augment(images.cuda(), settings, torch.Generator().manual_seed(0), GREY.cuda())
    assert torch.equal(there.cpu(), here)
