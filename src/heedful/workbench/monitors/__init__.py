"""Monitors of a finished study: learnt on its responses, calibrated and judged on other base prompts. `train_monitors` is the
way in; `check_parity` measures anew whether they hold on this machine.
"""

from heedful.workbench.monitors.parity import check_parity
from heedful.workbench.monitors.train import train_monitors

__all__ = ["check_parity", "train_monitors"]
