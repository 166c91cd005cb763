"""The reference matcher: what a Sigma rule means, as code.

It works on rules as YAML gives them and shares nothing with pySigma or the backends: a shared mistake
would prove itself.
"""

from converter.matcher.detection import compile_detection
from converter.matcher.logsource import is_candidate
from converter.matcher.matcher import Alert, Matcher, run

__all__ = ["Alert", "Matcher", "compile_detection", "is_candidate", "run"]
