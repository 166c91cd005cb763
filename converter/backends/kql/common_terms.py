"""Terms that tell little: measured on public Sysmon and PowerShell logs.

Share of the events that hold a term, as the mean over the kinds of event (Sysmon 1 to 23, PowerShell 800 and
4103), in OTRF's Security-Datasets and SigmaHQ's regression logs (52,000 events). Names of elements and words
of EventData's frame are in every event of a kind.
"""

EVERYWHERE = frozenset(
    """
    exe windows system32 system authority microsoft user true false sha1 sha256 md5 imphash rule net
    data dataitem eventdata event events schemas http https com win 2004 type name time sourcehealthserviceid
    image commandline utctime processguid processid rulename parentimage parentcommandline parentprocessid
    parentprocessguid parentuser currentdirectory logonguid logonid terminalsessionid integritylevel hashes
    fileversion description product company originalfilename targetobject details eventtype targetfilename
    creationutctime imageloaded signed signature signaturestatus sourceimage targetimage sourceprocessid
    targetprocessid sourceprocessguid targetprocessguid grantedaccess calltrace sourceuser targetuser protocol
    initiated sourceip sourceport sourcehostname destinationip destinationport destinationhostname pipename
    queryname querystatus queryresults scriptblocktext scriptblockid path messagenumber messagetotal
    """.split()  # noqa: SIM905
)
"""In 20 % of the events and more, or a name."""
COMMON = frozenset(
    """
    dll svchost local pipeline application appdata service network users desktop files program registry
    corporation x86 x64 powershell windowspowershell operating value host connected shell version command
    device software ntdll script file default syswow64 temp public roaming programdata currentversion
    currentcontrolset controlset control services setvalue createkey deletevalue dword qword binary 0x00000000
    0x00000001 hklm hku hkcu hkey machine classes inc ltd valid www org the and for not admin administrator
    explorer sys ps1 bat txt
    """.split()  # noqa: SIM905
)
"""In 5 % of the events and more, or words that paths and data are full of."""
