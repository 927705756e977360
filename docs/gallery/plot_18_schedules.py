"""
Schedules: rates that fall
==========================

With a constant rate the noise of mini-batches stays. Let the rate fall, and see what each schedule
leaves.
"""

import matplotlib.pyplot as plt
import numpy as np

from gd_regressor import Adaptive, Constant, Cosine, GDLinearRegressor, InverseScaling, StepDecay

random = np.random.default_rng(1)
X = random.standard_normal((5_000, 5))
y = X @ [1.0, 2.0, 3.0, 4.0, 5.0] + random.standard_normal(5_000)
minimum = GDLinearRegressor().fit(X, y).loss_curve_[-1]

# %%
# Five schedules
# --------------
#
# A schedule is a value of ``learning_rate``. All begin with the same rate, and have thirty
# epochs of batches of 32 rows:

schedules = {
    "constant": Constant(0.05),
    "inverse scaling": InverseScaling(0.05, power=0.5),
    "step decay": StepDecay(0.05, factor=0.5, every=5),
    "cosine": Cosine(0.05, n_epochs=30),
    "adaptive": Adaptive(0.05, patience=2),
}
excess = {}
for name, schedule in schedules.items():
    model = GDLinearRegressor(schedule, 30, None, batch_size=32, random_state=0).fit(X, y)
    excess[name] = (model.loss_curve_ - minimum) / y.var()
    print(f"{name}: {excess[name][-1]:.0e} of the variance above the minimum")

# %%
# The mean over the updates at the constant rate is the last rival. It needs no schedule:

model = GDLinearRegressor(0.05, 30, None, batch_size=32, average=2, random_state=0).fit(X, y)
excess["constant, averaged"] = (model.loss_curve_ - minimum) / y.var()
print(f"averaged: {excess['constant, averaged'][-1]:.0e}")

# %%
# The rates
# ---------
#
# ``rate(t)`` tells what a schedule gives, of the t-th update or of the t-th epoch. ``Adaptive``
# has no formula, because it watches the loss.

n_updates = 157  # of an epoch: 5,000 rows in batches of 32
epochs = np.arange(1, 31)
rates = {
    "constant": [schedules["constant"].rate(e) for e in epochs],
    "inverse scaling": [schedules["inverse scaling"].rate(1 + n_updates * (e - 1)) for e in epochs],
    "step decay": [schedules["step decay"].rate(e) for e in epochs],
    "cosine": [schedules["cosine"].rate(e) for e in epochs],
}

# %%
# The picture
# -----------
#
# Above are the rates, and below what they leave. The lower the rate, the lower the floor of the
# noise. The mean at the constant rate is low after two epochs already.

styles = {
    "constant": {"color": "#D55E00", "linestyle": "--"},
    "inverse scaling": {"color": "#009E73", "linestyle": "-."},
    "step decay": {"color": "#CC79A7", "linestyle": (0, (1, 1))},
    "cosine": {"color": "#0072B2", "linestyle": "-"},
    "adaptive": {"color": "black", "linestyle": (0, (5, 1, 1, 1))},
    "constant, averaged": {"color": "#D55E00", "linestyle": "-"},
}
figure, (above, below) = plt.subplots(
    2, 1, figsize=(7, 7), sharex=True, height_ratios=(2, 3), layout="constrained"
)
for name, values in rates.items():
    above.plot(epochs, values, lw=2, **styles[name])
for name, curve in excess.items():
    below.plot(curve, lw=2, label=name, **styles[name])
above.set(ylabel="learning rate", yscale="log", ylim=(1e-4, None))
below.set(xlabel="epochs", ylabel="loss above its minimum\nin variances of y", yscale="log")
for ax in (above, below):
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", alpha=0.12, color="black")
figure.suptitle("A falling rate takes the noise away, and so does the mean")
figure.legend(loc="outside lower center", ncols=3, frameon=False)

# %%
# :doc:`/minibatches` has the formulas.
#
# Back to the start: :ref:`sphx_glr_auto_gallery_plot_01_from_scratch.py`
