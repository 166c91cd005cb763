"""strptime and strftime: Search Reference, "Date and time format variables".

Texts without a zone are read, and times written, in the time zone of the user who searches. Here that is a
zone that nobody means (UTC+05:45), so that a query whose result depends on it is found out.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from converter.engines.spl.failures import unknown

_READ = {
    "Y": r"(?P<Y>\d{4})",
    "m": r"(?P<m>\d{1,2})",
    "d": r"(?P<d>\d{1,2})",
    "H": r"(?P<H>\d{1,2})",
    "M": r"(?P<M>\d{1,2})",
    "S": r"(?P<S>\d{1,2})",
    "z": r"(?P<z>[+-]\d{4})",
    ":z": r"(?P<z>[+-]\d{2}:\d{2})",
    "s": r"(?P<s>\d+)",
}
USER_ZONE = timezone(timedelta(hours=5, minutes=45))
_DATE = (("Y", 1970), ("m", 1), ("d", 1))
_DIRECTIVE = re.compile(r"%(?:(?P<digits>[369])?(?P<fraction>[NQ])|(?P<letter>:?[A-Za-z%]))")


@lru_cache(maxsize=256)
def _pattern(form: str) -> re.Pattern[str]:
    out, position = [], 0
    for match in _DIRECTIVE.finditer(form):
        out.append(re.escape(form[position : match.start()]))
        position = match.end()
        if match["fraction"]:
            out.append(r"(?P<f>\d{1,9})")
        elif match["letter"] == "%":
            out.append("%")
        elif match["letter"] in _READ:
            out.append(_READ[match["letter"]])
        else:
            raise unknown(f"%{match['letter']} in strptime()")
    out.append(re.escape(form[position:]))
    return re.compile("".join(out), re.ASCII)


def strptime(text: str, form: str) -> float | None:
    """Return epoch seconds, or None if the text is not of the form."""
    found = _pattern(form).fullmatch(text)
    if found is None:
        return None
    parts = found.groupdict()
    if parts.get("s"):
        return float(f"{parts['s']}.{parts.get('f') or 0}")
    zone = USER_ZONE
    if parts.get("z"):
        sign = -1 if parts["z"][0] == "-" else 1
        zone = timezone(sign * timedelta(hours=int(parts["z"][1:3]), minutes=int(parts["z"][-2:])))
    try:
        year, month, day = (int(parts.get(letter) or least) for letter, least in _DATE)
        hour, minute, second = (int(parts.get(letter) or 0) for letter in "HMS")
        moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        return None
    return int(moment.timestamp()) + float(f"0.{parts.get('f') or 0}")


def strftime(seconds: float, form: str) -> str:
    """Write a time; `%V` is the week of ISO 8601."""
    moment = datetime.fromtimestamp(seconds, USER_ZONE)

    def written(match: re.Match[str]) -> str:
        if match["fraction"]:
            return f"{moment.microsecond:06d}"[: int(match["digits"] or 3)]
        letter = match["letter"]
        if letter not in "YmdHMSVzF%T":
            raise unknown(f"%{letter} in strftime()")
        return moment.strftime("%" + letter)

    return _DIRECTIVE.sub(written, form)
