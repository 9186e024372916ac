"""The error for data that cannot be used."""


class DataError(ValueError):
    """The data cannot be read or split. The message states the place, the expected and actual content, and the fix."""


class EncodingError(DataError):
    """A text file is not in the expected encoding."""
