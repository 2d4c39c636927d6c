// EPSV, PASV, EPRT and PORT, and how each is carried to the raw ftpd.
#include "ftp/dialogue.h"

// ---- the client's side

DIALOGUE(Setup, EpsvAsksTheServerFirst, R"(
    do login
    C> EPSV
    S< EPSV
    S> 229 Entering Extended Passive Mode (|||50000|)
    action DialServer 50000
    waiting nothing
    action OpenPassive
    event passive_opened 198.51.100.1 40001
    C< 229 Entering Extended Passive Mode (|||40001|)
    waiting client)")

DIALOGUE(Setup, PasvIsAnsweredWithTheGatewaysAddress, R"(
    do login
    C> PASV
    S< EPSV
    S> 229 ok (|||50000|)
    action DialServer 50000
    action OpenPassive
    event passive_opened 198.51.100.1 50001
    C< 227 Entering Passive Mode (198,51,100,1,195,81).)")

DIALOGUE(Setup, PasvFromIpv6IsRefused, R"(
    client 2001:db8::9 40000
    do login
    C> PASV
    C< 425 *)")

DIALOGUE(Setup, EpsvWithTheOwnFamily, R"(
    do login
    C> EPSV 1
    S< EPSV
    S> 229 ok (|||50000|)
    action DialServer 50000
    action OpenPassive
    event passive_opened 198.51.100.1 40001
    C< 229 *)")

DIALOGUE(Setup, EpsvWithAnotherFamily, R"(
    do login
    C> EPSV 2
    C< 522 Network protocol not supported, use (1).
    C> EPSV 3
    C< 522 *)")

DIALOGUE(Setup, EpsvFromIpv6, R"(
    client 2001:db8::9 40000
    do login
    C> EPSV 1
    C< 522 Network protocol not supported, use (2).
    C> EPSV 2
    S< EPSV
    S> 229 ok (|||50000|)
    action DialServer 50000
    action OpenPassive
    event passive_opened 2001:db8::1 40001
    C< 229 Entering Extended Passive Mode (|||40001|))")

DIALOGUE(Setup, EpsvWithNonsense, R"(
    do login
    C> EPSV x
    C< 501 *
    C> EPSV 1 2
    C< 501 *
    C> EPSV -1
    C< 501 *)")

// As ftpds do: a blank behind the command or its parameter is nothing.
DIALOGUE(Setup, BlanksAroundAParameter, R"(
    do login
    C> EPSV\s
    S< EPSV
    S> 229 ok (|||50000|)
    action DialServer 50000
    action OpenPassive
    event passive_opened 198.51.100.1 40001
    C< 229 *
    C> EPSV 1\s
    action CloseData
    S< EPSV
    S> 500 no
    S< PASV
    S> 500 no
    action ListenForServer
    event setup_failed No.
    action CloseData
    C< 425 *
    C> PORT 192,0,2,9,156,66\s
    action ListenForServer
    event setup_failed No.
    action CloseData
    C< 425 *
    C> EPRT  |1|192.0.2.9|40002|\s
    action ListenForServer
    event setup_failed No.
    action CloseData
    C< 425 *
    C> EPSV ALL\s
    C< 200 *
    C> TYPE I\s
    S< TYPE I
    S> 200 ok
    C< 200 ok
    C> MODE S\s
    S< MODE S
    S> 200 ok
    C< 200 ok
    C> STRU F\s
    S< STRU F)")

DIALOGUE(Setup, EpsvAllForbidsTheOthers, R"(
    do login
    C> EPSV all
    C< 200 *
    C> PASV
    C< 503 *
    C> PORT 192,0,2,9,200,0
    C< 503 *
    C> EPRT |1|192.0.2.9|40002|
    C< 503 *
    do epsv)")

DIALOGUE(Setup, EpsvAllDoesNotStopTheTranslation, R"(
    policy mode=pasv
    do login
    C> EPSV ALL
    C< 200 *
    C> EPSV
    S< PASV
    S> 227 (10,0,0,1,195,80)
    action DialServer 50000
    action OpenPassive
    event passive_opened 198.51.100.1 40001
    C< 229 *)")

DIALOGUE(Setup, PortBecomesActive, R"(
    do login
    C> PORT 192,0,2,9,156,66
    S< EPSV
    S> 229 ok (|||50000|)
    action DialServer 50000
    action UseActive 192.0.2.9:40002
    C< 200 *)")

DIALOGUE(Setup, EprtBecomesActive, R"(
    do login
    do eprt)")

DIALOGUE(Setup, EprtMappedIsIpv4, R"(
    do login
    C> EPRT |2|::ffff:192.0.2.9|40002|
    S< EPSV
    S> 229 ok (|||50000|)
    action DialServer 50000
    action UseActive 192.0.2.9:40002
    C< 200 *)")

DIALOGUE(Setup, ClientOnAMappedAddressMayNameItsIpv4One, R"(
    client ::ffff:192.0.2.9 40000
    do login
    C> PORT 192,0,2,9,156,66
    S< EPSV
    S> 229 ok (|||50000|)
    action DialServer 50000
    action UseActive 192.0.2.9:40002
    C< 200 *)")

DIALOGUE(Setup, EprtFromIpv6, R"(
    client 2001:db8::9 40000
    do login
    C> EPRT |2|2001:DB8:0::9|40002|
    S< EPSV
    S> 229 ok (|||50000|)
    action DialServer 50000
    action UseActive [2001:db8::9]:40002
    C< 200 *)")

