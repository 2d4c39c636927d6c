// Replies of the raw ftpd, good, odd and hostile, and the limits on both sides.
#include "ftp/dialogue.h"

#include <string>

DIALOGUE(Reply, SeveralLinesPassAsTheyCome, R"(
    do login
    C> STAT /
    S< STAT /
    S> 213-Status
    C< 213-Status
    S>  421 indented
    C<  421 indented
    S> 226 another code
    C< 226 another code
    S> 226-and another
    C< 226-and another
    S>
    C<
    S> 213 End
    C< 213 End
    waiting client)")

DIALOGUE(Reply, PreliminaryOnesDoNotCount, R"(
    do login
    C> SITE LONG
    S< SITE LONG
    S> 100 Working
    C< 100 Working
    S> 110 Still
    C< 110 Still
    C> NOOP
    S> 200 Done
    C< 200 Done
    S< NOOP)")

DIALOGUE(Reply, PreliminaryInSeveralLines, R"(
    do login
    C> SITE LONG
    S< SITE LONG
    S> 100-Working
    C< 100-Working
    S> 200 not yet
    C< 200 not yet
    S> 100 on it
    C< 100 on it
    waiting server
    S> 200 Done
    C< 200 Done
    waiting client)")

// A raw ftpd gone mad may not keep the session busy for ever.
TEST(Reply, EndlessPreliminariesEnd)
{
    std::string script = "do login\n C> NOOP\n S< NOOP\n";
    for (int i = 0; i < 100; ++i)
        script += "S> 100 Wait\n C< 100 Wait\n";
    EXPECT_EQ(safetp::ftp::run_dialogue(script + "S> 200 OK\n C< 200 OK\n"), "") << "so many are allowed";
    script += "S> 100 Wait\n C< 421 *\n action End raw ftpd spoke nonsense";
    EXPECT_EQ(safetp::ftp::run_dialogue(script), "");
}

DIALOGUE(Reply, ControlCharactersInsideBecomeSpaces, R"(
    do login
    C> PWD
    S< PWD
    S> 257 "a\rb\0c"
    C< 257 "a b c")")

DIALOGUE(Reply, TextPassesUntouched, R"(
    do login
    C> PWD
    S< PWD
    S> 257 "/a ""b"" \xff\xe4"  is cwd\s
    C< 257 "/a ""b"" \xff\xe4"  is cwd\s)")

DIALOGUE(Reply, BareCode, R"(
    do login
    C> NOOP
    S< NOOP
    S> 200
    C< 200\s)")

DIALOGUE(Reply, NonsenseEnds, R"(
    do login
    C> NOOP
    S< NOOP
    S> OK
    C< 421 *
    action End raw ftpd spoke nonsense)")

DIALOGUE(Reply, Code600Ends, R"(
    do login
    C> NOOP
    S< NOOP
    S> 631 protected
    C< 421 *
    action End raw ftpd spoke nonsense)")

DIALOGUE(Reply, TooLongLineEnds, R"(
    do login
    C> NOOP
    S< NOOP
    event server_too_long
    C< 421 *
    action End raw ftpd spoke nonsense)")

DIALOGUE(Reply, EndlessReplyEnds, R"(
    policy reply_bytes=39
    do login
    C> STAT /
    S< STAT /
    S> 213-0123456789
    C< 213-0123456789
    S> 0123456789
    C< 0123456789
    S> 0123456789
    C< 421 *
    action End raw ftpd spoke nonsense)")

DIALOGUE(Reply, TheLimitIsPerReply, R"(
    policy reply_bytes=40
    do login
    C> NOOP
    S< NOOP
    S> 200 012345678901234567890
    C< 200 012345678901234567890
    C> NOOP
    S< NOOP
    S> 200 012345678901234567890
    C< 200 012345678901234567890)")

DIALOGUE(Reply, A421ToACommandEnds, R"(
    do login
    C> NOOP
    S< NOOP
    C> PWD
    S> 421 Bye
    C< 421 Bye
    action End raw ftpd closed)")

DIALOGUE(Reply, A421InSeveralLinesToACommandEnds, R"(
    do login
    C> NOOP
    S< NOOP
    S> 421-Going
    C< 421-Going
    S> 421 Bye
    C< 421 Bye
    action End raw ftpd closed)")

DIALOGUE(Reply, Unsolicited421Ends, R"(
    do login
    S> 421 Idle for too long
    C< 421 Idle for too long
    action End raw ftpd closed
    C> NOOP)")

