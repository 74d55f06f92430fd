"""What each figure of a report says, in one place for the page and for the JSON."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One figure."""

    title: str
    best: str
    """Where it is best."""
    text: str
    percent: bool = False
    """Whether the number is in %."""
    falling: bool = False
    """Whether less is better."""
    ordered: bool = True
    """Whether a figure beyond that of held-out rows is better still."""


FIDELITY = {
    "shape_error_pct": Entry(
        "Column error (Shape)",
        "0 %",
        "How far each column's distribution is from the real one, averaged over columns: the "
        "Kolmogorov–Smirnov statistic of numbers, the total variation distance of categories "
        "(SDMetrics' Column Shapes, as an error). Independent columns have next to none "
        "of it by construction, so it says nothing without the pair error.",
        percent=True,
        falling=True,
    ),
    "trend_error_pct": Entry(
        "Pair error (Trend)",
        "0 %",
        "How far the dependence of each two columns is from the real one, averaged over pairs: "
        "half the difference of correlations of two numbers, else the total variation distance of "
        "the joint table (SDMetrics' Column Pair Trends, as an error, with the real table's bins).",
        percent=True,
        falling=True,
    ),
    "wnmi_error": Entry(
        "Information error",
        "0",
        "Difference of the normalised mutual information of each two columns, pairs weighted by "
        "how much of it they have.",
        falling=True,
    ),
    "detector_auc": Entry(
        "Detector AUC",
        "0.5",
        "A boosted tree is trained to tell the rows from real ones and tested on others, three "
        "times: 0.5 when it can only guess, 1 when it always can.",
        falling=True,
    ),
    "detector_score": Entry(
        "Detector score",
        "1",
        "The same as a score: 1 when the detector can only guess, 0 when it is always right.",
    ),
    "alpha_precision": Entry(
        "α-precision",
        "1",
        "Whether the rows lie where real rows lie, from the centre outwards.",
    ),
    "beta_recall": Entry(
        "β-recall",
        "about 0.5",
        "Whether real rows have such a row as near as their nearest real one. Rows of the same "
        "distribution reach about 0.5; far more than that means copies.",
        ordered=False,
    ),
}

UTILITY = {
    "f1_macro": Entry("F1, macro", "1", "Mean over the paper's three models and all classes."),
    "f1_weighted": Entry(
        "F1, weighted", "1", "Mean over the paper's three models, classes weighted by their rows."
    ),
    "r2": Entry("r²", "1", "Mean over the paper's three models; 0 is guessing the mean."),
    "auc": Entry(
        "Boosted tree's AUC",
        "1",
        "Mean over classes, each against the rest; 0.5 is guessing.",
    ),
    "rmse": Entry(
        "Boosted tree's error",
        "0",
        "Root mean squared error, in the target's own unit.",
        falling=True,
    ),
}

PRIVACY = {
    "exact_copy_share": Entry(
        "Exact copies",
        "as held-out rows",
        "Share of rows that are equal in every compared column to a row of the real table. Where "
        "real rows repeat, held-out rows have such twins too.",
    ),
    "nearer_to_training_share": Entry(
        "Nearer to training rows",
        "0.5",
        "Overfitting alarm, not privacy: the share of rows whose nearest training row is closer "
        "than their nearest held-out one, the tables' sizes taken into account. Above 0.5 the "
        "generator leans on rows it has seen, or held-out rows differ from training rows: see the "
        "column of other training rows. A value of 0.5 does not show that single rows cannot "
        "be found again.",
    ),
    "membership_auc": Entry(
        "Membership inference, AUC",
        "0.5",
        "How well the stronger of two attacks tells training rows from held-out rows by looking at "
        "the synthetic table: 0.5 is guessing. Being the larger of two, the figure errs upwards; "
        "its interval is that of the larger. Held-out rows that differ from training rows raise it "
        "too: the column of other training rows shows by how much. It speaks of these two attacks "
        "only; others may find more.",
    ),
    "membership_tpr_at_1pct_fpr": Entry(
        "Training rows found at 1 % false alarms",
        "0.01",
        "Share of training rows that an attack names while it names 1 % of held-out rows wrongly, "
        "the larger of both attacks': 0.01 is guessing.",
    ),
}
