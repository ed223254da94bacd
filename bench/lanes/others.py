"""Lanes of PyTorch Lightning, skorch and Keras 3, written as in their own guides.

Each framework has its own training loop; `_step_by_step` runs the loop in a thread and makes an
iterator of it.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from bench.lanes import LR, Workload
from bench.lanes.ours import prepared_dataset
from bench.lanes.texts import dataset, loader
from cnnlib.design.plan import plan
from cnnlib.design.presets import preset
from cnnlib.nets.model import build_model

if TYPE_CHECKING:
    from cnnlib.design.layers import AnyLayer
    from cnnlib.records.folders import Folders

ReportBatch = Callable[[int], None]


def lightning(workload: Workload, folders: Folders) -> Iterator[int]:
    """A ``LightningModule`` and a ``Trainer``, with the ``DataLoader`` of the texts."""
    import lightning as L

    class LitNet(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = build_model(preset(workload.net).spec)

        def training_step(self, batch, batch_idx):
            images, labels = batch
            loss = nn.functional.cross_entropy(self.model(images), labels)
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=LR)

    def fit(report_batch: ReportBatch) -> None:
        class Count(L.Callback):
            def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
                report_batch(len(batch[1]))

        torch.set_num_threads(workload.threads)
        quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
        trainer = L.Trainer(
            max_epochs=-1,
            accelerator="cpu",
            callbacks=[Count()],
            enable_checkpointing=False,
            **quiet,
        )
        trainer.fit(LitNet(), loader(workload, folders))

    return _step_by_step(fit)


def skorch(workload: Workload, folders: Folders) -> Iterator[int]:
    """A ``NeuralNetClassifier`` on a torch dataset."""
    from skorch import NeuralNetClassifier
    from skorch.callbacks import Callback

    def fit(report_batch: ReportBatch) -> None:
        class Count(Callback):
            def on_batch_end(self, net, batch=None, training=None, **_):
                report_batch(len(batch[1]))

        torch.set_num_threads(workload.threads)
        classifier = NeuralNetClassifier(
            build_model(preset(workload.net).spec),
            criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.SGD,
            lr=LR,
            batch_size=workload.batch_size,
            max_epochs=1_000,
            iterator_train__shuffle=True,
            train_split=None,
            callbacks=[Count()],
            verbose=0,
        )
        classifier.fit(dataset(workload, folders), y=None)

    return _step_by_step(fit)


def keras(workload: Workload, folders: Folders) -> Iterator[int]:
    """``compile`` and ``fit`` on arrays of the whole dataset, torch underneath."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras as K

    def fit(report_batch: ReportBatch) -> None:
        class Count(K.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                report_batch(workload.batch_size)

        torch.set_num_threads(workload.threads)
        images, labels = _arrays(workload, folders)
        model = _keras_net(K, workload.net)
        model.compile(
            optimizer=K.optimizers.SGD(LR),
            loss=K.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        model.fit(
            images,
            labels,
            batch_size=workload.batch_size,
            epochs=1_000,
            verbose=0,
            callbacks=[Count()],
        )

    return _step_by_step(fit)


def _arrays(workload: Workload, folders: Folders) -> tuple[np.ndarray, np.ndarray]:
    """N x H x W x C float32 in 0..1, and N labels, as Keras' guides load them."""
    prepared = prepared_dataset(workload.dataset(folders), folders)
    images = prepared.train_images.transpose(0, 2, 3, 1).astype("float32") / 255
    return images, np.array(prepared.train_labels)


def _keras_net(K, net: str):
    """The preset's plan in Keras' own layers."""
    planned = plan(preset(net).spec)
    channels, height, width = planned.spec.in_size
    image = K.Input((height, width, channels))
    return K.Model(image, _keras_chain(K, planned.layers, image))


def _keras_chain(K, layers: Sequence[AnyLayer], x):
    for layer in layers:
        if layer.kind == "residual":
            main, shortcut = (_keras_chain(K, path, x) for path in (layer.main, layer.shortcut))
            x = K.layers.ReLU()(K.layers.Add()([main, shortcut]))
        else:
            for part in _keras_layers(K, layer):
                x = part(x)
    return x


def _keras_layers(K, leaf: AnyLayer) -> list:
    """The Keras layers of one leaf, for the kinds of layer in the presets."""
    match leaf.kind:
        case "conv2d":
            pad = [K.layers.ZeroPadding2D(leaf.padding)] if leaf.padding else []
            conv = K.layers.Conv2D(
                leaf.out_shape[0], leaf.kernel_size, leaf.stride, use_bias=leaf.bias
            )
            return [*pad, conv]
        case "norm":
            return [K.layers.BatchNormalization()]
        case "activation":
            return [K.layers.ReLU()]
        case "pool":
            return [K.layers.MaxPooling2D(leaf.kernel_size, leaf.stride)]
        case "global_avg_pool":
            return [K.layers.GlobalAveragePooling2D()]
        case "flatten":
            return [K.layers.Flatten()]
        case "linear":
            return [K.layers.Dense(leaf.out_features)]
    raise ValueError(f"{leaf.kind} is in none of the presets that are compared")


def _step_by_step(fit: Callable[[ReportBatch], None]) -> Generator[int]:
    """Run ``fit`` in a thread that waits after each batch for the next call of ``next``."""
    batches: queue.Queue[int] = queue.Queue()
    turn = threading.Semaphore(0)

    def report_batch(images: int) -> None:
        batches.put(images)
        turn.acquire()

    threading.Thread(target=fit, args=(report_batch,), daemon=True).start()
    while True:
        yield batches.get()
        turn.release()
