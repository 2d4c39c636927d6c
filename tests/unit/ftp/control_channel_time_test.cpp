// Drain and idle times.
#include "ftp/transfer_dialogues.h"

using safetp::ftp::kRunning;

DIALOGUE(Time, IdleClient, R"(
    do login
    waiting client
    event timeout client
    C< 421 *
    action End idle timeout)")

DIALOGUE(Time, ClientGoesAway, R"(
    do login
    event client_end
    action End client closed)")

DIALOGUE(Drain, AtOnceWhenIdle, R"(
    do login
    event drain
    C< 421 *
    action End shutting down)")

DIALOGUE(Drain, AfterTheTransfer, kRunning + R"(
    event drain
    event data_over
    S> 226 done
    action FinishDownload
    event delivered
    C< 226 done
    action TransferEnded download RETR a complete
    C< 421 *
    action End shutting down)")

DIALOGUE(Drain, CutsTheTransferOffAtItsEnd, kRunning + R"(
    event drain
    event drain_over
    action AbortData
    action TransferEnded download RETR a cut
    C< 421 *
    action End shutting down)")

DIALOGUE(Drain, AfterTheReplyOwed, R"(
    do login
    C> NOOP
    S< NOOP
    event drain
    S> 200 ok
    C< 200 ok
    C< 421 *
    action End shutting down)")

DIALOGUE(Drain, AfterTheGreeting, R"(
    event drain
    S> 220 Ready
    C< 220 Ready
    C< 421 *
    action End shutting down)")
