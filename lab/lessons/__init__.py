"""What the notebooks of the course are made of: exercises that are checked, and pictures that follow a slider.

guess = lab.lessons.exercise("How many are being served?", answer=lambda: run.value("number_in_service_mean"))
guess.check(4)  # right, or the next hint

lab.lessons.explore(draw, rate_per_s=(10, 95, 5))  # draw(ax, rate_per_s=50) draws one picture
"""

from lab.lessons.exercises import Exercise, Reply, exercise
from lab.lessons.exploring import Exploration, explore
from lab.lessons.quick import is_quick, replications

__all__ = ["Exercise", "Exploration", "Reply", "exercise", "explore", "is_quick", "replications"]