DIALOGUE(Reply, Unsolicited421InSeveralLinesIsNotTheReplyToTheNextCommand, R"(
    do login
    S> 421-Idle for too long
    C< 421 Idle for too long
    action End raw ftpd closed
    C> NOOP
    S> 421 Bye)")

TEST(Reply, UnsolicitedOthersEnd)
{
    for (const std::string reply : {"226 Transfer complete", "200 OK", "150 Here it comes", "500 what?", "226-Transfer over"})
        EXPECT_EQ(safetp::ftp::run_dialogue("do login\n S> " + reply + "\n C< 421 *\n action Note unexpected-reply\n"
                      + "action End raw ftpd out of step\n C> NOOP\n S> 200 OK"),
            "");
}

// What is there before the next command goes out belongs to the one before.
DIALOGUE(Reply, AllThatHasComeIsHeardBeforeTheNextCommand, R"(
    do login
    C> MKD (|||35079|)
    S< MKD (|||35079|)
    C> EPSV
    S+ 257 (|||35079|) created
    C< 257 *
    waiting server
    S> 257 (|||35079|) created
    C< 421 *
    action Note unexpected-reply
    action End raw ftpd out of step)")

// What a reply may answer: HELP no 331 and no 230, PASS no 200, nothing but a transfer a 150.
TEST(Reply, AnswersOfOtherCommandsEnd)
{
    const auto outcome = [](const std::string& command, const std::string& reply) {
        return safetp::ftp::run_dialogue("do tls\n C> " + command + "\n S< " + command + "\n S> " + reply
            + "\n C< 421 *\n action Note reply-out-of-step\n action End raw ftpd out of step");
    };
    for (const std::string reply : {"230 in", "331 password", "332 account", "227 x", "229 x", "226 done", "221 bye", "220 hi",
             "234 go", "150 data", "125 data"})
        for (const std::string command : {"HELP", "NOOP", "CWD x", "SITE x"})
            EXPECT_EQ(outcome(command, reply), "") << command << " " << reply;
    for (const std::string reply : {"200 ok", "220 hi", "250 ok", "257 ok", "350 more", "120 wait"}) {
        EXPECT_EQ(outcome("USER a", reply), "") << reply;
        EXPECT_EQ(outcome("PASS a", reply), "") << reply;
        EXPECT_EQ(outcome("ACCT a", reply), "") << reply;
    }
    for (const std::string reply : {"200 ok", "215 x", "230 in", "331 x"})
        EXPECT_EQ(outcome("FEAT", reply), "") << reply;
    for (const std::string reply : {"250 ok", "215 x", "230 in", "331 x"})
        EXPECT_EQ(outcome("TYPE I", reply), "") << reply;
}

// For the line that is answered, not for what stands inside.
DIALOGUE(Reply, TextInsideIsNoAnswerOfAnother, R"(
    do login
    C> HELP
    S< HELP
    S> 214-Commands:
    C< 214-Commands:
    S> 230 text
    C< 230 text
    S> 214
    C< 214\s
    waiting client)")

DIALOGUE(Reply, TwoFinalsToOneCommandEnd, R"(
    do login
    C> NOOP
    S< NOOP
    S> 200 OK
    C< 200 OK
    S> 200 OK
    C< 421 *
    action Note unexpected-reply
    action End raw ftpd out of step)")

DIALOGUE(Reply, ServerClosesWhileItOwesOne, R"(
    do login
    C> NOOP
    S< NOOP
    event server_end
    C< 421 *
    action End raw ftpd closed)")

DIALOGUE(Reply, ServerClosesBetweenCommands, R"(
    do login
    event server_end
    C< 421 *
    action End raw ftpd closed)")

DIALOGUE(Reply, NoneInTime, R"(
    do login
    C> NOOP
    S< NOOP
    waiting server
    event timeout server
    C< 421 *
    action End raw ftpd timed out)")

DIALOGUE(Reply, ConnectionBreaks, R"(
    do login
    event broken
    action End connection broken)")

// ---- the client's lines

DIALOGUE(ClientLine, NulAndCrAreRefusedAndNotForwarded, R"(
    do login
    C> RETR a\0b
    C< 501 *
    C> RETR a\rDELE b
    C< 501 *
    C> RETR a\r\0
    C< 501 *
    C> NOOP
    S< NOOP)")

