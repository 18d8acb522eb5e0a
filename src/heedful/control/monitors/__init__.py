"""Probe monitors: the risk, while a model writes, that its finished response will violate.

>>> monitors = load_monitors("runs/pico-llama/monitors", model)
>>> live = LiveRisk(monitors, model.device)
>>> with model.watched(live.sites, live, live.prompt):
...     for answer in model.stream(prompt):
...         if live.alarms(0):
...             break

An alarm proposes to stop; only a verifier says that a text violates. Loads torch.
"""

from heedful.control.alarm import Alarm
from heedful.control.monitors.choosing import N_FOLDS, WINDOWS, Chosen, Fitted, TaskTokens, choose, choose_window, last
from heedful.control.monitors.conformal import Band, Threshold, alarm_band, conformal_threshold, fewest_units
from heedful.control.monitors.folder import (
    CARD_FILE,
    JSON_FILE,
    RESPONSES_FILE,
    SCHEMA_VERSION,
    load_monitors,
    save_monitors,
)
from heedful.control.monitors.forecast import Bin, Forecast, Moments, fit_forecast, moments, reliability
from heedful.control.monitors.live import LiveRisk
from heedful.control.monitors.monitor import Monitor, Monitors, Parity
from heedful.control.monitors.replay import TOLERANCE, Scores, Weights, measure_parity, token_scores
from heedful.control.monitors.smoothing import Rolling, Window, peaks
from heedful.control.monitors.worth import Estimate, Worth, first_alarm, units, worth

__all__ = [
    "CARD_FILE",
    "JSON_FILE",
    "N_FOLDS",
    "RESPONSES_FILE",
    "SCHEMA_VERSION",
    "TOLERANCE",
    "WINDOWS",
    "Alarm",
    "Band",
    "Bin",
    "Chosen",
    "Estimate",
    "Fitted",
    "Forecast",
    "LiveRisk",
    "Moments",
    "Monitor",
    "Monitors",
    "Parity",
    "Rolling",
    "Scores",
    "TaskTokens",
    "Threshold",
    "Weights",
    "Window",
    "Worth",
    "alarm_band",
    "choose",
    "choose_window",
    "conformal_threshold",
    "fewest_units",
    "first_alarm",
    "fit_forecast",
    "last",
    "load_monitors",
    "measure_parity",
    "moments",
    "peaks",
    "reliability",
    "save_monitors",
    "token_scores",
    "units",
    "worth",
]
