from typing import Any, ClassVar

import numpy as np

class CIFAR10:
    base_folder: ClassVar[str]
    train_list: ClassVar[list[list[str]]]
    test_list: ClassVar[list[list[str]]]
    meta: ClassVar[dict[str, str]]
    data: np.ndarray
    targets: list[int]
    classes: list[str]
    def __init__(self, root: str, train: bool = ..., **kwargs: Any) -> None: ...

class CIFAR100(CIFAR10): ...
