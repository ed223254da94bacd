"""The built-in datasets with their files, and how own pictures are fitted into a square."""

from __future__ import annotations

from dataclasses import dataclass

from cnnlib.vocabulary.entry import Entry, table

DIGITS = tuple("0123456789")
FASHION = tuple(
    "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(",")
)
CIFAR10 = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
CIFAR100 = tuple(
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus "
    "butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch "
    "crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo "
    "keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse "
    "mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy "
    "porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper "
    "snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television "
    "tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm".split()
)

# What a folder of a user's own dataset can be, with the words of forms and tables.
FOLDER_ROLES = {
    "train": "training pictures",
    "validation": "validation pictures",
    "test": "test pictures",
    "class": "a class",
    "part": "part of a class",
    "group": "a group of folders",
    "unused": "not used",
}


@dataclass(frozen=True, slots=True)
class Fit(Entry):
    """How a picture that is not square is fitted into a square.

    Args:
        help: What it does, after its label.
        note: What was done to the pictures of a prepared dataset.
    """

    help: str
    note: str


CROP, PAD, STRETCH = "crop", "pad", "stretch"
FITS = table(
    Fit(
        CROP,
        "Centre crop",
        "keeps the centred square and cuts off the rest",
        "cropped to a centred square",
    ),
    Fit(
        PAD,
        "Pad",
        "keeps the whole picture and its shape, and fills the square with the colour of its edge",
        "padded to a square with the colour of their edge",
    ),
    Fit(
        STRETCH,
        "Stretch",
        "keeps the whole picture, and changes its shape to a square",
        "stretched to a square",
    ),
)


@dataclass(frozen=True)
class RemoteFile:
    """One published file.

    Args:
        md5: The MD5 that torchvision publishes.
        size_bytes: Published size, for the progress bar; a download more than twice as large fails.
        urls: Mirrors, in the order in which they are tried.
    """

    name: str
    md5: str
    size_bytes: int
    urls: tuple[str, ...]


@dataclass(frozen=True)
class BuiltinDataset:
    """A built-in dataset.

    Args:
        form: Format of its files: "idx" (MNIST's), "cifar" (pickles), "scikit-learn".
        folder: torchvision's folder of the unpacked files, relative to the data folder.
        files: Files to download; empty for a dataset that is part of a package.
    """

    name: str
    title: str
    form: str
    in_size: tuple[int, int, int]
    classes: tuple[str, ...]
    train_count: int
    test_count: int
    folder: str = ""
    files: tuple[RemoteFile, ...] = ()
    note: str = ""

    @property
    def download_bytes(self) -> int:
        """Total size of the published files."""
        return sum(file.size_bytes for file in self.files)


IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_MNIST_MD5 = (
    "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "d53e105ee54ea40749a09fcbcd1e9432",
    "9fb629c4189551a2d022fa330f9573f3",
    "ec29112dd5afa0611ce80d1b7f02629c",
)
_FASHION_MD5 = (
    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "25c81989df183df01b3e8a0aad5dffbe",
    "bef4ecab320f06d8554ea6380940ec79",
    "bb300cfdad3c16e7a12a480ee83cd310",
)
_MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
_FASHION_MIRRORS = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)


def _idx_files(
    mirrors: tuple[str, ...], md5s: tuple[str, ...], sizes: tuple[int, ...]
) -> tuple[RemoteFile, ...]:
    return tuple(
        RemoteFile(f"{name}.gz", md5, size, tuple(f"{mirror}{name}.gz" for mirror in mirrors))
        for name, md5, size in zip(IDX_NAMES, md5s, sizes, strict=True)
    )


def _cifar_files(name: str, md5: str, size: int) -> tuple[RemoteFile, ...]:
    return (RemoteFile(name, md5, size, (f"https://www.cs.toronto.edu/~kriz/{name}",)),)


_ALL = (
    BuiltinDataset(
        name="digits",
        title="Digits (scikit-learn)",
        form="scikit-learn",
        in_size=(1, 28, 28),
        classes=DIGITS,
        train_count=1438,
        test_count=359,
        note="8x8 pictures, enlarged to 20x20 (bicubic) and centred on 28x28 pixels. "
        "CNN Lab made the test split.",
    ),
    BuiltinDataset(
        name="mnist",
        title="MNIST",
        form="idx",
        in_size=(1, 28, 28),
        classes=DIGITS,
        train_count=60_000,
        test_count=10_000,
        folder="MNIST/raw",
        files=_idx_files(_MNIST_MIRRORS, _MNIST_MD5, (9_912_422, 28_881, 1_648_877, 4_542)),
    ),
    BuiltinDataset(
        name="fashion-mnist",
        title="Fashion-MNIST",
        form="idx",
        in_size=(1, 28, 28),
        classes=FASHION,
        train_count=60_000,
        test_count=10_000,
        folder="FashionMNIST/raw",
        files=_idx_files(_FASHION_MIRRORS, _FASHION_MD5, (26_421_880, 29_515, 4_422_102, 5_148)),
    ),
    BuiltinDataset(
        name="cifar10",
        title="CIFAR-10",
        form="cifar",
        in_size=(3, 32, 32),
        classes=CIFAR10,
        train_count=50_000,
        test_count=10_000,
        folder="cifar-10-batches-py",
        files=_cifar_files(
            "cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a", 170_498_071
        ),
    ),
    BuiltinDataset(
        name="cifar100",
        title="CIFAR-100",
        form="cifar",
        in_size=(3, 32, 32),
        classes=CIFAR100,
        train_count=50_000,
        test_count=10_000,
        folder="cifar-100-python",
        files=_cifar_files(
            "cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85", 169_001_437
        ),
    ),
)

BUILTIN: dict[str, BuiltinDataset] = {dataset.name: dataset for dataset in _ALL}
