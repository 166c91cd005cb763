"""What SIEMs import, made from emitted queries."""
