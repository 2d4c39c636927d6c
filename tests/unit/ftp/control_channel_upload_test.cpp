// Uploads and transfers with clients that listen: every order of reply and data.
#include "ftp/transfer_dialogues.h"

namespace safetp::ftp {
namespace {

// ---- uploads

DIALOGUE(Upload, ReplyAfterTheData,
    kUpload + k150 + R"(
    waiting data
    event data_over
    waiting server
    S> 226 stored
    C< 226 stored
    action TransferEnded upload STOR a complete)"
        + kStillWorks)

DIALOGUE(Upload, DataBeforeThe150,
    kUpload + R"(
    event data_over
    S> 150 ok
    C< 150 ok
    S> 226 stored
    C< 226 stored
    action TransferEnded upload STOR a complete)"
        + kStillWorks)

DIALOGUE(Upload, SuccessWithoutA150IsNone,
    kUpload + R"(
    event data_over
    S> 250 stored
    action AbortData
    C< 451 *)"
        + "\n" + kUploadCut + kStillWorks)

DIALOGUE(Upload, SuccessBeforeTheDataIsOverIsNone,
    kUpload + k150 + R"(
    S> 226 stored
    action AbortData
    C< 426 *)"
        + "\n" + kUploadCut + kStillWorks)

DIALOGUE(Upload, SuccessBeforeTheDataAndThe150IsNone,
    kUpload + R"(
    S> 226 stored
    action AbortData
    C< 451 *)"
        + "\n" + kUploadCut + kStillWorks)

DIALOGUE(Upload, RefusedAtOnce,
    kUpload + R"(
    S> 553 No
    action EndData
    C< 553 No)"
        + "\n" + kUploadCut + kStillWorks)

DIALOGUE(Upload, DiskFullInTheMiddle,
    kUpload + k150 + R"(
    S> 452 Disk full
    action EndData
    C< 452 Disk full)"
        + "\n" + kUploadCut + kStillWorks)

DIALOGUE(Upload, DiskFullAtTheEnd,
    kUpload + k150 + R"(
    event data_over
    S> 452 Disk full
    action EndData
    C< 452 Disk full)"
        + "\n" + kUploadCut + kStillWorks)

DIALOGUE(Upload, ServersDataBreaksThenItSays226,
    kUpload + k150 + R"(
    event failed server_broken
    action AbortData
    S> 226 stored
    C< 426 *)"
        + "\n" + kUploadCut + kStillWorks)

DIALOGUE(Upload, ServersDataBreaksThenItSaysWhy,
    kUpload + k150 + R"(
    event failed server_broken
    action AbortData
    waiting server
    S> 452 Disk full
    C< 452 Disk full)"
        + "\n" + kUploadCut + kStillWorks)

DIALOGUE(Upload, ServersDataBreaksBehindTheEnd,
    kUpload + k150 + R"(
    event data_over
    event failed server_broken
    action AbortData
    S> 226 stored
    C< 426 *)"
        + "\n" + kUploadCut)

DIALOGUE(Upload, ControlConnectionCut,
    kUpload + k150 + R"(
    event client_end
    action AbortData
    )" + kUploadCut
        + "action End client closed")

DIALOGUE(Upload, ControlConnectionBroken,
    kUpload + k150 + R"(
    event broken
    action AbortData
    )" + kUploadCut
        + "action End connection broken")

DIALOGUE(Upload, ControlConnectionCutAfterTheDataIsOver,
    kUpload + k150 + R"(
    event data_over
    event client_end
    action AbortData
    )" + kUploadCut
        + "action End client closed")

DIALOGUE(Upload, ControlConnectionCutBeforeThe150,
    kUpload + R"(
    event client_end
    action AbortData
    )" + kUploadCut
        + "action End client closed")

DIALOGUE(Upload, ControlConnectionCutAfterTheVerdict,
    kUpload + k150 + R"(
    event failed client_broken
    action AbortData
    C< 426 *
    event client_end
    action AbortData
    )" + kUploadCut
        + "action End client closed")

TEST(Upload, FailureOnTheClientsSideThenAnyFinal)
{
    for (const auto& [failure, verdict] : kClientFailures)
        for (const std::string final : { "226 stored", "426 Cut", "451 Disk" })
            for (const std::string& before : { std::string(), k150 })
                EXPECT_EQ(run_dialogue(kUpload + before + "event failed " + failure + "\n action " + abort_of(before)
                              + "\n C< " + verdict + "\n S> " + final + "\n" + kUploadCut + kStillWorks),
                    "");
}

