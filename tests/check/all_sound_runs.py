"""All sound trainings, of every file, by name."""

from tests.check import sound_inputs, sound_models, sound_passes, sound_runs_more, sound_schedules
from tests.check.sound_runs import SOUND

FILES = sound_inputs, sound_models, sound_passes, sound_runs_more, sound_schedules
__all__ = ["FILES", "SOUND"]
