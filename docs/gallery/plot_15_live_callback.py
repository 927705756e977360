"""
A callback that plots live
==========================

You want to see a descent while it runs. Set a callback that draws the loss and the line again
after each update. It needs scikit-learn 1.9.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from gd_regressor import GDLinearRegressor
from gd_regressor.callbacks import History

places = Path("cars.csv"), Path("../data/cars.csv"), Path("docs/data/cars.csv")
cars = pd.read_csv(next(path for path in places if path.exists()))
x, y = cars["engine_size"], cars["price"] / 1000
X = ((x - x.mean()) / x.std(ddof=0)).to_numpy()[:, None]

# %%
# The callback
# ------------
#
# scikit-learn calls ``on_fit_task_end`` after each update. The hook asks for ``fitted_estimator``:
# a model as if the fit had ended there. ``draw_idle`` shows the figure in a window or a notebook as
# soon as there is time (``plt.ion()`` in a script).


class LivePlot:
    def __init__(self, X, y):
        self.X, self.y = X, y
        self.drawn = 0

    def setup(self, estimator, context):
        self.figure, (self.left, self.right) = plt.subplots(2, 1, figsize=(6, 7))
        self.right.scatter(self.X[:, 0], self.y, s=9, color="0.6")
        self.right.set(xlabel="engine size, standardised", ylabel="price in thousands")
        (self.loss,) = self.left.plot([], [], ".-")
        (self.line,) = self.right.plot([], [], lw=2)
        self.left.set(xlabel="updates", ylabel="mean squared error", yscale="log")
        self.figure.suptitle("The loss and the line after each update")

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name != "update":
            return
        ends = np.array([[self.X.min()], [self.X.max()]])
        heights = fitted_estimator.predict(ends)
        self.line.set_data(ends[:, 0], heights)
        self.right.plot(ends[:, 0], heights, lw=0.5, color="C1", alpha=0.4)
        losses = fitted_estimator.loss_curve_
        self.loss.set_data(range(len(losses)), losses)
        self.left.relim()
        self.left.autoscale_view()
        self.figure.canvas.draw_idle()
        self.drawn += 1

    def teardown(self, estimator, context):
        self.figure.tight_layout()


# %%
# The fit
# -------
#
# A second callback records the same numbers:

live, history = LivePlot(X, y), History(every=10, coef=True)
model = GDLinearRegressor(learning_rate=0.05, max_iter=60, tol=None)
model.set_callbacks(live, history).fit(X, y)
print("drawn", live.drawn, "times")

# %%
# What ``History`` has:

run = history.runs_[-1]
for k, loss, coef in zip(run["n_iter"], run["loss"], run["coef"][:, 0], strict=True):
    print(f"update {k}: loss {loss:.3f}, slope {coef:.3f}")

# %%
# To end it
# ---------
#
# A hook that returns True ends the descent. This one has seen enough when the slope moves by less
# than ten dollars:


class SlopeIsStill(LivePlot):
    slope = np.inf

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        super().on_fit_task_end(estimator, context, fitted_estimator=fitted_estimator)
        before, self.slope = self.slope, fitted_estimator.coef_[0]
        return abs(self.slope - before) < 0.01


model.set_callbacks(SlopeIsStill(X, y)).fit(X, y)
print(model.status_.name, "after", model.n_iter_, "updates")
print(model.message_)

# %%
# Next: :ref:`sphx_glr_auto_gallery_plot_16_outliers.py`
