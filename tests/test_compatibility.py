"""Options and modes: each pair of the table either fits, or is refused as the table says."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from gd_regressor import GDLinearRegressor, Huber
from gd_regressor.estimator.compatibility import (
    CLASHES,
    LOSS_CLASHES,
    LOSSES,
    MODES,
    OPTIONS,
    REMARKS,
    SCALED,
    SETTINGS,
)

DOCS = Path(__file__).parent.parent / "docs"
rng = np.random.default_rng(0)
X = rng.standard_normal((40, 3))
Y = X @ rng.standard_normal((3, 2)) + rng.standard_normal((40, 2))
VERBS = ["partial_fit", "fit_batches", "fit_moments", "merge", "forget"]


class Quiet:
    """A callback that does nothing."""

    def setup(self, estimator, context):
        pass

    on_fit_task_begin = on_fit_task_end = teardown = setup


def asking_for(option, mode, tmp_path):
    """A model that asks for an option, and the arguments of fit or partial_fit."""
    rate = "auto" if mode == "auto" else 0.1
    model, args, told = GDLinearRegressor(rate, max_iter=2000), [X, Y[:, 0]], {}
    parameters = {
        "momentum": {"momentum": 0.5},
        "ridge": {"alpha": 0.1, "l1_ratio": 0.0},
        "lasso": {"alpha": 0.1, "l1_ratio": 0.5},
        "positive": {"positive": True},
        "stream": {"stream": "qr"},
        "early_stopping": {"early_stopping": True},
        "start": {"init": "random", "warm_start": True},
        "batch_size": {"batch_size": 16},
        "average": {"average": True, "batch_size": 8 if mode in ("stream", "batches") else None},
    }.get(option, {})
    model.set_params(**({"batch_size": 8} if mode == "batches" else {}))
    model.set_params(**parameters)
    if option == "callbacks":
        pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 has callbacks")
        model.set_callbacks(Quiet())
    elif option == "start" and mode != "stream":
        told = {"coef_init": np.ones(3), "intercept_init": 1.0}
    elif option == "sample_weight":
        told = {"sample_weight": np.arange(40.0)}
    elif option == "targets":
        args = [X, Y]
    elif option == "sparse":
        args[0] = sparse.csr_array(X)
    elif option == "memmap":
        args[0] = np.memmap(tmp_path / "X", dtype=np.float64, mode="w+", shape=X.shape)
        args[0][:] = X
    elif option == "dask":
        array = pytest.importorskip("dask.array")
        args = [array.from_array(A, chunks=(10, *A.shape[1:])) for A in args]
    return model, args, told


PAIRS = [(option, mode) for option in OPTIONS for mode in MODES]


@pytest.mark.parametrize("option", ["momentum", "early_stopping"])
def test_reasons_are_true_of_mini_batches_too(option, tmp_path):
    """With a batch_size "auto" makes many updates, none of which is exact."""
    model, args, _ = asking_for(option, "auto", tmp_path)
    with pytest.raises(ValueError, match="cannot be combined with") as raised:
        model.set_params(batch_size=8).fit(*args)
    assert re.search("exact|update or two", str(raised.value)) is None


@pytest.mark.parametrize(("option", "mode"), PAIRS)
def test_a_pair_fits_or_is_refused_as_the_table_says(option, mode, tmp_path):
    model, args, told = asking_for(option, mode, tmp_path)
    fit = model.partial_fit if mode == "stream" else model.fit
    if (option, mode) in CLASHES:
        clash = CLASHES[option, mode]
        with pytest.raises(ValueError) as raised:
            fit(*args, **told)
        message = str(raised.value)
        written = OPTIONS[option].written.format(value=getattr(model, option, None))
        where = MODES[mode].written.format(verb="partial_fit")
        assert f"{written} cannot be combined with {where}, {clash.why}" in message
        assert message.endswith(f"; {clash.instead}.")
    else:
        assert np.isfinite(fit(*args, **told).coef_).all()


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("rate", [0.1, "auto"])
@pytest.mark.parametrize("option", [o for o, mode in CLASHES if mode == "stream"])
def test_all_streams_refuse_what_one_refuses(option, rate, verb, tmp_path):
    model, _, _ = asking_for(option, "stream", tmp_path)
    model.set_params(learning_rate=rate)
    given = [X, Y] if verb in ("partial_fit", "forget") else [None]
    with pytest.raises(ValueError, match=f"cannot be combined with {verb}, "):
        getattr(model, verb)(*given)


def test_what_the_error_of_early_stopping_in_a_stream_says_to_write_works():
    model = GDLinearRegressor(early_stopping=True)
    with pytest.raises(ValueError, match=r"early_stopping=True.*with partial_fit") as told:
        model.partial_fit(X, Y[:, 0])
    assert "early_stopping=False, or call fit with a number" in str(told.value)
    model.set_params(early_stopping=False).partial_fit(X, Y[:, 0])
    model.set_params(early_stopping=True, learning_rate=0.1).fit(X, Y[:, 0])


def test_the_table_knows_its_rows_and_columns():
    for option, mode in [*CLASHES, *REMARKS]:
        assert option in OPTIONS and mode in MODES
    assert not CLASHES.keys() & REMARKS.keys()
    assert all(OPTIONS[option].written for option, _ in CLASHES)


def test_the_page_has_the_table():
    """Written by ``python docs/compatibility.py > docs/compatibility_table.inc``."""
    table = runpy.run_path(str(DOCS / "compatibility.py"))["table"]
    assert (DOCS / "compatibility_table.inc").read_text("utf-8") == table()
    assert ".. include:: compatibility_table.inc" in (DOCS / "choosing.rst").read_text("utf-8")


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", [name for name in LOSSES if name != "squared_error"])
def test_a_loss_fits_or_is_refused_as_the_table_says(name, setting):
    loss = {SCALED: "huber", "huber": Huber(1.0)}.get(name, name)
    rate = 0.01 if setting == "number" else "auto"
    model = GDLinearRegressor(rate, 500, None, loss=loss)
    parameters = {
        "ridge": {"alpha": 0.1, "l1_ratio": 0.0},
        "lasso": {"alpha": 0.1, "l1_ratio": 1.0},
        "positive": {"positive": True},
        "batches": {"batch_size": 8},
    }.get(setting, {})
    model.set_params(**parameters, tol="auto")

    def fit():
        if setting == "dask":
            array = pytest.importorskip("dask.array")
            return model.fit(*(array.from_array(A, chunks=10) for A in (X, Y[:, 0])))
        if setting == "stream":
            return model.fit_batches([(X, Y[:, 0])])
        return model.fit(X, Y[:, 0])

    clash = LOSS_CLASHES.get((name, setting))
    if clash is None:
        assert np.isfinite(fit().coef_).all()
        return
    with pytest.raises(ValueError) as raised:
        fit()
    where = SETTINGS[setting].written.format(verb="fit_batches")
    assert f"cannot be combined with {where}, {clash.why}; {clash.instead}." in str(raised.value)


def test_a_loss_that_batches_in_auto_refuse_is_told_before_a_penalty_that_they_refuse():
    """Without the penalty the loss would be refused next. A number serves both, as it says."""
    model = GDLinearRegressor(loss="pseudo_huber", batch_size=8, alpha=0.1, l1_ratio=1.0)
    with pytest.raises(ValueError, match=r'loss="pseudo_huber" .* give learning_rate a number'):
        model.fit(X, Y[:, 0])
    model.set_params(learning_rate=0.01, max_iter=5, tol=None).fit(X, Y[:, 0])


def test_no_advice_about_a_scale_leads_to_another_error():
    """A number as learning_rate needs a delta."""
    for (name, _), clash in LOSS_CLASHES.items():
        if name == SCALED and "number" in clash.instead:
            assert "Huber(" in clash.instead


def test_a_loss_that_partial_fit_refuses_is_told_of_mini_batches():
    with pytest.raises(AttributeError) as refused:
        GDLinearRegressor(loss="quantile").partial_fit(X, Y[:, 0])
    assert "batch_size" in str(refused.value.__cause__)
    model = GDLinearRegressor(0.1, batch_size=8, loss="quantile").partial_fit(X, Y[:, 0])
    assert np.isfinite(model.coef_).all()


def test_the_table_of_options_names_the_losses_that_a_cluster_cannot_have():
    for name, title in LOSSES.items():
        assert (title in REMARKS["dask", "auto"]) == ((name, "dask") in LOSS_CLASHES)


def test_the_table_of_losses_knows_its_rows_and_columns():
    assert all(name in LOSSES and setting in SETTINGS for name, setting in LOSS_CLASHES)


def test_the_page_has_the_table_of_losses():
    """Written by ``python docs/compatibility.py losses > docs/losses_table.inc``."""
    table = runpy.run_path(str(DOCS / "compatibility.py"))["losses_table"]
    assert (DOCS / "losses_table.inc").read_text("utf-8") == table()
    assert ".. include:: losses_table.inc" in (DOCS / "losses.rst").read_text("utf-8")
