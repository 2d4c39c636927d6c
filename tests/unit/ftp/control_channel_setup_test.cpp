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
    C< 501 *
    C> EPSV\s
    C< 501 *)")

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

// ---- the raw ftpd's side

DIALOGUE(ServerMode, FallsBackFromEpsvToPasv, R"(
    do login
    C> EPSV
    S< EPSV
    S> 500 Unknown command
    S< PASV
    S> 227 Entering Passive Mode (10,0,0,1,195,80)
    action DialServer 50000
    action OpenPassive
    event passive_opened 198.51.100.1 40001
    C< 229 *
    C> EPSV
    action CloseData
    S< PASV)")

DIALOGUE(ServerMode, FallsBackFromPasvToActive, R"(
    do login
    C> EPSV
    S< EPSV
    S> 502 Not implemented
    S< PASV
    S> 502 Not implemented
    action ListenForServer
    event server_listener 10.0.0.2 50002
    S< PORT 10,0,0,2,195,82
    S> 200 OK
    action OpenPassive
    event passive_opened 198.51.100.1 40001
    C< 229 *
    C> EPSV
    action CloseData
    action ListenForServer)")

DIALOGUE(ServerMode, Ipv6FallsBackToEprt, R"(
    server fd00::1
    do login
    C> EPSV
    S< EPSV
    S> 500 Unknown
    action ListenForServer
    event server_listener fd00::2 50002
    S< EPRT |2|fd00::2|50002|
    S> 200 OK
    action OpenPassive
    event passive_opened 198.51.100.1 40001
    C< 229 *)")

DIALOGUE(ServerMode, NothingWorks, R"(
    do login
    C> PASV
    S< EPSV
    S> 500 no
    S< PASV
    S> 500 no
    action ListenForServer
    event server_listener 10.0.0.2 50002
    S< PORT 10,0,0,2,195,82
    S> 500 no
    action CloseData
    C< 500 no
    C> PASV
    S< EPSV)")

DIALOGUE(ServerMode, OnlyEpsv, R"(
    policy mode=epsv
    do login
    C> EPSV
    S< EPSV
    S> 500 Unknown
    action CloseData
    C< 500 Unknown)")

DIALOGUE(ServerMode, OnlyPasv, R"(
    policy mode=pasv
    do login
    C> EPRT |1|192.0.2.9|40002|
    S< PASV
    S> 227 =10,0,0,1,195,80
    action DialServer 50000
    action UseActive 192.0.2.9:40002
    C< 200 EPRT *
    C> EPSV
    action CloseData
    S< PASV
    S> 502 no
    action CloseData
    C< 502 no)")

DIALOGUE(ServerMode, OnlyActive, R"(
    policy mode=active
    do login
    C> EPSV
    action ListenForServer
    event server_listener 10.0.0.2 50002
    S< PORT 10,0,0,2,195,82
    S> 200 OK
    action OpenPassive
    event passive_opened 198.51.100.1 40001
    C< 229 *)")

DIALOGUE(ServerMode, ActiveOnBothSides, R"(
    policy mode=active
    do login
    C> PORT 192,0,2,9,156,66
    action ListenForServer
    event server_listener 10.0.0.2 50002
    S< PORT 10,0,0,2,195,82
    S> 200 OK
    action UseActive 192.0.2.9:40002
    C< 200 PORT *)")

DIALOGUE(ServerMode, ActiveCannotListen, R"(
    policy mode=active
    do login
    C> EPSV
    action ListenForServer
    event setup_failed No free port.
    action CloseData
    C< 425 No free port.)")

DIALOGUE(ServerMode, ActiveIsRefused, R"(
    policy mode=active
    do login
    C> EPSV
    action ListenForServer
    event server_listener 10.0.0.2 50002
    S< PORT 10,0,0,2,195,82
    S> 500 Illegal PORT command
    action CloseData
    C< 500 Illegal PORT command)")

DIALOGUE(ServerMode, NotLoggedInIsNoReasonToTryAnother, R"(
    policy security=optional
    do greet
    C> EPSV
    S< EPSV
    S> 530 Please log in
    action CloseData
    C< 530 Please log in
    C> PASV
    S< EPSV)")

DIALOGUE(ServerMode, TemporaryRefusalReachesTheClient, R"(
    do login
    C> EPSV
    S< EPSV
    S> 425-No port
    S> 425 now
    action CloseData
    C< 425-No port
    C< 425 now
    C> EPSV
    S< EPSV)")

DIALOGUE(ServerMode, TheAddressInA227IsIgnored, R"(
    policy mode=pasv
    do login
    C> EPSV
    S< PASV
    S> 227 Entering Passive Mode (203,0,113,66,195,80)
    action DialServer 50000
    action OpenPassive
    event passive_opened 198.51.100.1 40001
    C< 229 *)")

DIALOGUE(ServerMode, LowPortIn227IsRefused, R"(
    policy mode=pasv
    do login
    C> EPSV
    S< PASV
    S> 227 Entering Passive Mode (10,0,0,1,0,25)
    action Note bad-passive-reply
    action CloseData
    C< 425 *)")

DIALOGUE(ServerMode, NoPortIn227, R"(
    policy mode=pasv
    do login
    C> EPSV
    S< PASV
    S> 227 Entering Passive Mode
    action CloseData
    C< 425 *
    C> NOOP
    S< NOOP)")

DIALOGUE(ServerMode, NoPortIn229, R"(
    do login
    C> EPSV
    S< EPSV
    S> 229 Entering Extended Passive Mode (||||)
    action CloseData
    C< 425 *)")

DIALOGUE(ServerMode, AnotherPositiveReplyThan229, R"(
    do login
    C> EPSV
    S< EPSV
    S> 200 OK
    action CloseData
    C< 425 *)")

DIALOGUE(ServerMode, ReplyInSeveralLines, R"(
    do login
    C> EPSV
    S< EPSV
    S> 229-Entering
    S> 229 Extended Passive Mode (|||50000|)
    action DialServer 50000
    action OpenPassive
    event passive_opened 198.51.100.1 40001
    C< 229 *)")

DIALOGUE(ServerMode, PreliminaryReplyStaysHere, R"(
    do login
    C> EPSV
    S< EPSV
    S> 120 Wait
    S> 229 (|||50000|)
    action DialServer 50000
    action OpenPassive
    event passive_opened 198.51.100.1 40001
    C< 229 *)")

DIALOGUE(ServerMode, ServerClosesInstead, R"(
    do login
    C> EPSV
    S< EPSV
    S> 421 Bye
    C< 421 Bye
    action End raw ftpd closed)")

DIALOGUE(ServerMode, EarlyEventsAreNoAnswers, R"(
    do login
    C> PORT 192,0,2,9,156,66
    S< EPSV
    event passive_opened 198.51.100.1 40001
    event server_listener 10.0.0.2 50002
    event setup_failed No.
    S> 229 (|||50000|)
    action DialServer 50000
    action UseActive 192.0.2.9:40002
    C< 200 *)")
