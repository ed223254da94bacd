"""The lane of the course texts: a ``DataLoader`` that converts each picture to a tensor."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import datasets, transforms

from bench.lanes import LR, Workload, cifar10
from bench.lanes.ours import prepared_dataset
from cnnlib.design.presets import preset
from cnnlib.nets.model import build_model

if TYPE_CHECKING:
    from cnnlib.records.folders import Folders

MNIST_STATISTICS = (0.1307,), (0.3081,)
CIFAR_STATISTICS = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
Transform = Callable[[Image.Image], Tensor]


class Cifar(Dataset):
    """The same steps per picture as ``torchvision.datasets.CIFAR10``, on the prepared copy."""

    def __init__(self, folders: Folders, transform: Transform) -> None:
        prepared = prepared_dataset(cifar10(folders), folders)
        self.images = np.ascontiguousarray(prepared.train_images.transpose(0, 2, 3, 1))
        self.labels = prepared.train_labels.tolist()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), self.labels[index]


def dataset(workload: Workload, folders: Folders) -> Dataset:
    """The training pictures with the transforms of the texts."""
    is_mnist = workload.dataset(folders) == "mnist"
    mean, std = MNIST_STATISTICS if is_mnist else CIFAR_STATISTICS
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])
    if is_mnist:
        return datasets.MNIST(folders.data, train=True, transform=transform)
    return Cifar(folders, transform)


def loader(workload: Workload, folders: Folders) -> DataLoader:
    """Shuffled batches."""
    return DataLoader(dataset(workload, folders), batch_size=workload.batch_size, shuffle=True)


def texts(workload: Workload, folders: Folders) -> Generator[int]:
    """Train epoch after epoch, and add up the mean loss that the texts print."""
    torch.set_num_threads(workload.threads)
    torch.manual_seed(0)
    model = build_model(preset(workload.net).spec)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    train_loader = loader(workload, folders)
    while True:
        running_loss = 0.0
        for images, labels in train_loader:
            optimizer.zero_grad()
            outputs = model(images)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
            yield len(labels)
