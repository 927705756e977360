"""Shared fixtures."""

import pytest

from gd_regressor.textbook import follow as follow_textbook


@pytest.fixture(params=["closed form", "walk"])
def route(request, monkeypatch):
    """Run a test by both routes of the textbook descent, whatever their costs."""
    closed = request.param == "closed form"
    monkeypatch.setattr(follow_textbook, "closed_form_pays", lambda *sizes: closed)
    return request.param
