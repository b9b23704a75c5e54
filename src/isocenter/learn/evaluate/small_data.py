"""Does a model that was trained on few images learn something, or memorise: the information plane of its layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError

__all__ = [
    "InformationPoint",
    "SmallDataVerdict",
    "gram_matrix",
    "information_plane",
    "judge",
    "mutual_information",
    "renyi_entropy",
]

FloatArray = npt.NDArray[np.float64]


def gram_matrix(values: npt.ArrayLike, sigma: float | None = None) -> FloatArray:
    """Return the normalised Gaussian Gram matrix of samples: symmetric, trace 1.

    Parameters
    ----------
    values
        One row for each sample, shape (n, features). Whole numbers of one column are taken as class labels: equal or not.
    sigma
        Width of the kernel; Silverman's rule on the samples' spread when None.

    References
    ----------
    Sanchez Giraldo, Rao and Principe. Measures of entropy from data using infinitely divisible kernels. IEEE Transactions on
    Information Theory 61 (2015) 535-548.
    """
    given = np.asarray(values)
    x = given.reshape(len(given), -1)
    if len(x) < 2:
        raise ContentError(f"Information between {len(x)} samples: expected two or more.")
    if np.issubdtype(given.dtype, np.integer) and x.shape[1] == 1:
        return np.asarray((x == x.T).astype(np.float64) / len(x))
    x = x.astype(np.float64)
    square = np.maximum(((x[:, None] - x[None]) ** 2).sum(axis=2), 0.0) if x.shape[1] < 64 else _distances(x)
    if sigma is None:
        spread = np.sqrt(square[np.triu_indices(len(x), 1)].mean() / 2.0)
        sigma = float(max(spread, 1e-12) * len(x) ** (-1.0 / (4.0 + min(x.shape[1], 12))))
    return np.asarray(np.exp(-square / (2.0 * sigma * sigma)) / len(x))


def _distances(x: FloatArray) -> FloatArray:
    norm = (x**2).sum(axis=1)
    square = norm[:, None] + norm[None] - 2.0 * x @ x.T
    np.fill_diagonal(square, 0.0)
    return np.asarray(np.maximum(square, 0.0))


def renyi_entropy(gram: FloatArray, alpha: float = 1.01) -> float:
    """Return the matrix-based entropy of order alpha in bits: log2 n for n distinct samples, 0 for equal ones.

    Parameters
    ----------
    gram
        Symmetric with trace 1, shape (n, n).
    alpha
        Order; close to 1 approaches Shannon's.
    """
    eigenvalues = np.clip(np.linalg.eigvalsh(gram), 0.0, None)
    eigenvalues /= eigenvalues.sum()
    return float(np.log2((eigenvalues[eigenvalues > 0] ** alpha).sum()) / (1.0 - alpha))


def mutual_information(first: FloatArray, second: FloatArray, alpha: float = 1.01) -> float:
    """Return the information in bits that two sets of the same samples share: H(A) + H(B) - H(A, B).

    Parameters
    ----------
    first, second
        Gram matrices of the same samples.
    alpha
        Order of the entropy.
    """
    joint = first * second
    joint = joint / np.trace(joint)
    return renyi_entropy(first, alpha) + renyi_entropy(second, alpha) - renyi_entropy(joint, alpha)


@dataclass(frozen=True)
class InformationPoint:
    """One layer at one time of the training.

    Attributes
    ----------
    layer, epoch
        Where and when.
    about_input, about_label
        Mutual information of the layer's activations with the input and with the label, in bits.
    """

    layer: str
    epoch: int
    about_input: float
    about_label: float


def information_plane(
    inputs: npt.ArrayLike, labels: npt.ArrayLike, activations: Sequence[tuple[str, int, npt.ArrayLike]]
) -> tuple[InformationPoint, ...]:
    """Return the path of each layer in the information plane, on samples that did not train the model.

    Parameters
    ----------
    inputs
        Shape (n, features).
    labels
        Class indices, shape (n,).
    activations
        (layer, epoch, values of shape (n, units)).

    References
    ----------
    Tishby and Zaslavsky. Deep learning and the information bottleneck principle. IEEE ITW 2015.
    """
    of_input = gram_matrix(np.asarray(inputs, np.float64))
    of_label = gram_matrix(np.asarray(labels, np.int64)[:, None])
    points = []
    for layer, epoch, values in activations:
        gram = gram_matrix(np.asarray(values, np.float64))
        points.append(InformationPoint(layer, epoch, mutual_information(of_input, gram), mutual_information(gram, of_label)))
    return tuple(points)


@dataclass(frozen=True)
class SmallDataVerdict:
    """Whether the plane looks like learning.

    Attributes
    ----------
    generalises
        True where the last layer's information about held-out labels is beyond what shuffled labels give.
    compresses
        True where the information about the input falls from its peak by a tenth or more: not needed, but reassuring.
    about_label, chance
        Bits about the held-out labels, and the 95th percentile of the same with shuffled labels.
    sentence
        The same in words.
    """

    generalises: bool
    compresses: bool
    about_label: float
    chance: float
    sentence: str


def judge(
    inputs: npt.ArrayLike,
    labels: npt.ArrayLike,
    activations: Sequence[tuple[str, int, npt.ArrayLike]],
    *,
    shuffles: int = 100,
    seed: int = 0,
) -> SmallDataVerdict:
    """Judge the training of a model on few data by the information plane of held-out samples.

    Parameters
    ----------
    inputs, labels, activations
        As for `information_plane`; the last entry is the last layer at the end of training.
    shuffles, seed
        Permutations of the labels that give the chance level, and their choice.

    References
    ----------
    Hernandez-Guedes et al. on small-data thermogram models and their information plane (system 20 of the source documents).
    """
    if not activations:
        raise ContentError("No activations to judge: expected one layer or more.")
    plane = information_plane(inputs, labels, activations)
    layer = activations[-1][0]
    path = [p.about_input for p in plane if p.layer == layer]
    compresses = len(path) > 1 and path[-1] <= 0.9 * max(path)
    gram = gram_matrix(np.asarray(activations[-1][2], np.float64))
    y = np.asarray(labels, np.int64)
    generator = np.random.default_rng(seed)
    by_chance = [mutual_information(gram, gram_matrix(generator.permutation(y)[:, None])) for _ in range(shuffles)]
    chance, found = float(np.quantile(by_chance, 0.95)), plane[-1].about_label
    generalises = found > chance
    words = "knows more of the held-out labels than chance" if generalises else "knows no more of the held-out labels than chance"
    sentence = f"The last layer {words} ({found:.2f} bits; shuffled labels reach {chance:.2f})."
    if not generalises:
        sentence += " What it gained in training is memory of the training images: reject it, or bring more data."
    return SmallDataVerdict(generalises, compresses, found, chance, sentence)
