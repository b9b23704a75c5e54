"""Time to an event: Kaplan-Meier curves, the log-rank test, concordance, time-dependent areas, and Cox's regression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from isocenter.core.errors import ContentError
from isocenter.core.results import Score, Scores
from isocenter.kernels.bootstrap import group_weights, percentile_interval

__all__ = ["Cox", "KaplanMeier", "auc_at", "concordance", "evaluate_survival", "fit_cox", "kaplan_meier", "log_rank"]

FloatArray = npt.NDArray[np.float64]


def _checked(time: npt.ArrayLike, event: npt.ArrayLike) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    t, e = np.asarray(time, np.float64).ravel(), np.asarray(event).astype(bool).ravel()
    if t.size != e.size or not t.size:
        raise ContentError(f"{t.size} times and {e.size} event marks: expected as many of each, one or more.")
    if not np.isfinite(t).all() or (t < 0).any():
        raise ContentError("Times to an event that are negative or not finite: expected the time observed, in one unit.")
    return t, e


@dataclass(frozen=True)
class KaplanMeier:
    """A survival curve: it holds `survival[k]` from `times[k]` on, and 1 before the first.

    Attributes
    ----------
    times
        Of events, rising.
    survival, lower, upper
        Share without the event, with its pointwise 95 % interval (log-log).
    at_risk
        Cases still observed just before each time.
    """

    times: FloatArray
    survival: FloatArray
    lower: FloatArray
    upper: FloatArray
    at_risk: npt.NDArray[np.int64]

    def at(self, time: float) -> float:
        """Return the share without the event at a time."""
        k = int(np.searchsorted(self.times, time, side="right"))
        return 1.0 if k == 0 else float(self.survival[k - 1])

    @property
    def median(self) -> float:
        """Time by which half had the event; infinite if never."""
        below = np.flatnonzero(self.survival <= 0.5)
        return float(self.times[below[0]]) if below.size else float("inf")


def kaplan_meier(time: npt.ArrayLike, event: npt.ArrayLike) -> KaplanMeier:
    """Estimate a survival curve.

    Parameters
    ----------
    time
        Until the event or the end of observation, any unit, shape (n,).
    event
        Whether it happened (else the case is censored), shape (n,).

    References
    ----------
    Kaplan and Meier. Nonparametric estimation from incomplete observations. JASA 53 (1958) 457-481; Kalbfleisch and Prentice.
    The Statistical Analysis of Failure Time Data. 2002 (log-log interval).
    """
    t, e = _checked(time, event)
    times, deaths = np.unique(t[e], return_counts=True)
    risk = (t[None] >= times[:, None]).sum(axis=1)
    survival = np.cumprod(1.0 - deaths / np.maximum(risk, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        green = np.cumsum(deaths / (risk * (risk - deaths)))
        spread = 1.959963984540054 * np.sqrt(green) / np.abs(np.log(survival))
        lower, upper = survival ** np.exp(spread), survival ** np.exp(-spread)
    # Where nobody is left the variance is not defined: the last interval that was goes on, down to 0.
    lower = np.where(np.isfinite(lower) & (survival > 0), lower, 0.0)
    upper = np.where(np.isfinite(upper) & (survival > 0), upper, np.nan)
    for k in np.flatnonzero(np.isnan(upper)):
        upper[k] = upper[k - 1] if k else 1.0
    return KaplanMeier(times, survival, lower, upper, risk)


def log_rank(time: npt.ArrayLike, event: npt.ArrayLike, group: npt.ArrayLike) -> tuple[float, float]:
    """Test whether groups differ in survival.

    Parameters
    ----------
    time, event
        As for `kaplan_meier`.
    group
        Of each case, shape (n,); two or more groups.

    Returns
    -------
    statistic, p
        Chi squared with one degree of freedom fewer than groups.

    References
    ----------
    Mantel. Evaluation of survival data and two new rank order statistics. Cancer Chemotherapy Reports 50 (1966) 163-170.
    """
    t, e = _checked(time, event)
    names, code = np.unique(np.asarray(group).ravel(), return_inverse=True)
    if names.size < 2:
        raise ContentError("A log-rank test of one group: expected two or more.")
    excess, spread = np.zeros(names.size), np.zeros((names.size, names.size))
    for moment in np.unique(t[e]):
        risk = np.bincount(code[t >= moment], minlength=names.size).astype(np.float64)
        died = np.bincount(code[(t == moment) & e], minlength=names.size).astype(np.float64)
        n, d = risk.sum(), died.sum()
        excess += died - d * risk / n
        if n > 1:
            share = risk / n
            spread += d * (n - d) / (n - 1) * (np.diag(share) - np.outer(share, share))
    statistic = float(excess[:-1] @ np.linalg.pinv(spread[:-1, :-1]) @ excess[:-1])
    return statistic, float(stats.chi2.sf(statistic, names.size - 1))


def concordance(
    time: npt.ArrayLike, event: npt.ArrayLike, risk: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> FloatArray:
    """Return Harrell's C: of the pairs whose order is known, the share in which the higher risk came first; ties count half.

    Parameters
    ----------
    time, event
        As for `kaplan_meier`.
    risk
        Higher means earlier, shape (n,).
    weights
        How often each case counts, shape (draws, n).

    Returns
    -------
    array
        Shape (draws,), one value without weights; NaN without a usable pair.

    References
    ----------
    Harrell et al. Multivariable prognostic models. Statistics in Medicine 15 (1996) 361-387.
    """
    t, e = _checked(time, event)
    r = np.asarray(risk, np.float64).ravel()
    w = np.ones((1, t.size)) if weights is None else np.atleast_2d(np.asarray(weights, np.float64))
    known = e[:, None] & ((t[:, None] < t[None]) | ((t[:, None] == t[None]) & ~e[None]))
    good = known * (0.5 * (r[:, None] == r[None]) + (r[:, None] > r[None]))
    pairs = np.einsum("bi,ij,bj->b", w, known.astype(np.float64), w, optimize=True)
    right = np.einsum("bi,ij,bj->b", w, good, w, optimize=True)
    return np.asarray(np.divide(right, pairs, out=np.full(len(w), np.nan), where=pairs > 0))


def auc_at(time: npt.ArrayLike, event: npt.ArrayLike, risk: npt.ArrayLike, moment: float) -> float:
    """Return the cumulative/dynamic area under the ROC curve at a time, weighted for censoring.

    Parameters
    ----------
    time, event, risk
        As for `concordance`.
    moment
        Cases with the event by then are told from cases still without it, in the unit of `time`.

    Returns
    -------
    float
        NaN where one of the two groups is empty.

    References
    ----------
    Uno et al. Evaluating prediction rules for t-year survivors with censored regression models. JASA 102 (2007) 527-537.
    """
    t, e = _checked(time, event)
    r = np.asarray(risk, np.float64).ravel()
    case, control = (t <= moment) & e, t > moment
    if not case.any() or not control.any():
        return float("nan")
    censoring = kaplan_meier(t, ~e)
    before = np.searchsorted(censoring.times, t[case], side="left")
    stay = np.where(before == 0, 1.0, np.append(1.0, censoring.survival)[before])
    weight = 1.0 / np.maximum(stay, 1e-12)
    wins = (r[case][:, None] > r[control][None]) + 0.5 * (r[case][:, None] == r[control][None])
    return float((weight @ wins).sum() / (weight.sum() * control.sum()))


@dataclass(frozen=True)
class Cox:
    """A fitted proportional-hazards model.

    Attributes
    ----------
    names, coefficients, errors, p
        Of each covariate: log hazard ratio for one unit, its standard error, Wald's two-sided probability.
    log_likelihood, null_log_likelihood
        Partial, of the model and of none.
    n, events
        Cases and events behind it.
    """

    names: tuple[str, ...]
    coefficients: FloatArray
    errors: FloatArray
    p: FloatArray
    log_likelihood: float
    null_log_likelihood: float
    n: int
    events: int

    def risk(self, values: npt.ArrayLike) -> FloatArray:
        """Return the log relative hazard of cases, shape (n, covariates) -> (n,)."""
        return np.asarray(np.asarray(values, np.float64) @ self.coefficients)

    def hazard_ratios(self) -> Scores:
        """Return the hazard ratio of each covariate with its 95 % interval."""
        low = np.exp(self.coefficients - 1.959963984540054 * self.errors)
        high = np.exp(self.coefficients + 1.959963984540054 * self.errors)
        return Scores(
            {
                name: Score(float(np.exp(b)), "1", (float(a), float(z)), self.n)
                for name, b, a, z in zip(self.names, self.coefficients, low, high, strict=True)
            }
        )


def fit_cox(
    time: npt.ArrayLike, event: npt.ArrayLike, values: npt.ArrayLike, names: tuple[str, ...] = (), ridge: float = 0.0
) -> Cox:
    """Fit Cox's proportional hazards with Efron's treatment of ties.

    Parameters
    ----------
    time, event
        As for `kaplan_meier`.
    values
        Covariates, shape (n, k).
    names
        Of the covariates.
    ridge
        Penalty on the squared coefficients of standardised covariates; 0 gives the maximum of the partial likelihood.

    Raises
    ------
    ContentError
        If there is no event, a covariate does not vary, or the fit does not converge (a covariate separates the events).

    References
    ----------
    Cox. Regression models and life-tables. JRSS B 34 (1972) 187-220; Efron. The efficiency of Cox's likelihood function for
    censored data. JASA 72 (1977) 557-565.
    """
    t, e = _checked(time, event)
    x = np.asarray(values, np.float64).reshape(t.size, -1)
    names = names or tuple(f"x{k + 1}" for k in range(x.shape[1]))
    mean, scale = x.mean(axis=0), x.std(axis=0)
    if not e.any() or not np.isfinite(x).all() or (scale < 1e-12).any():
        raise ContentError("A Cox model needs one event or more and covariates that are finite and vary.")
    z = (x - mean) / scale
    b = np.zeros(x.shape[1])
    null = _partial(t, e, z, b)[0]
    value, gradient, information = _partial(t, e, z, b)
    value -= ridge * float(b @ b) / 2
    for _ in range(100):
        step = np.linalg.lstsq(information + ridge * np.eye(b.size), gradient - ridge * b, rcond=None)[0]
        while True:
            tried = b + step
            new, gradient, information = _partial(t, e, z, tried)
            new -= ridge * float(tried @ tried) / 2
            if new >= value - 1e-12 or np.abs(step).max() < 1e-10:
                break
            step = step / 2
        b, gain, value = tried, new - value, new
        if np.abs(b).max() > 12:  # a hazard ratio beyond e^12 for one standard deviation: the maximum lies at infinity
            raise ContentError("The Cox model does not converge: a covariate separates the events; expected a ridge above 0.")
        if abs(gain) < 1e-10 and np.abs(step).max() < 1e-7:
            break
    error = np.sqrt(np.diag(np.linalg.pinv(information + ridge * np.eye(b.size)))) / scale
    b = b / scale
    p = 2 * stats.norm.sf(np.abs(b) / np.maximum(error, 1e-300))
    return Cox(
        names, b, error, np.asarray(p), float(value + ridge * float((b * scale) @ (b * scale)) / 2), null, t.size, int(e.sum())
    )


def _partial(t: FloatArray, e: npt.NDArray[np.bool_], z: FloatArray, b: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Return Efron's partial log-likelihood, its gradient and the information."""
    eta = z @ b
    hazard = np.exp(eta - eta.max())
    value, gradient, information = 0.0, np.zeros(b.size), np.zeros((b.size, b.size))
    for moment in np.unique(t[e]):
        risk, died = t >= moment, (t == moment) & e
        s0, s1 = hazard[risk].sum(), hazard[risk] @ z[risk]
        s2 = (z[risk] * hazard[risk, None]).T @ z[risk]
        d0, d1 = hazard[died].sum(), hazard[died] @ z[died]
        d2 = (z[died] * hazard[died, None]).T @ z[died]
        count = int(died.sum())
        value += float((eta[died] - eta.max()).sum())
        gradient += z[died].sum(axis=0)
        for k in range(count):
            share = k / count
            a0, a1, a2 = s0 - share * d0, s1 - share * d1, s2 - share * d2
            value -= float(np.log(a0))
            gradient -= a1 / a0
            information += a2 / a0 - np.outer(a1, a1) / a0**2
    return value, gradient, information


