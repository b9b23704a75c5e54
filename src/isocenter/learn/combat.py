"""ComBat: takes the effect of the site out of features, fitted on the training part of a fold only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError

__all__ = ["Combat", "fit_combat"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Combat:
    """A fitted harmonisation.

    Attributes
    ----------
    sites
        Those of the training cases.
    mean, spread
        Of each feature over all sites, shape (features,).
    shift, scale
        Effect of each site, in units of `spread`, shape (sites, features).
    covariates
        Slopes of what is to be kept (age, sex ...), shape (covariates, features).
    centre
        Mean of the covariates, shape (covariates,).
    """

    sites: tuple[str, ...]
    mean: FloatArray
    spread: FloatArray
    shift: FloatArray
    scale: FloatArray
    covariates: FloatArray
    centre: FloatArray

    def __call__(self, values: npt.ArrayLike, sites: npt.ArrayLike, keep: npt.ArrayLike | None = None) -> FloatArray:
        """Return harmonised features.

        Cases of a site that was not trained on are returned as they are: nothing is known of its effect, and estimating it from
        the test cases would let them in.

        Parameters
        ----------
        values
            Shape (n, features).
        sites
            Of each case, shape (n,).
        keep
            Covariates as in the fit, shape (n, covariates).
        """
        x = np.asarray(values, np.float64)
        kept = self._kept(keep, len(x))
        names = np.asarray(sites).astype(str).ravel()
        z = (x - self.mean - kept) / self.spread
        out = x.copy()
        for k, site in enumerate(self.sites):
            mine = names == site
            out[mine] = ((z[mine] - self.shift[k]) / self.scale[k]) * self.spread + self.mean + kept[mine]
        return out

    def _kept(self, keep: npt.ArrayLike | None, n: int) -> FloatArray:
        if not self.centre.size:
            return np.zeros((n, self.mean.size))
        if keep is None:
            raise ContentError("This harmonisation was fitted with covariates: expected theirs for the new cases as well.")
        return np.asarray((np.asarray(keep, np.float64).reshape(n, -1) - self.centre) @ self.covariates)


def fit_combat(values: npt.ArrayLike, sites: npt.ArrayLike, keep: npt.ArrayLike | None = None) -> Combat:
    """Fit ComBat with empirical Bayes shrinkage of the effect of each site.

    Parameters
    ----------
    values
        Features of the training cases, shape (n, features), without NaN.
    sites
        Scanner or hospital of each, shape (n,).
    keep
        Covariates whose effect belongs to the patients and must stay, shape (n, covariates). Never the label: it would leak.

    Raises
    ------
    ContentError
        If fewer than two sites have two cases each, or values are not finite.

    References
    ----------
    Johnson, Li and Rabinovic. Adjusting batch effects in microarray expression data using empirical Bayes methods. Biostatistics 8
    (2007) 118-127; Fortin et al. Harmonization of cortical thickness measurements. NeuroImage 167 (2018) 104-120.
    """
    x = np.asarray(values, np.float64)
    names, code, counts = np.unique(np.asarray(sites).astype(str).ravel(), return_inverse=True, return_counts=True)
    if not np.isfinite(x).all():
        raise ContentError(
            "Features to harmonise hold NaN or infinities: expected missing values to be filled in the fold first."
        )
    # A site with a single case: its effect and its patient cannot be told apart, so it is treated like a site never seen.
    fit = counts[code] >= 2
    if np.unique(code[fit]).size < 2:
        raise ContentError("Fewer than two sites have two training cases each: there is no effect of the site to take out.")
    extra = np.zeros((len(x), 0)) if keep is None else np.asarray(keep, np.float64).reshape(len(x), -1)
    x, extra = x[fit], extra[fit]
    names, code, counts = np.unique(names[code[fit]], return_inverse=True, return_counts=True)
    onehot = np.eye(names.size)[code]
    centre = extra.mean(axis=0)
    beta = np.linalg.lstsq(np.concatenate([onehot, extra - centre], axis=1), x, rcond=None)[0]
    grand = (counts / len(x)) @ beta[: names.size]
    slopes = beta[names.size :]
    kept = (extra - centre) @ slopes
    residual = x - onehot @ beta[: names.size] - kept
    spread = np.sqrt((residual**2).mean(axis=0))
    spread = np.where(spread > 1e-12, spread, 1.0)
    z = (x - grand - kept) / spread
    shift, scale = np.zeros((names.size, x.shape[1])), np.ones((names.size, x.shape[1]))
    for k in range(names.size):
        shift[k], scale[k] = _shrunk(z[code == k])
    return Combat(tuple(map(str, names)), grand, spread, shift, scale, slopes, centre)


def _shrunk(z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return posterior shift and scale of one site: each feature's own, drawn towards what all features show."""
    n = len(z)
    own, variance = z.mean(axis=0), np.maximum(z.var(axis=0, ddof=1), 1e-8)
    prior, tau = own.mean(), max(float(own.var(ddof=1)) if own.size > 1 else 1.0, 1e-8)
    m, s = variance.mean(), max(float(variance.var(ddof=1)) if own.size > 1 else 1.0, 1e-8)
    a, b = (2 * s + m**2) / s, (m * s + m**3) / s
    shift, squared = own.copy(), variance.copy()
    for _ in range(200):
        new = (n * tau * own + squared * prior) / (n * tau + squared)
        total = ((z - new) ** 2).sum(axis=0)
        fresh = (b + total / 2.0) / (n / 2.0 + a - 1.0)
        change = max(float(np.abs(new - shift).max()), float(np.abs(fresh - squared).max()))
        shift, squared = new, fresh
        if change < 1e-8:
            break
    return shift, np.sqrt(squared)
