// ABOR: what it ends, what it is answered, and what of it waits for the raw ftpd.
#include "ftp/transfer_dialogues.h"

#include <string>

using safetp::ftp::kAborted;
using safetp::ftp::kRunning;

DIALOGUE(Abor, WithNothingRunning, R"(
    do login
    C> ABOR
    C< 225 *
    C> ABOR
    C< 225 *)")

DIALOGUE(Abor, ForgetsThePreparedPort, R"(
    do login
    do epsv
    C> ABOR
    action CloseData
    C< 226 *
    C> RETR a
    C< 425 *)")

DIALOGUE(Abor, DuringADownload, kAborted + R"(
    S> 426 Failure writing
    action TransferEnded download RETR a cut
    C> ABOR
    C< 225 *)")

DIALOGUE(Abor, WithTelnetInFront, kRunning + R"(
    C> \xff\xf4\xff\xf2abor
    action AbortData
    C< 426 *
    C< 226 *
    S> 226 done
    action TransferEnded download RETR a cut)")

DIALOGUE(Abor, DuringAnUploadThatTheServerCallsComplete, R"(
    do login
    do epsv
    C> STOR a
    S< STOR a
    action StartTransfer upload protected
    S> 150 ok
    C< 150 ok
    C> ABOR
    action AbortData
    C< 426 *
    C< 226 *
    S> 226 stored
    action TransferEnded upload STOR a cut)")

DIALOGUE(Abor, BeforeThe150, R"(
    do login
    do epsv
    C> RETR a
    S< RETR a
    action StartTransfer download protected
    C> ABOR
    action AbortClientData
    C< 426 *
    C< 226 *
    S> 550 No such file
    action TransferEnded download RETR a cut)")

DIALOGUE(Abor, IsNeverForwarded, kAborted + R"(
    C> NOOP
    S> 426 cut
    action TransferEnded download RETR a cut
    S< NOOP)")

DIALOGUE(Abor, WhileFinishing, kRunning + R"(
    event data_over
    S> 226 done
    action FinishDownload
    C> ABOR
    action AbortData
    C< 426 *
    action TransferEnded download RETR a cut
    C< 226 *)")

DIALOGUE(Abor, JustAfterTheEnd, kRunning + R"(
    event data_over
    S> 226 done
    action FinishDownload
    event delivered
    C< 226 done
    action TransferEnded download RETR a complete
    C> ABOR
    C< 225 *)")

DIALOGUE(Abor, AfterAFailure, kRunning + R"(
    event failed client_broken
    action AbortData
    C< 426 *
    C> ABOR
    C< 226 *
    S> 426 cut
    action TransferEnded download RETR a cut)")

DIALOGUE(Abor, Twice, kAborted + R"(
    C> ABOR
    C< 226 *
    S> 426 cut
    action TransferEnded download RETR a cut)")

DIALOGUE(Abor, AnsweredInItsTurn, kRunning + R"(
    C> NOOP
    C> ABOR
    action AbortData
    C< 426 *
    C< 200 *
    C< 226 *
    S> 426 cut
    action TransferEnded download RETR a cut)")

DIALOGUE(Abor, PipelinedBehindTheTransfer, R"(
    do login
    C> EPSV
    S< EPSV
    C> RETR a
    C> ABOR
    S> 229 (|||50000|)
    action DialServer 50000
    action OpenPassive
    event passive_opened 198.51.100.1 40001
    C< 229 *
    S< RETR a
    action StartTransfer download protected
    action AbortClientData
    C< 426 *
    C< 226 *
    S> 150 ok
    action AbortData
    S> 426 cut
    action TransferEnded download RETR a cut)")

