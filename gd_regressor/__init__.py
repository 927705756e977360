"""Linear regression by gradient descent, as a scikit-learn estimator."""

from gd_regressor.by_hand import (
    check_gradient,
    original_units,
    squared_loss,
    squared_loss_gradient,
)
from gd_regressor.comparison import compare_estimators
from gd_regressor.data.moments import Moments
from gd_regressor.descent.records import Status
from gd_regressor.estimator.advice import DivergenceWarning
from gd_regressor.losses import (
    EpsilonInsensitive,
    Huber,
    PseudoHuber,
    Quantile,
    SquaredEpsilonInsensitive,
)
from gd_regressor.paths import LearningRateReport, gd_path, learning_rate_report
from gd_regressor.penalised_paths import elastic_net_path
from gd_regressor.plots.convergence_map import ConvergenceMapDisplay
from gd_regressor.plots.cv_surface import CVSurfaceDisplay
from gd_regressor.plots.explorer import DescentExplorer
from gd_regressor.plots.fit import FitDisplay
from gd_regressor.plots.learning_rate import LearningRateDisplay
from gd_regressor.plots.loss_curve import LossCurveDisplay
from gd_regressor.plots.loss_surface import LossSurfaceDisplay
from gd_regressor.plots.penalty_path import PenaltyPathDisplay
from gd_regressor.plots.spectrum import SpectrumDisplay
from gd_regressor.regressor import GDLinearRegressor
from gd_regressor.schedules import (
    Adaptive,
    Constant,
    Cosine,
    InverseScaling,
    Nesterov,
    StepDecay,
    WarmUp,
)
from gd_regressor.search import GDLinearRegressorCV

__version__ = "0.1.0"

__all__ = [
    "Adaptive",
    "CVSurfaceDisplay",
    "Constant",
    "ConvergenceMapDisplay",
    "Cosine",
    "DescentExplorer",
    "DivergenceWarning",
    "EpsilonInsensitive",
    "FitDisplay",
    "GDLinearRegressor",
    "GDLinearRegressorCV",
    "Huber",
    "InverseScaling",
    "LearningRateDisplay",
    "LearningRateReport",
    "LossCurveDisplay",
    "LossSurfaceDisplay",
    "Moments",
    "Nesterov",
    "PenaltyPathDisplay",
    "PseudoHuber",
    "Quantile",
    "SpectrumDisplay",
    "SquaredEpsilonInsensitive",
    "Status",
    "StepDecay",
    "WarmUp",
    "check_gradient",
    "compare_estimators",
    "elastic_net_path",
    "gd_path",
    "learning_rate_report",
    "original_units",
    "squared_loss",
    "squared_loss_gradient",
]
