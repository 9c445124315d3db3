"""Which file makes which task; it is imported only when it is used."""

from __future__ import annotations

from importlib import import_module

from training.arrange import TaskName
from training.tasks.task import Task


def find_task(name: TaskName) -> Task:
    """Return a task by its name: `TASK` of the module of that name."""
    task: Task = import_module(f"training.tasks.{name}").TASK
    return task
