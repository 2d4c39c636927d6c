#include "ftp/server_security.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace safetp::ftp {
namespace {

using State = ServerSecurity::State;
using Obstacle = ServerSecurity::Obstacle;

using Lines = std::vector<std::string_view>;

/// Feeds the lines; "<TLS>" stands for a handshake. What is asked in between goes out, and is returned.
std::string feed(ServerSecurity& machine, const Lines& lines)
{
    std::string asked;
    for (const std::string_view line : lines) {
        asked += machine.take_output();
        if (line == "<TLS>")
            machine.on_tls_started();
        else
            machine.on_line(line);
    }
    return asked + machine.take_output();
}

TEST(ServerSecurity, ExplicitTls)
{
    ServerSecurity machine(false, false);
    EXPECT_EQ(machine.state(), State::waiting);
    EXPECT_EQ(machine.take_output(), "");
    machine.on_line("220 Ready");
    EXPECT_EQ(machine.take_output(), "AUTH TLS\r\n");
    machine.on_line("234 Go on");
    EXPECT_EQ(machine.state(), State::starting_tls);
    EXPECT_EQ(machine.take_output(), "");
    machine.on_tls_started();
    EXPECT_EQ(machine.take_output(), "PBSZ 0\r\n");
    machine.on_line("200 PBSZ=0");
    EXPECT_EQ(machine.take_output(), "PROT P\r\n");
    EXPECT_EQ(machine.state(), State::waiting);
    machine.on_line("200 Private");
    EXPECT_EQ(machine.state(), State::secure);
    EXPECT_EQ(machine.greeting(), "220 Ready\r\n");
}

TEST(ServerSecurity, ImplicitTls)
{
    ServerSecurity machine(true, false);
    EXPECT_EQ(machine.state(), State::starting_tls);
    machine.on_line("220 In clear"); // who speaks before the handshake is not heard
    machine.on_tls_started();
    EXPECT_EQ(machine.take_output(), "");
    EXPECT_EQ(feed(machine, {"220-Ready", "220 indeed"}), "PBSZ 0\r\n");
    feed(machine, {"200 ok", "200 ok"});
    EXPECT_EQ(machine.state(), State::secure);
    EXPECT_EQ(machine.greeting(), "220-Ready\r\n220 indeed\r\n");
}

TEST(ServerSecurity, WaitsThroughPreliminaryGreetings)
{
    ServerSecurity machine(false, false);
    EXPECT_EQ(feed(machine, {"120-Soon", "120 really", "120 Soon", "220 Now"}), "AUTH TLS\r\n");
    EXPECT_EQ(machine.greeting(), "220 Now\r\n");
}

TEST(ServerSecurity, LinesInsideAReplyAreNotReplies)
{
    ServerSecurity machine(false, false);
    EXPECT_EQ(feed(machine, {"220-Welcome", "234 do not be fooled", "220-really", "220 Ready"}), "AUTH TLS\r\n");
    EXPECT_EQ(machine.state(), State::waiting);
}

TEST(ServerSecurity, OldNameOfAuth)
{
    ServerSecurity machine(false, false);
    EXPECT_EQ(feed(machine, {"220 Ready", "504 What?"}), "AUTH TLS\r\nAUTH SSL\r\n");
    machine.on_line("334 Go on");
    EXPECT_EQ(machine.state(), State::starting_tls);
}

TEST(ServerSecurity, PbszThatIsUnknownDoesNotMatter)
{
    ServerSecurity machine(false, false);
    feed(machine, {"220 Ready", "234 ok", "<TLS>", "500 PBSZ?", "200 Private"});
    EXPECT_EQ(machine.state(), State::secure);
}

struct Failure {
    Lines lines;
    Obstacle obstacle;
    std::string_view words;
};

TEST(ServerSecurity, EndsWhereTheWayIsSpoilt)
{
    const Failure failures[] = {
        {{"SSH-2.0-OpenSSH"}, Obstacle::no_ftp, ""},
        {{"220 Ready", "what?"}, Obstacle::no_ftp, ""},
        {{"421 Busy"}, Obstacle::refused, "421 Busy"},
        {{"530 Not you"}, Obstacle::refused, "530 Not you"},
        {{"230 You are in"}, Obstacle::refused, "230 You are in"}, // whoever lets us in unasked wants a password in clear
        {{"331 Password?"}, Obstacle::refused, "331 Password?"},
        {{"220 Ready", "421 Bye"}, Obstacle::refused, "421 Bye"},
        {{"220 Ready", "500 AUTH?", "500 AUTH?!"}, Obstacle::auth_refused, "500 AUTH?!"},
        {{"220 Ready", "431 Out of order"}, Obstacle::auth_refused, "431 Out of order"},
        {{"220 Ready", "200 ok"}, Obstacle::auth_refused, "200 ok"},
        {{"220 Ready", "331 Password?"}, Obstacle::auth_refused, "331 Password?"},
        {{"220 Ready", "230 You are in"}, Obstacle::auth_refused, "230 You are in"},
        {{"220 Ready", "234 ok", "<TLS>", "200 ok", "534 Clear only"}, Obstacle::prot_refused, "534 Clear only"},
        {{"220 Ready", "234 ok", "<TLS>", "200 ok", "331 ok"}, Obstacle::out_of_step, "331 ok"},
        {{"220 Ready", "234 ok", "<TLS>", "200 ok", "226 ok"}, Obstacle::out_of_step, "226 ok"},
        {{"220 Ready", "234 ok", "<TLS>", "200 ok", "150 ok"}, Obstacle::out_of_step, "150 ok"},
        {{"220 Ready", "234 ok", "<TLS>", "234 ok"}, Obstacle::out_of_step, "234 ok"},
        {{"220 Ready", "234 ok", "<TLS>", "331 ok"}, Obstacle::out_of_step, "331 ok"},
        {{"220 Ready", "120 ok"}, Obstacle::out_of_step, "120 ok"},
        {{"220 Ready", "234 ok", "<TLS>", "421 Bye"}, Obstacle::refused, "421 Bye"},
    };
    for (const Failure& failure : failures) {
        ServerSecurity machine(false, false);
        feed(machine, failure.lines);
        EXPECT_EQ(machine.state(), State::failed) << failure.lines.back();
        EXPECT_EQ(machine.obstacle(), failure.obstacle) << failure.lines.back();
        const bool has_words = failure.obstacle != Obstacle::no_ftp;
        EXPECT_EQ(has_words ? machine.words() : "", failure.words);
        EXPECT_EQ(machine.take_output(), "") << "nothing is said to a server that failed";
    }
}

TEST(ServerSecurity, SaysWhenTheConnectionEnded)
{
    const std::vector<std::pair<Lines, Obstacle>> cases{{{}, Obstacle::closed}, {{"220-Rea"}, Obstacle::closed},
        {{"220 Ready"}, Obstacle::closed_at_auth}, {{"220 Ready", "500 ?"}, Obstacle::closed_at_auth},
        {{"220 Ready", "234 ok", "<TLS>"}, Obstacle::closed}};
    for (const auto& [lines, obstacle] : cases) {
        ServerSecurity machine(false, true);
        feed(machine, lines);
        machine.on_end();
        EXPECT_EQ(machine.state(), State::failed);
        EXPECT_EQ(machine.obstacle(), obstacle);
    }
}

// PBSZ's reply, said twice, was taken for the yes to PROT.
TEST(ServerSecurity, NothingThatCameBeforeAQuestionAnswersIt)
{
    const Lines begin{"220 Ready", "234 ok", "<TLS>"};
    ServerSecurity machine(false, false);
    feed(machine, begin);
    machine.on_line("200 ok");
    machine.on_line("200 ok");
    EXPECT_EQ(machine.obstacle(), Obstacle::out_of_step);
    ServerSecurity greeted_twice(false, false);
    greeted_twice.on_line("220 Ready");
    greeted_twice.on_line("234 go on");
    EXPECT_EQ(greeted_twice.obstacle(), Obstacle::out_of_step);
    ServerSecurity busy(false, false);
    busy.on_line("220 Ready");
    busy.on_line("421 No, I am not");
    EXPECT_EQ(busy.obstacle(), Obstacle::refused);
}

TEST(ServerSecurity, PlainTextBehindAuth)
{
    ServerSecurity machine(false, true);
    feed(machine, {"220 Ready", "234 ok"});
    machine.on_plaintext_after_auth();
    EXPECT_EQ(machine.obstacle(), Obstacle::plaintext_after_auth);
    machine.on_tls_started();
    machine.on_line("200 ok");
    EXPECT_EQ(machine.state(), State::failed);
    EXPECT_EQ(machine.take_output(), "");
}

TEST(ServerSecurity, EndlessReplies)
{
    ServerSecurity machine(false, false);
    for (int i = 0; i < 100'000 && machine.state() == State::waiting; ++i)
        machine.on_line("220-more");
    EXPECT_EQ(machine.obstacle(), Obstacle::no_ftp);
    EXPECT_LT(machine.greeting().size(), 100'000u);
    ServerSecurity other(false, false);
    other.on_line_too_long();
    EXPECT_EQ(other.obstacle(), Obstacle::no_ftp);
}

// ---- where a server without TLS may be spoken to

TEST(ServerSecurity, ClearAfterRefusal)
{
    for (const std::string_view refusal : Lines{"500 ?", "502 no", "530 login first", "534 policy"}) {
        ServerSecurity machine(false, true);
        feed(machine, {"220 Ready", refusal, refusal});
        EXPECT_EQ(machine.state(), State::clear) << refusal;
    }
}

TEST(ServerSecurity, NotClearAfterAnythingElse)
{
    const std::vector<Lines> cases{{"220 Ready", "431 Out of order"}, {"220 Ready", "421 Bye"}, {"220 Ready", "200 Never mind"},
        {"220 Ready", "234 ok", "<TLS>", "200 ok", "534 Clear only"}, {"220 Ready", "nonsense"}};
    for (const Lines& lines : cases) {
        ServerSecurity machine(false, true);
        feed(machine, lines);
        EXPECT_EQ(machine.state(), State::failed) << lines.back();
    }
}

TEST(ServerSecurity, ImplicitIsNeverClear)
{
    ServerSecurity machine(true, true);
    feed(machine, {"<TLS>", "220 Ready", "200 ok", "500 ?"});
    EXPECT_EQ(machine.state(), State::failed);
}

} // namespace
} // namespace safetp::ftp
