"""Trainings whose figures the documentation states; each goes on where it was broken off."""
