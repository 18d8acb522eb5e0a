"""Planted mechanisms: synthetic studies whose truth is known, and the calibration of the lenses on them."""

from heedful.planted.calibration import Calibration, Share
from heedful.planted.draw import Size, World
from heedful.planted.mechanisms import MECHANISMS, Mechanism
from heedful.planted.records import calibrate

__all__ = ["MECHANISMS", "Calibration", "Mechanism", "Share", "Size", "World", "calibrate"]