def evaluate_survival(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    risk: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    *,
    moments: tuple[float, ...] = (),
    draws: int = 500,
    seed: int = 0,
) -> Scores:
    """Judge predicted risks.

    Parameters
    ----------
    time, event, risk
        As for `concordance`.
    groups
        Patient of each case; each case its own when None.
    moments
        Times for which the area is given; the quartiles of event times when empty.
    draws, seed
        Bootstrap resamples of whole patients, and their choice.

    Returns
    -------
    Scores
        c_index, auc_at_T for each time, and events.
    """
    t, e = _checked(time, event)
    r = np.asarray(risk, np.float64).ravel()
    if not e.any():
        raise ContentError("Survival cannot be judged without an event: expected one or more.")
    unit = np.arange(t.size) if groups is None else np.asarray(groups).ravel()
    times = moments or tuple(float(q) for q in np.unique(np.quantile(t[e], [0.25, 0.5, 0.75])))
    draw = [row for block in group_weights(unit, draws, seed) for row in block] if np.unique(unit).size > 1 else []
    several = np.concatenate([concordance(t, e, r, row[None]) for row in draw]) if draw else None
    scores = {"events": Score(float(e.sum()), "1", None, t.size)}
    c_interval = percentile_interval(several) if several is not None else None
    scores["c_index"] = Score(float(concordance(t, e, r)[0]), "1", c_interval, t.size)
    for moment in times:
        values = []
        for row in draw:
            drawn = np.repeat(np.arange(t.size), row.astype(np.int64))
            values.append(auc_at(t[drawn], e[drawn], r[drawn], moment))
        interval = percentile_interval(values) if values else None
        scores[f"auc_at_{moment:g}"] = Score(auc_at(t, e, r, moment), "1", interval, t.size)
    return Scores(scores)
