"""Shared fixtures."""

import importlib.util
import os

import pytest
from commands import built, write_csv

from gd_regressor.__main__ import main
from gd_regressor.textbook import follow as follow_textbook


@pytest.fixture(params=["closed form", "walk"])
def route(request, monkeypatch):
    """Run a test by both routes of the textbook descent, closed form and walk."""
    closed = request.param == "closed form"
    monkeypatch.setattr(follow_textbook, "closed_form_pays", lambda *sizes: closed)
    return request.param


@pytest.fixture
def cars(tmp_path):
    return write_csv(tmp_path / "cars.csv", built())


@pytest.fixture
def run(capsys):
    """Run the command; return its exit status, stdout and stderr."""

    def run(*args):
        status = main([str(arg) for arg in args])
        return status, *capsys.readouterr()

    return run


def pytest_sessionfinish(session):
    """Fail a run that is there for the browser tests, and skipped one of them."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = [r for r in reporter.stats.get("skipped", []) if "browser" in r.keywords]
    if skipped and os.environ.get("REQUIRE_BROWSER"):
        reporter.write_line(f"REQUIRE_BROWSER is set, and {len(skipped)} browser tests are skipped")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_collection_modifyitems(items):
    """Examples with callbacks need a scikit-learn that has some."""
    if importlib.util.find_spec("sklearn.callback") is None:
        skip = pytest.mark.skip(reason="scikit-learn 1.9 has callbacks")
        for item in items:
            is_example = isinstance(item, pytest.DoctestItem)
            if is_example and "callbacks" in item.nodeid:
                item.add_marker(skip)
