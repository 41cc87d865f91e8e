"""What is raised where the study cannot go on."""


class StudyError(Exception):
    """A stage cannot run; the message is a sentence that says what to do."""