DIALOGUE(Abor, AnEarlierOneInTheQueueDoesNotHideALaterOne, kRunning + R"(
    event failed client_broken
    action AbortData
    C< 426 *
    C> EPSV
    C> ABOR
    C> EPSV
    C> RETR b
    S> 426 cut
    action TransferEnded download RETR a cut
    S< EPSV
    S> 229 (|||50000|)
    action DialServer 50000
    action OpenPassive
    event passive_opened 198.51.100.1 40001
    C< 229 *
    action CloseData
    C< 226 *
    S< EPSV
    S> 229 (|||50000|)
    action DialServer 50000
    action OpenPassive
    event passive_opened 198.51.100.1 40001
    C< 229 *
    S< RETR b
    action StartTransfer download protected
    C> ABOR
    action AbortClientData
    C< 426 *
    C< 226 *
    S> 426 cut
    action TransferEnded download RETR b cut)")

DIALOGUE(Abor, BehindAQueuedTransferEndsItAndALaterOneTheNext, kRunning + R"(
    event failed client_broken
    action AbortData
    C< 426 *
    C> EPSV
    C> RETR b
    C> ABOR
    C> NOOP
    S> 426 cut
    action TransferEnded download RETR a cut
    S< EPSV
    S> 229 (|||50000|)
    action DialServer 50000
    action OpenPassive
    event passive_opened 198.51.100.1 40001
    C< 229 *
    S< RETR b
    action StartTransfer download protected
    action AbortClientData
    C< 426 *
    C< 226 *
    S> 226 done
    action TransferEnded download RETR b cut
    S< NOOP)")

// Some ftpds say nothing of a transfer that was reset, and answer the next command: one of ours, then.
DIALOGUE(Abor, TheServerNeverSpeaksOfTheTransferAgain, kAborted + R"(
    waiting aftermath
    event timeout aftermath
    S< NOOP
    waiting server
    C> PWD
    S> 200 ok
    action TransferEnded download RETR a cut (the client said ABOR)
    S< PWD)")

// Nor answers anything else: what needs it never goes out, so that nothing late can count for it.
DIALOGUE(Abor, TheServerNeverSpeaksAgain, kRunning + R"(
    C> NOOP
    C> ABOR
    action AbortData
    C< 426 *
    C< 200 *
    C< 226 *
    C> CWD a
    C> NOOP
    waiting aftermath
    event timeout aftermath
    S< NOOP
    waiting server
    event timeout server
    C< 421 *
    action AbortData
    action TransferEnded download RETR a cut (session ended: raw ftpd timed out)
    action End raw ftpd timed out)")

DIALOGUE(Abor, TheServerSpeaksOfTheTransferLate, kAborted + R"(
    event timeout aftermath
    S< NOOP
    S> 426-Cut
    S> 426 off
    action TransferEnded download RETR a cut
    waiting server
    S> 200-ok
    S> 200 ok
    waiting client
    C> PWD
    S< PWD)")

DIALOGUE(Abor, TheServerSpeaksLateAndDoesNotKnowNoop, kRunning + R"(
    event failed client_broken
    action AbortData
    C< 426 *
    waiting aftermath
    event timeout aftermath
    S< NOOP
    S> 226 done
    action TransferEnded download RETR a cut
    S> 500 what?
    waiting client)")

TEST(Abor, IsHeardBehindWhateverWaits)
{
    std::string script = "policy waiting=8\n" + kRunning;
    for (int i = 0; i < 15; ++i)
        script += "C> NOOP\n C> PWD\n wants yes\n";
    EXPECT_EQ(safetp::ftp::run_dialogue(script + R"(
        C> STAT
        C< 211-*
        C<  RETR: 0 bytes so far
        C< 211 *
        C> ABOR
        action AbortData
        C< 426 *
        C< 200 *
        S> 426 cut
        action TransferEnded download RETR a cut
        S< PWD
        wants no)"),
        "");
    EXPECT_EQ(safetp::ftp::run_dialogue(script + R"(
        # and yet they are bounded
        C> PWD
        C> PWD
        C> PWD
        action AbortData
        action TransferEnded download RETR a cut
        C< 421 *
        action End too many waiting commands)"),
        "");
}
