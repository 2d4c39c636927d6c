#include "ftp/line_probe.h"

#include <gtest/gtest.h>

namespace safetp::ftp {
namespace {

using Verdict = LineProbe::Verdict;

/// A server's answers to HELP, NOOP and QUIT, each some lines.
std::optional<Verdict> judge(const std::vector<std::vector<std::string>>& answers)
{
    LineProbe probe(600);
    probe.on_line("220 ready");
    for (const auto& lines : answers) {
        EXPECT_NE(probe.take_output(), "");
        for (const std::string& line : lines)
            probe.on_line(line);
    }
    return probe.verdict();
}

TEST(LineProbe, SaysLinesOfTheWantedLengthThatAreNoCommandsFromTheMiddleOn)
{
    LineProbe probe(600);
    probe.on_line("120 soon");
    EXPECT_EQ(probe.take_output(), "");
    probe.on_line("220-ready");
    probe.on_line("220 indeed");
    const std::string help = probe.take_output();
    EXPECT_EQ(help, "HELP " + std::string(593, 'z') + "\r\n");
    EXPECT_EQ(help.size(), 600u);
    probe.on_line("214-");
    EXPECT_EQ(probe.take_output(), "");
    probe.on_line("214 none");
    EXPECT_EQ(probe.take_output(), "NOOP " + std::string(593, 'z') + "\r\n");
    probe.on_line("501 what?");
    EXPECT_EQ(probe.take_output(), "QUIT\r\n");
    EXPECT_FALSE(probe.verdict());
    probe.on_line("221-bye");
    probe.on_line("221 bye");
    EXPECT_EQ(probe.verdict(), Verdict::one_line);
}

TEST(LineProbe, OneReplyForEachLine)
{
    EXPECT_EQ(judge({{"502 HELP?"}, {"200 zzz"}, {"221 bye"}}), Verdict::one_line);
    EXPECT_EQ(judge({{"530 log in"}, {"530 log in"}, {"221 bye"}}), Verdict::one_line);
}

TEST(LineProbe, ACutLineHasMoreRepliesThanOne)
{
    // inetutils-ftpd: HELP and its rest, then NOOP, which it reads to its end.
    EXPECT_EQ(judge({{"500 'HELP zz", "500 'ZZZ'"}}), Verdict::cut);
    EXPECT_EQ(judge({{"500 'HELP zz"}, {"500 'ZZZ'"}, {"500 'NOOP zz"}}), Verdict::cut) << "each came by itself";
    EXPECT_EQ(judge({{"500 a"}, {"200 NOOP", "500 its rest"}}), Verdict::cut);
    EXPECT_EQ(judge({{"500 a"}, {"200 NOOP"}, {"500 its rest"}}), Verdict::cut);
}

TEST(LineProbe, AnEndOrSilenceIsACut)
{
    for (const std::vector<std::string>& lines : {std::vector<std::string>{}, {"500 Input line too long."}}) {
        LineProbe probe(600);
        probe.on_line("220 ready");
        for (const std::string& line : lines)
            probe.on_line(line);
        probe.on_end();
        EXPECT_EQ(probe.verdict(), Verdict::cut);
    }
    EXPECT_EQ(judge({{"no reply"}}), Verdict::cut);
}

TEST(LineProbe, NoServerSaysNothingOfLines)
{
    LineProbe refused(600), gone(600), other(600);
    refused.on_line("421 too many");
    EXPECT_EQ(refused.verdict(), Verdict::no_server);
    gone.on_end();
    EXPECT_EQ(gone.verdict(), Verdict::no_server);
    other.on_line("SSH-2.0-x");
    EXPECT_EQ(other.verdict(), Verdict::no_server);
}

TEST(LineProbe, TriesTheLongestFirst)
{
    EXPECT_EQ(line_lengths_to_try(4096), (std::vector<std::size_t>{4096, 4092, 2044, 1020, 508, 252, 124}));
    EXPECT_EQ(line_lengths_to_try(512), (std::vector<std::size_t>{512, 508, 252, 124}));
    EXPECT_EQ(line_lengths_to_try(65536).front(), 65536u);
}

std::uint64_t fingerprint(std::vector<std::string> lines)
{
    Greeting greeting;
    for (const std::string& line : lines)
        greeting.on_line(line);
    EXPECT_TRUE(greeting.is_welcome());
    return greeting.fingerprint();
}

TEST(Greeting, IsKnownAgainThoughItsTimesAndNumbersDiffer)
{
    EXPECT_EQ(
        fingerprint({"220-You are user number 1 of 50 allowed.", "220-Local time is now 00:32. Server port: 45031.", "220 a"}),
        fingerprint({"220-You are user number 12 of 50 allowed.", "220-Local time is now 13:01. Server port: 21.", "220 a"}));
    EXPECT_EQ(fingerprint({"220 ProFTPD Server (test) [127.0.0.1]"}),
        fingerprint({"220 ProFTPD Server (test) [::ffff:192.0.2.1]"}));
    EXPECT_EQ(fingerprint({"220 h FTP server (Version 6.4) Mon Dec 3 15:26:19 ready."}),
        fingerprint({"220 h FTP server (Version 6.4) Tuesday March 21 02:11PM ready."}));
    EXPECT_EQ(fingerprint({"120 in 5 minutes", "220 a"}), fingerprint({"220 a"}));
}

TEST(Greeting, AnotherProgramOrVersionIsAnotherOne)
{
    EXPECT_NE(fingerprint({"220 (vsFTPd 3.0.3)"}), fingerprint({"220 (vsFTPd 3.0.5)"}));
    EXPECT_NE(fingerprint({"220 h FTP server (GNU inetutils 2.4) ready."}), fingerprint({"220 (vsFTPd 3.0.3)"}));
    EXPECT_NE(fingerprint({"220-a", "220 b"}), fingerprint({"220 b"}));
}

} // namespace
} // namespace safetp::ftp
