"""Kinetics of a contrast agent: from signals to concentrations to flow, permeability and volumes.

Times are in seconds and rates per minute, as the field quotes them; concentrations are in mM.
"""