DIALOGUE(Setup, EprtFromALinkLocalAddressGoesThroughItsInterface, R"(
    client fe80::9%3 40000
    do login
    C> EPRT |2|fe80::9|40002|
    S< EPSV
    S> 229 ok (|||50000|)
    action DialServer 50000
    action UseActive [fe80::9]:40002 on interface 3
    C< 200 *
    C> EPRT |2|fe80::a|40002|
    C< 501 *)")

DIALOGUE(Setup, BounceByPort, R"(
    do login
    C> PORT 192,0,2,10,156,66
    C< 501 *
    action Note bounce-refused
    C> PORT 10,0,0,1,156,66
    C< 501 *
    C> PORT 127,0,0,1,156,66
    C< 501 *
    C> PORT 0,0,0,0,156,66
    C< 501 *
    C> PORT 255,255,255,255,156,66
    C< 501 *)")

DIALOGUE(Setup, BounceToALowPort, R"(
    do login
    C> PORT 192,0,2,9,0,25
    C< 501 *
    C> PORT 192,0,2,9,3,255
    C< 501 *
    C> PORT 192,0,2,9,0,0
    C< 501 *
    C> EPRT |1|192.0.2.9|1023|
    C< 501 *
    C> EPRT |1|192.0.2.9|0|
    C< 501 *
    C> PORT 192,0,2,9,4,0
    S< EPSV)")

DIALOGUE(Setup, BounceByEprt, R"(
    do login
    C> EPRT |1|192.0.2.10|40002|
    C< 501 *
    action Note bounce-refused
    C> EPRT |2|::ffff:192.0.2.10|40002|
    C< 501 *
    C> EPRT |1|0.0.0.0|40002|
    C< 501 *)")

DIALOGUE(Setup, EprtOfAnotherFamily, R"(
    do login
    C> EPRT |2|2001:db8::9|40002|
    C< 522 Network protocol not supported, use (1).
    C> EPRT |2|::|40002|
    C< 522 *
    C> EPRT |3|x|40002|
    C< 522 *)")

DIALOGUE(Setup, EprtOfAnotherFamilyFromIpv6, R"(
    client 2001:db8::9 40000
    do login
    C> EPRT |1|192.0.2.9|40002|
    C< 522 Network protocol not supported, use (2).
    C> PORT 192,0,2,9,156,66
    C< 501 *
    C> EPRT |2|2001:db8::a|40002|
    C< 501 *)")

DIALOGUE(Setup, MalformedIsRefused, R"(
    do login
    C> PORT
    C< 501 *
    C> PORT 192,0,2,9,156
    C< 501 *
    C> PORT 192,0,2,9,156,66,1
    C< 501 *
    C> PORT 192,0,2,9,156,256
    C< 501 *
    C> EPRT
    C< 501 *
    C> EPRT |1|192.0.2.9|40002
    C< 501 *
    C> EPRT |1|192.0.2|40002|
    C< 501 *
    C> EPRT |1|localhost|40002|
    C< 501 *
    C> EPRT |1|0300.0.2.9|40002|
    C< 501 *
    C> EPRT |1|192.0.2.9|65536|
    C< 501 *)")

DIALOGUE(Setup, LastOneWins, R"(
    do login
    do epsv
    C> EPRT |1|192.0.2.9|40002|
    action CloseData
    S< EPSV
    S> 229 ok (|||50001|)
    action DialServer 50001
    action UseActive 192.0.2.9:40002
    C< 200 *
    C> RETR a
    S< RETR a
    S> 150 ok
    C< 150 ok
    action StartTransfer download protected)")

DIALOGUE(Setup, NewPassiveClosesTheOld, R"(
    do login
    do epsv
    C> PASV
    action CloseData
    S< EPSV
    S> 229 ok (|||50001|)
    action DialServer 50001
    action OpenPassive
    event passive_opened 198.51.100.1 40003
    C< 227 Entering Passive Mode (198,51,100,1,156,67).)")

DIALOGUE(Setup, RefusedOneLeavesTheOld, R"(
    do login
    do epsv
    C> PORT 10,0,0,1,156,66
    C< 501 *
    C> RETR a
    S< RETR a
    action StartTransfer download protected)")

DIALOGUE(Setup, NoPassivePortIsLeft, R"(
    do login
    C> EPSV
    S< EPSV
    S> 229 ok (|||50000|)
    action DialServer 50000
    action OpenPassive
    event setup_failed No free port.
    C< 425 No free port.
    action CloseData
    C> RETR a
    C< 425 *
    do epsv)")

DIALOGUE(Setup, CommandsWaitUntilThePortIsOpen, R"(
    do login
    C> EPSV
    S< EPSV
    C> RETR a
    S> 229 ok (|||50000|)
    action DialServer 50000
    action OpenPassive
    event passive_opened 198.51.100.1 40001
    C< 229 *
    S< RETR a
    action StartTransfer download protected)")

DIALOGUE(Setup, CommandsGoOnWhenItFails, R"(
    do login
    C> EPSV
    S< EPSV
    C> RETR a
    C> NOOP
    S> 229 ok (|||50000|)
    action DialServer 50000
    action OpenPassive
    event setup_failed No.
    action CloseData
    C< 425 No.
    C< 425 *
    S< NOOP)")
