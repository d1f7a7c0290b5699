"""What a task is called, in Chinese and English."""

from casework.work.cases.branch import Branch
from casework.work.cases.task_rules import BY_HAND, TaskWords
from casework.work.tasks.own import Task


def word_of(branch: Branch, task: Task) -> TaskWords:
    """By the rule of its duty, by the table of tasks, or, of one that was added, by what is to be done."""
    duty = branch.rulebook.duties.by_name.get(task.task)
    if duty is not None:
        return TaskWords(duty.zh, duty.en)
    rules = branch.rulebook.tasks
    known = rules.by_hand.get(task.ref) if task.task == BY_HAND else rules.tasks.get(task.task)
    return known or TaskWords(task.task, task.task)
