// Order: pipelining, STAT, NOOP and QUIT during transfers.
#include "ftp/transfer_dialogues.h"

#include <string>

using safetp::ftp::kRunning;

DIALOGUE(Pipelining, OneCommandAtATimeIsWithTheServer, R"(
    do login
    C> CWD a
    S< CWD a
    C> SIZE b
    C> MDTM c
    S> 250 ok
    C< 250 ok
    S< SIZE b
    S> 213 5
    C< 213 5
    S< MDTM c
    S> 213 20240101000000
    C< 213 20240101000000
    waiting client)")

DIALOGUE(Pipelining, LocalRepliesWaitForTheServersReplies, R"(
    do login
    C> NOOP
    S< NOOP
    C> PBSZ 0
    C> REIN
    C> PWD
    S> 200 ok
    C< 200 ok
    C< 200 PBSZ=0
    C< 502 *
    S< PWD)")

DIALOGUE(Pipelining, LoginInOneGo, R"(
    do tls
    C> USER anna
    S< USER anna
    C> PASS secret
    C> PBSZ 0
    C> PROT P
    C> FEAT
    S> 331 Password?
    C< 331 Password?
    S< PASS secret
    S> 230 in
    C< 230 in
    action LoggedIn anna
    C< 200 PBSZ=0
    C< 200 *
    S< FEAT)")

DIALOGUE(Pipelining, TypeEpsvAndRetr, R"(
    do login
    C> TYPE I
    S< TYPE I
    C> EPSV
    C> RETR a
    C> QUIT
    S> 200 ok
    C< 200 ok
    S< EPSV
    S> 229 (|||50000|)
    action DialServer 50000
    action OpenPassive
    event passive_opened 198.51.100.1 40001
    C< 229 *
    S< RETR a
    action StartTransfer download protected
    S> 150 ok
    C< 150 ok
    event data_over
    S> 226 done
    action FinishDownload
    event delivered
    C< 226 done
    action TransferEnded download RETR a binary complete
    S< QUIT
    S> 221 bye
    C< 221 bye
    action End quit)")

DIALOGUE(Pipelining, IsBounded, R"(
    policy waiting=2
    do login
    C> NOOP
    S< NOOP
    wants yes
    C> PWD
    wants yes
    C> SYST
    wants no
    S> 200 ok
    C< 200 ok
    S< PWD
    wants yes)")
DIALOGUE(Pipelining, LongRepliesKeepTheirPlace, R"(
    do login
    C> STAT /
    S< STAT /
    C> PBSZ 0
    S> 213-list
    C< 213-list
    S> 200 text
    C< 200 text
    S> 213 end
    C< 213 end
    C< 200 PBSZ=0)")

DIALOGUE(Pipelining, NothingIsForwardedAfterTheServerClosed, R"(
    do login
    C> NOOP
    S< NOOP
    C> DELE a
    S> 421 bye
    C< 421 bye
    action End raw ftpd closed)")

// ---- STAT, NOOP and QUIT during a transfer

DIALOGUE(Stat, DuringATransferIsAnsweredHere, kRunning + R"(
    event progress 12345
    C> STAT
    C< 211-*
    C<  RETR: 12345 bytes so far
    C< 211 *
    event data_over
    S> 226 done
    action FinishDownload
    event delivered
    C< 226 done
    action TransferEnded download RETR a complete)")

DIALOGUE(Stat, BeforeThe150Waits, R"(
    do login
    do epsv
    C> RETR a
    S< RETR a
    action StartTransfer download protected
    C> STAT
    S> 550 no
    action EndData
    C< 550 no
    action TransferEnded download RETR a cut
    S< STAT)")

DIALOGUE(Stat, WithAnArgumentWaits, kRunning + R"(
    C> STAT /
    event data_over
    S> 226 done
    action FinishDownload
    event delivered
    C< 226 done
    action TransferEnded download RETR a complete
    S< STAT /)")

DIALOGUE(Stat, IsHeardWhateverWaits, kRunning + R"(
    C> NOOP
    C> PWD
    C> STAT
    C< 211-*
    C<  RETR: 0 bytes so far
    C< 211 *
    event data_over
    S> 226 done
    action FinishDownload
    event delivered
    C< 226 done
    action TransferEnded download RETR a complete
    S< NOOP
    S> 200 ok
    C< 200 ok
    S< PWD)")

DIALOGUE(Stat, AfterTheVerdictWaits, kRunning + R"(
    event failed client_broken
    action AbortData
    C< 426 *
    C> STAT
    S> 426 cut
    action TransferEnded download RETR a cut
    S< STAT)")

// Some clients send one each half minute, and an upload may take days.
TEST(Noop, DuringATransferIsCountedNotStored)
{
    std::string script = kRunning;
    for (int i = 0; i < 1000; ++i)
        script += "C> NOOP\n wants yes\n";
    script += R"(
        C> ABOR
        action AbortData
        C< 426 *
    )";
    for (int i = 0; i < 1000; ++i)
        script += "C< 200 *\n";
    EXPECT_EQ(safetp::ftp::run_dialogue(script + R"(
        C< 226 *
        S> 426 cut
        action TransferEnded download RETR a cut (the client said ABOR; the server says: 426 cut)
        waiting client)"),
        "");
}

// Else a client that floods is read as fast as it can send, and is owed millions of replies.
DIALOGUE(Noop, OutsideATransferCountsAsWaiting, R"(
    policy waiting=2
    do login
    C> NOOP
    S< NOOP
    C> NOOP
    wants yes
    C> NOOP
    wants no
    S> 200 ok
    C< 200 ok
    S< NOOP
    wants yes)")

DIALOGUE(Epsv, DuringATransferLeavesItAlone, kRunning + R"(
    C> EPSV
    event data_over
    S> 226 done
    action FinishDownload
    event delivered
    C< 226 done
    action TransferEnded download RETR a complete
    S< EPSV)")

DIALOGUE(Quit, DuringATransferWaitsForItsEnd, kRunning + R"(
    C> QUIT
    event data_over
    S> 226 done
    action FinishDownload
    event delivered
    C< 226 done
    action TransferEnded download RETR a complete
    S< QUIT
    S> 221 bye
    C< 221 bye
    action End quit)")

DIALOGUE(Quit, ServerClosesWithoutAWord, R"(
    do login
    C> QUIT
    S< QUIT
    event server_end
    C< 221 *
    action End quit)")

DIALOGUE(Quit, LongFarewell, R"(
    do login
    C> QUIT
    S< QUIT
    S> 221-You sent
    C< 221-You sent
    S> 221 bye
    C< 221 bye
    action End quit
    S> 221 bye
    event server_end)")

DIALOGUE(Quit, NothingIsDoneBehindIt, R"(
    do login
    C> QUIT
    S< QUIT
    C> DELE a
    S> 221 bye
    C< 221 bye
    action End quit)")
