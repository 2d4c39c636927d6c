// Downloads: every order of the raw ftpd's final reply and what happens to the data.
#include "ftp/transfer_dialogues.h"

namespace safetp::ftp {
namespace {

// ---- downloads

DIALOGUE(Download, ReplyAfterTheData,
    kDownload + k150 + R"(
    waiting data
    event data_over
    waiting server
    S> 226 done
    action FinishDownload
    event delivered
    C< 226 done
    action TransferEnded download RETR a complete)"
        + kStillWorks)

DIALOGUE(Download, ReplyBeforeTheData,
    kDownload + k150 + R"(
    S> 226 done
    waiting data
    event data_over
    action FinishDownload
    waiting data
    event delivered
    C< 226 done
    action TransferEnded download RETR a complete)"
        + kStillWorks)

DIALOGUE(Download, DataBeforeThe150,
    kDownload + R"(
    event data_over
    S> 150 ok
    C< 150 ok
    S> 226 done
    action FinishDownload
    event delivered
    C< 226 done
    action TransferEnded download RETR a complete)"
        + kStillWorks)

// RFC 959 section 5.4: no transfer without a 1yz. It may be another command's reply, and the data another's data.
DIALOGUE(Download, SuccessWithoutA150IsNone,
    kDownload + R"(
    waiting server
    event data_over
    S> 226 done
    action AbortData
    C< 451 *
    action TransferEnded download RETR a cut (the server never began it; the server says: 226 done))"
        + kStillWorks)

DIALOGUE(Download, Code250AndSeveralLinesAreKept, kDownload + k150 + R"(
    event data_over
    S> 250-All
    S> 226 text
    S> 250 done
    action FinishDownload
    event delivered
    C< 250-All
    C< 226 text
    C< 250 done
    action TransferEnded download RETR a complete)")

DIALOGUE(Download, No226BeforeDelivery, kDownload + k150 + R"(
    event data_over
    S> 226 done
    action FinishDownload
    C> NOOP
    waiting data
    event delivered
    C< 226 done
    action TransferEnded download RETR a complete
    S< NOOP)")

DIALOGUE(Download, DeliveredTooEarlyIsNoDelivery, kDownload + k150 + R"(
    event delivered
    S> 226 done
    event delivered
    event data_over
    action FinishDownload
    event delivered
    C< 226 done
    action TransferEnded download RETR a complete)")

DIALOGUE(Download, RefusedAtOnce,
    kDownload + R"(
    S> 550 No such file
    action EndData
    C< 550 No such file)"
        + "\n" + kDownloadCut + kStillWorks)

DIALOGUE(Download, RefusedAtOnceInSeveralLines,
    kDownload + R"(
    S> 550-No
    S> 150 text
    S> 550 such file
    action EndData
    C< 550-No
    C< 150 text
    C< 550 such file)"
        + "\n" + kDownloadCut)

// Its data end in order, so the client's do; the reply that says what they are worth comes after them.
DIALOGUE(Download, RefusedBeforeTheDataIsOver,
    kDownload + k150 + R"(
    S> 450 No such file
    action AwaitEnd
    waiting data
    event data_over
    action FinishDownload
    event delivered
    C< 450 No such file)"
        + "\n" + kDownloadCut + kStillWorks)

DIALOGUE(Download, RefusedAfterTheDataIsOver,
    kDownload + k150 + R"(
    event data_over
    S> 426 Cut
    action FinishDownload
    event delivered
    C< 426 Cut)"
        + "\n" + kDownloadCut + kStillWorks)

DIALOGUE(Download, RefusedThenItsDataBreak,
    kDownload + k150 + R"(
    S> 451 Disk
    action AwaitEnd
    event failed server_broken
    action AbortData
    C< 451 Disk)"
        + "\n" + kDownloadCut + kStillWorks)

DIALOGUE(Download, RefusedThenItsDataDoNotEnd,
    kDownload + k150 + R"(
    S> 451 Disk
    action AwaitEnd
    event timeout data
    action AbortData
    C< 451 Disk)"
        + "\n" + kDownloadCut + kStillWorks)

DIALOGUE(Download, RefusedThenTheClientAborts,
    kDownload + k150 + R"(
    S> 451 Disk
    action AwaitEnd
    C> ABOR
    action AbortData
    C< 426 *)"
        + "\n" + kDownloadCut + "C< 226 *\n" + kStillWorks)

