"""Events from files: reading, flattening to the fields that rules name, and their time."""

from converter.events.flatten import flatten
from converter.events.reader import read_events
from converter.events.times import datetime_of, time_of

__all__ = ["datetime_of", "flatten", "read_events", "time_of"]
