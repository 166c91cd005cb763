"""What is known about Splunk's saved searches; each fact with its source. Data, no behaviour."""

from __future__ import annotations

SEVERITY = {"informational": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}
"""Sigma level -> ``alert.severity``: 1 to 5 are Info, Low, Medium, High and Critical in Splunk Web
(savedsearches.conf.spec names them 1-debug, 2-info, 3-warn, 4-error, 5-severe)."""
RISK = {"informational": 10, "low": 21, "medium": 47, "high": 73, "critical": 99}
"""Sigma level -> risk score, as for Elastic but for the lowest: Enterprise Security counts from 1 to 100."""
NO_LEVEL = "medium"
"""The level of a rule that says none."""

LATE = 300
"""Seconds between an event's time and the end of the time that a run judges: how late it may be indexed."""

NAME_MAX = 99
"""Characters of a saved search's name: Splunk Web takes fewer than 100."""

HOSTS = (
    "Computer",
    "ComputerName",
    "properties.DeviceName",
    "DeviceName",
    "dest",
    "aid",
    "host",
)
USERS = (
    "User",
    "TargetUserName",
    "SubjectUserName",
    "AccountName",
    "properties.AccountName",
    "properties.InitiatingProcessAccountName",
    "UserName",
    "user",
)
"""Columns that name a host or a user, the best first: sources' own columns, and the names of groups."""

DOMAINS = (
    (
        "endpoint",
        ("process_", "file_", "registry_", "image_", "driver_", "ps_", "pipe_", "wmi_", "create_", "sysmon"),
    ),
    ("network", ("network_", "dns", "firewall", "proxy", "zeek", "webserver")),
    ("access", ("authentication", "auth", "security", "sshd")),
)
"""Security domain of Enterprise Security -> how the category or service of a log source begins.
The other domains (threat, identity, audit) are about no log source."""
NO_DOMAIN = "threat"
DESCRIPTION_MAX = 2000
"""Characters of a description: no limit of savedsearches.conf.spec, but one that a list of searches bears."""
