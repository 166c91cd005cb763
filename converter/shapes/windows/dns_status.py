"""Names that Elastic's ingest gives to the status codes of DNS queries (Sysmon event 22)."""

from __future__ import annotations

_RCODES = (
    "FORMAT_ERROR SERVER_FAILURE NAME_ERROR NOT_IMPLEMENTED REFUSED YXDOMAIN YXRRSET NXRRSET NOTAUTH NOTZONE"
)

DNS_STATUS = {
    "0": "SUCCESS",
    "5": "ERROR_ACCESS_DENIED",
    "8": "ERROR_NOT_ENOUGH_MEMORY",
    "13": "ERROR_INVALID_DATA",
    "14": "ERROR_OUTOFMEMORY",
    "123": "ERROR_INVALID_NAME",
    "1214": "ERROR_INVALID_NETNAME",
    "1223": "ERROR_CANCELLED",
    "1460": "ERROR_TIMEOUT",
    "4312": "ERROR_OBJECT_NOT_FOUND",
    **{str(9001 + at): f"DNS_ERROR_RCODE_{name}" for at, name in enumerate(_RCODES.split())},
    "9501": "DNS_INFO_NO_RECORDS",
    "9502": "DNS_ERROR_BAD_PACKET",
    "9503": "DNS_ERROR_NO_PACKET",
    "9504": "DNS_ERROR_RCODE",
    "9505": "DNS_ERROR_UNSECURE_PACKET",
    "9506": "DNS_REQUEST_PENDING",
    "9551": "DNS_ERROR_INVALID_TYPE",
    "9552": "DNS_ERROR_INVALID_IP_ADDRESS",
    "9560": "DNS_ERROR_INVALID_NAME_CHAR",
    "9701": "DNS_ERROR_RECORD_DOES_NOT_EXIST",
    "9702": "DNS_ERROR_RECORD_FORMAT",
    "9852": "DNS_ERROR_NO_DNS_SERVERS",
    "10054": "WSAECONNRESET",
    "10055": "WSAENOBUFS",
    "10060": "WSAETIMEDOUT",
}
"""Of the vendor's 230 codes those that a query for a host name returns; the others are not needed here."""
