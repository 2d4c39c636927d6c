// How the raw ftpd is asked for a data connection, and what counts as its answer.
#include "ftp/dialogue.h"

#include <string>

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

// A 257 that names a directory "(|||35079|)" would have the gateway dial any port of the server's machine.
TEST(ServerMode, AnotherReplyThanTheOneForItIsNoAnswer)
{
    for (const std::string reply :
        {"200 OK", "227 (10,0,0,1,195,80)", "257 \"(|||35079|)\"", "150 (|||35079|)", "350 (|||35079|)"})
        EXPECT_EQ(safetp::ftp::run_dialogue("policy mode=epsv\n do login\n C> EPSV\n S< EPSV\n S> " + reply
                      + "\n C< 421 *\n action Note reply-out-of-step\n action End raw ftpd out of step"),
            "");
    for (const std::string reply : {"200 OK", "229 (|||35079|)", "257 \"(10,0,0,1,195,80)\""})
        EXPECT_EQ(safetp::ftp::run_dialogue("policy mode=pasv\n do login\n C> EPSV\n S< PASV\n S> " + reply
                      + "\n C< 421 *\n action Note reply-out-of-step\n action End raw ftpd out of step"),
            "");
    for (const std::string reply : {"229 (|||35079|)", "257 ok", "230 in"})
        EXPECT_EQ(safetp::ftp::run_dialogue("policy mode=active\n do login\n C> EPSV\n action ListenForServer\n"
                      "event server_listener 10.0.0.2 50002\n S< PORT 10,0,0,2,195,82\n S> " + reply
                      + "\n C< 421 *\n action End raw ftpd out of step"),
            "");
}

DIALOGUE(ServerMode, TheNextModeIsTriedWhenAllWasHeard, R"(
    do login
    C> EPSV
    S< EPSV
    S+ 500 what?
    waiting server
    S> 200 done
    C< 421 *
    action End raw ftpd out of step)")

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

DIALOGUE(ServerMode, PreliminaryReplyIsAnotherCommands, R"(
    do login
    C> EPSV
    S< EPSV
    S> 120 Wait
    C< 421 *
    action End raw ftpd out of step)")

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