TEST(Upload, FailureAfterTheDataIsOver)
{
    for (const auto& [failure, verdict] : kClientFailures)
        EXPECT_EQ(run_dialogue(kUpload + k150 + "event data_over\n event failed " + failure + "\n action AbortData\n C< "
                      + verdict + "\n S> 226 stored\n" + kUploadCut + kStillWorks),
            "");
}

TEST(Upload, EveryVerb)
{
    for (const std::string verb : { "STOR", "STOU", "APPE" })
        EXPECT_EQ(
            run_dialogue("do login\n do epsv\n C> " + verb + " a\n S< " + verb + " a\n action StartTransfer upload protected"),
            "");
    EXPECT_EQ(run_dialogue("do login\n do epsv\n C> STOU\n S< STOU\n action StartTransfer upload protected"), "");
}

// ---- clients that listen

DIALOGUE(ActiveClient, IsDialledAfterThe150, R"(
    do active_retr
    S> 150 ok
    C< 150 ok
    action StartTransfer download protected
    event data_over
    S> 226 done
    action FinishDownload
    event delivered
    C< 226 done
    action TransferEnded download RETR a complete
    C> RETR b
    C< 425 *)")

DIALOGUE(ActiveClient, IsNotDialledWithoutA150, R"(
    do active_retr
    S> 226 done
    action AbortData
    C< 451 *
    action TransferEnded download RETR a cut)")

DIALOGUE(ActiveClient, IsNotDialledAfterARefusal, R"(
    do active_retr
    S> 550 no
    action EndData
    C< 550 no
    action TransferEnded download RETR a cut)")

DIALOGUE(ActiveClient, IsNotDialledAfterAnAbort, R"(
    do active_retr
    C> ABOR
    action AbortClientData
    C< 426 *
    C< 226 *
    S> 150 ok
    action AbortData
    S> 226 done
    action TransferEnded download RETR a cut)")

DIALOGUE(ActiveClient, IsNotDialledAfterAnAbortWithoutA150, R"(
    do active_retr
    C> ABOR
    action AbortClientData
    C< 426 *
    C< 226 *
    S> 226 done
    action TransferEnded download RETR a cut)")

DIALOGUE(ActiveClient, IsNotDialledWhenTheServersDataBrokeBefore, R"(
    do login
    do eprt
    C> STOR a
    S< STOR a
    event failed server_broken
    S> 150 ok
    action AbortData
    C< 150 ok
    S> 226 done
    C< 426 *
    action TransferEnded upload STOR a cut)")

DIALOGUE(ActiveClient, CannotBeReached, R"(
    do login
    do eprt
    C> STOR a
    S< STOR a
    S> 150 ok
    C< 150 ok
    action StartTransfer upload protected
    event failed client_unreachable
    action AbortData
    C< 425 *
    S> 226 stored
    action TransferEnded upload STOR a cut)")

// ---- without preparation

DIALOGUE(Transfer, NeedsAPort, R"(
    do login
    C> RETR a
    C< 425 *
    C> LIST
    C< 425 *
    C> STOR a
    C< 425 *)")

DIALOGUE(Transfer, APortServesOnce,
    kDownload + R"(
    S> 550 no
    action EndData
    C< 550 no)"
        + "\n" + kDownloadCut + R"(
    C> RETR b
    C< 425 *)")

// ---- the type, for the transfer log

TEST(Type, IsWhatTheServerAccepted)
{
    const std::string transfer = R"(
        do epsv
        C> RETR a
        S< RETR a
        action StartTransfer download protected
        S> 550 no
        action EndData
        C< 550 no
    )";
    const std::string ascii = transfer + "action TransferEnded download RETR a cut\n";
    const std::string binary = transfer + "action TransferEnded download RETR a binary cut\n";
    const auto type = [](const std::string& argument, const std::string& reply) {
        return "C> TYPE " + argument + "\n S< TYPE " + argument + "\n S> " + reply + "\n C< " + reply + "\n";
    };
    EXPECT_EQ(run_dialogue("do login\n" + ascii + type("I", "200 ok") + binary + type("A", "504 no") + binary
                  + type("a N", "200 ok") + ascii + type("L 8", "200 ok") + binary),
        "");
}

} // namespace
} // namespace safetp::ftp