DIALOGUE(Download, RefusedAtOnceAfterItsPortIsGone,
    kDownload + R"(
    event failed server_broken
    waiting server
    S> 550 No such file
    action EndData
    C< 550 No such file)"
        + "\n" + kDownloadCut + kStillWorks)

DIALOGUE(Download, BegunAfterItsPortIsGone,
    kDownload + R"(
    event failed server_broken
    S> 150 ok
    action AbortData
    C< 150 ok
    S> 451 Disk
    C< 451 Disk)"
        + "\n" + kDownloadCut + kStillWorks)

DIALOGUE(Download, IntermediateReplyIsAnotherCommands, kDownload + k150 + R"(
    event data_over
    S> 350 Hm
    C< 421 *
    action Note reply-out-of-step
    action AbortData
    action TransferEnded download RETR a cut
    action End raw ftpd out of step)")

DIALOGUE(Download, ServersDataBreaksThenItSays226,
    kDownload + k150 + R"(
    event failed server_broken
    action AbortData
    waiting server
    S> 226 done
    C< 426 *)"
        + "\n" + kDownloadCut + kStillWorks)

DIALOGUE(Download, ServersDataBreaksThenItSaysWhy,
    kDownload + k150 + R"(
    event failed server_broken
    action AbortData
    S> 451 Disk failure
    C< 451 Disk failure)"
        + "\n" + kDownloadCut)

DIALOGUE(Download, ServerSays226ThenItsDataBreaks,
    kDownload + k150 + R"(
    S> 226 done
    event failed server_broken
    action AbortData
    C< 426 *)"
        + "\n" + kDownloadCut + kStillWorks)

DIALOGUE(Download, ServersDataBreaksThenItSaysNothing,
    kDownload + k150 + R"(
    event failed server_broken
    action AbortData
    waiting server
    event timeout server
    C< 421 *
    action AbortData)"
        + "\n" + kDownloadCut + "action End raw ftpd timed out")

DIALOGUE(Download, BreaksWhileFinishing,
    kDownload + k150 + R"(
    event data_over
    S> 226 done
    action FinishDownload
    event failed client_broken
    action AbortData
    C< 426 *)"
        + "\n" + kDownloadCut + kStillWorks)

DIALOGUE(Download, StallsWhileFinishing,
    kDownload + k150 + R"(
    event data_over
    S> 226 done
    action FinishDownload
    event timeout data
    action AbortData
    C< 426 *)"
        + "\n" + kDownloadCut + kStillWorks)

DIALOGUE(Download, Stalls,
    kDownload + k150 + R"(
    event timeout data
    action AbortData
    C< 426 *
    waiting aftermath
    S> 426 Failure writing
    )" + kDownloadCut + kStillWorks)

DIALOGUE(Download, SecondFinalEnds, kDownload + k150 + R"(
    S> 226 done
    S> 226 done again
    C< 421 *
    action Note unexpected-reply
    action AbortData
    action TransferEnded download RETR a cut
    action End raw ftpd out of step)")

DIALOGUE(Download, ReplyBehindTheFinalEnds, kDownload + k150 + R"(
    event data_over
    S> 226 done
    action FinishDownload
    S> 150 again
    C< 421 *
    action AbortData
    action TransferEnded download RETR a cut
    action End raw ftpd out of step)")

DIALOGUE(Download, A421InsteadOfTheFinal,
    kDownload + k150 + R"(
    S> 421 Shutting down
    action AwaitEnd
    event server_end
    event data_over
    action FinishDownload
    event delivered
    C< 421 Shutting down)"
        + "\n" + kDownloadCut + "action End raw ftpd closed")

DIALOGUE(Download, A421AfterTheVerdict,
    kDownload + k150 + R"(
    event failed client_broken
    action AbortData
    C< 426 *
    S> 421 Shutting down
    )" + kDownloadCut
        + "C< 421 *\n action End raw ftpd closed")

DIALOGUE(Download, ServerClosesInTheMiddle,
    kDownload + k150 + R"(
    event server_end
    action AbortData
    C< 421 *)"
        + "\n" + kDownloadCut + "action End raw ftpd closed")

DIALOGUE(Download, ClientClosesInTheMiddle,
    kDownload + k150 + R"(
    event client_end
    action AbortData
    )" + kDownloadCut
        + "action End client closed")

DIALOGUE(Download, SeveralPreliminaries, kDownload + R"(
    S> 125 open
    C< 125 open
    S> 150 ok
    C< 150 ok
    S> 150 ok
    C< 150 ok
    event data_over
    S> 226 done
    action FinishDownload
    event delivered
    C< 226 done
    action TransferEnded download RETR a complete)")

