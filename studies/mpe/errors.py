"""Error of the study."""


class StudyError(Exception):
    """Error of a stage that cannot run; the message is a sentence that says what to do."""
