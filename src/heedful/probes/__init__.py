"""Linear probes by the hundred thousand: fitting, splits, metrics, intervals and controls over arrays.

Knows no task, no model and no file; could be lifted out as a library.
"""

from heedful.probes.canonical import Canonical, View, canonical_pairs, ridge_map, view_of
from heedful.probes.checks import check_labels, check_lengths, check_rows, check_tensors, check_weight
from heedful.probes.controls import (
    benjamini_hochberg,
    control_labels,
    permutation_p,
    permute_within_groups,
    swap_squares,
    type_recurrence,
)
from heedful.probes.crossval import (
    C_GRID,
    BestCell,
    CrossValidated,
    Held,
    OutOfFold,
    Rows,
    best_cell,
    cross_validate,
    out_of_fold,
)
from heedful.probes.curvature import Change
from heedful.probes.intervals import (
    Interval,
    Jackknife,
    PairedDifference,
    bootstrap_auroc,
    combine,
    jackknife_auroc,
    jackknife_d_prime,
    jackknife_mean,
    median_interval,
    paired_difference,
)
from heedful.probes.linear import fit_mean_difference, fit_ridge
from heedful.probes.logistic import fit_logistic
from heedful.probes.metrics import (
    auroc,
    balanced_accuracy,
    fold_auroc,
    fold_balanced_accuracy,
    fold_mean,
    label_sets_auroc,
)
from heedful.probes.principal import PrincipalRows, principal_rows
from heedful.probes.residual import OwnFold, own_fold, residualised
from heedful.probes.result import LinearProbes
from heedful.probes.scaling import FeatureScale, fit_scale
from heedful.probes.splits import GroupIndex, draw_units, grouped_folds, index_groups
from heedful.probes.text import FORMAT_FEATURES, BagOfWords, bag_of_words, format_features, length_features

__all__ = [
    "C_GRID",
    "FORMAT_FEATURES",
    "BagOfWords",
    "BestCell",
    "Canonical",
    "Change",
    "CrossValidated",
    "FeatureScale",
    "GroupIndex",
    "Held",
    "Interval",
    "Jackknife",
    "LinearProbes",
    "OutOfFold",
    "OwnFold",
    "PairedDifference",
    "PrincipalRows",
    "Rows",
    "View",
    "auroc",
    "bag_of_words",
    "balanced_accuracy",
    "benjamini_hochberg",
    "best_cell",
    "bootstrap_auroc",
    "canonical_pairs",
    "check_labels",
    "check_lengths",
    "check_rows",
    "check_tensors",
    "check_weight",
    "combine",
    "control_labels",
    "cross_validate",
    "draw_units",
    "fit_logistic",
    "fit_mean_difference",
    "fit_ridge",
    "fit_scale",
    "fold_auroc",
    "fold_balanced_accuracy",
    "fold_mean",
    "format_features",
    "grouped_folds",
    "index_groups",
    "jackknife_auroc",
    "jackknife_d_prime",
    "jackknife_mean",
    "label_sets_auroc",
    "length_features",
    "median_interval",
    "out_of_fold",
    "own_fold",
    "paired_difference",
    "permutation_p",
    "permute_within_groups",
    "principal_rows",
    "residualised",
    "ridge_map",
    "swap_squares",
    "type_recurrence",
    "view_of",
]