DIALOGUE(Download, PreliminaryInSeveralLinesIsPassedOnWhole,
    kDownload + R"(
    S> 150-Opening
    C> ABOR
    action AbortClientData
    C< 426 *
    C< 226 *
    S> 226 text
    S> 150 ok
    action AbortData
    S> 226 done
    )" + kDownloadCut + kStillWorks)

DIALOGUE(Download, SilentServerTimesOut,
    kDownload + R"(
    waiting server
    event timeout server
    action AbortData
    C< 421 *)"
        + "\n" + kDownloadCut + "action End raw ftpd timed out")

DIALOGUE(Download, No226AfterTheDataTimesOut,
    kDownload + k150 + R"(
    event data_over
    waiting server
    event timeout server
    action AbortData
    C< 421 *)"
        + "\n" + kDownloadCut + "action End raw ftpd timed out")

TEST(Download, FailureOnTheClientsSideThenAnyFinal)
{
    for (const auto& [failure, verdict] : kClientFailures)
        for (const std::string final : { "226 done", "426 Cut", "451 Disk", "226-a\n S> 226 b" })
            for (const std::string& before : { std::string(), k150 })
                EXPECT_EQ(run_dialogue(kDownload + before + "event failed " + failure + "\n action " + abort_of(before)
                              + "\n C< " + verdict + "\n waiting aftermath\n S> " + final + "\n" + kDownloadCut + kStillWorks),
                    "");
}

TEST(Download, AnyFinalThenFailureOnTheClientsSide)
{
    for (const auto& [failure, verdict] : kClientFailures)
        for (const std::string over : { "", "event data_over\n action FinishDownload\n" })
            EXPECT_EQ(run_dialogue(kDownload + k150 + "S> 226 done\n" + over + "event failed " + failure
                          + "\n action AbortData\n C< " + verdict + "\n" + kDownloadCut + kStillWorks),
                "");
}

TEST(Download, FailureAfterTheDataIsOverButBeforeTheFinal)
{
    for (const auto& [failure, verdict] : kClientFailures)
        EXPECT_EQ(run_dialogue(kDownload + k150 + "event data_over\n event failed " + failure + "\n action AbortData\n C< "
                      + verdict + "\n S> 226 done\n" + kDownloadCut + kStillWorks),
            "");
}

TEST(Download, OnlyTheFirstFailureCounts)
{
    for (const char* second :
        { "failed client_broken", "failed server_broken", "failed stalled", "data_over", "delivered", "timeout data" })
        EXPECT_EQ(run_dialogue(kDownload + k150 + "event failed handshake_failed\n action AbortData\n C< 522 *\n event "
                      + second + "\n S> 226 done\n" + kDownloadCut + kStillWorks),
            "");
}

TEST(Download, EventsAfterTheEndMeanNothing)
{
    for (const char* event : { "failed client_broken", "failed server_broken", "data_over", "delivered", "timeout data" })
        EXPECT_EQ(run_dialogue(kDownload + "S> 550 no\n action EndData\n C< 550 no\n" + kDownloadCut + "event " + event + "\n"
                      + kStillWorks),
            "");
}

TEST(Download, EveryVerb)
{
    for (const std::string verb : { "RETR", "LIST", "NLST", "MLSD" })
        EXPECT_EQ(run_dialogue(
                      "do login\n do epsv\n C> " + verb + " a\n S< " + verb + " a\n action StartTransfer download protected"),
            "");
    for (const std::string verb : { "LIST", "NLST", "MLSD" })
        EXPECT_EQ(
            run_dialogue("do login\n do epsv\n C> " + verb + "\n S< " + verb + "\n action StartTransfer download protected"),
            "");
}

// Taken for the answer to the gateway's own NOOP, it would leave that NOOP's to the next command.
DIALOGUE(Download, LastWordsSaidTwiceAreNotTheOwnNoopsAnswer, kDownload + k150 + R"(
    C> ABOR
    action AbortData
    C< 426 *
    C< 226 *
    waiting aftermath
    event timeout aftermath
    S< NOOP
    S+ 426 cut
    action TransferEnded download RETR a cut
    S> 426 cut
    C< 421 *
    action Note reply-out-of-step
    action End raw ftpd out of step)")

} // namespace
} // namespace safetp::ftp