DIALOGUE(ClientLine, OtherControlCharactersInNamesPass, R"(
    do login
    C> MKD \x1b[2J\x01\x7f
    S< MKD \x1b[2J\x01\x7f)")

DIALOGUE(ClientLine, OneReplyForEachBadLine, R"(
    do login
    C>
    C< 500 *
    C> \s
    C< 500 *
    C> /etc/passwd
    C< 500 *
    event client_too_long
    C< 500 *)")

DIALOGUE(ClientLine, BadLinesWaitTheirTurn, R"(
    do login
    C> NOOP
    S< NOOP
    C> a\0b
    event client_too_long
    C> PWD
    S> 200 OK
    C< 200 OK
    C< 501 *
    C< 500 *
    S< PWD)")

DIALOGUE(ClientLine, EightBitAndSpacesPass, R"(
    do login
    C> MKD  \xe4\xff\xff \t\s
    S< MKD  \xe4\xff\xff \t\s)")

DIALOGUE(ClientLine, TooManyBadOnesEndBeforeLogin, R"(
    policy bad_commands=3
    do greet
    C> a-b
    C< 500 *
    C> USER anna
    C< 530 *
    event client_too_long
    C< 500 *
    C< 421 *
    action End too many bad commands)")

DIALOGUE(ClientLine, GoodOnesDoNotResetTheCountBeforeLogin, R"(
    policy bad_commands=2
    do tls
    C> a-b
    C< 500 *
    C> NOOP
    S< NOOP
    S> 200 OK
    C< 200 OK
    C> a-b
    C< 500 *
    C< 421 *
    action End too many bad commands)")

DIALOGUE(ClientLine, GoodOnesResetTheCountAfterLogin, R"(
    policy bad_commands=2
    do login
    C> a-b
    C< 500 *
    C> NOOP
    S< NOOP
    S> 200 OK
    C< 200 OK
    C> a-b
    C< 500 *
    C> NOOP
    S< NOOP)")

// A raw ftpd cuts a longer line and carries out the rest of it as a command that nobody has judged. The line counts as it is
// sent: with the CRLF that a bare LF becomes, and as the gateway rewrites it.
DIALOGUE(ClientLine, LongerThanTheServerReadsIsRefused, R"(
    policy server_line=64
    do login
    C> DELE 0123456789012345678901234567890123456789012345678901234567
    C< 500 Command line too long: The FTP server behind this gateway reads 64 bytes.
    C> DELE 012345678901234567890123456789012345678901234567890123456
    S< DELE 012345678901234567890123456789012345678901234567890123456
    S> 250 ok
    C< 250 ok)")

DIALOGUE(ClientLine, LongTransferCommandStartsNothing, R"(
    policy server_line=64
    do login
    do epsv
    C> STOR 0123456789012345678901234567890123456789012345678901234567
    C< 500 Command line too long*
    waiting client
    C> STOR a
    S< STOR a
    action StartTransfer upload protected)")

DIALOGUE(ClientLine, LongOnesAreCountedBeforeLogin, R"(
    policy server_line=64 bad_commands=2
    do tls
    C> HELP 0123456789012345678901234567890123456789012345678901234567
    C< 500 *
    C> USER 0123456789012345678901234567890123456789012345678901234567
    C< 500 *
    C< 421 *
    action End too many bad commands)")

DIALOGUE(ClientLine, TlsHelloInClearIsRefused, R"(
    do greet
    C> \x16\x03\x01\x02\0\x01
    C< 501 *)")

DIALOGUE(ModeAndStructure, OnlyStreamAndFile, R"(
    do login
    C> MODE Z
    C< 504 *
    C> MODE B
    C< 504 *
    C> MODE C
    C< 504 *
    C> STRU R
    C< 504 *
    C> STRU P
    C< 504 *
    C> MODE
    C< 501 *
    C> STRU
    C< 501 *
    C> mode s
    S< MODE s
    S> 200 OK
    C< 200 OK
    C> STRU F
    S< STRU F)")

DIALOGUE(Passed, WhatTheGatewayDoesNotKnowPassesUnread, R"(
    do login
    C> TYPE L 8
    S< TYPE L 8
    S> 200 OK
    C< 200 OK
    C> REST 18446744073709551615
    S< REST 18446744073709551615
    S> 350 OK
    C< 350 OK
    C> ALLO 10 R 3
    S< ALLO 10 R 3
    S> 202 OK
    C< 202 OK
    C> site chmod 600 x
    S< SITE chmod 600 x
    S> 200 OK
    C< 200 OK
    C> XYZZY
    S< XYZZY
    S> 500 What?
    C< 500 What?)")
