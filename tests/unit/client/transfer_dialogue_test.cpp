#include "client/transfer_dialogue.h"

#include <gtest/gtest.h>

namespace safetp::client {
namespace {

TEST(SizeReply, IsANumberAndNothingElse)
{
    EXPECT_EQ(parse_size_reply("213 0"), 0);
    EXPECT_EQ(parse_size_reply("213 1234567890123 "), 1'234'567'890'123);
    for (const char* line : {"213 -1", "213 +1", "213 ", "213", "213-5", "213 12x", "213 0x10", "213 1 2", "213 file 12",
             "213 9223372036854775808", "213 1.5", "250 12", "550 12"})
        EXPECT_FALSE(parse_size_reply(line)) << line;
}

TEST(TransferDialogue, KnowsWhichCommandAReplyIsFor)
{
    TransferDialogue dialogue;
    dialogue.heard("220 hello");
    dialogue.sent("MDTM file");
    dialogue.heard("213 20240101000000");
    EXPECT_FALSE(dialogue.size()) << "that was a time";
    dialogue.sent("SIZE file");
    dialogue.heard("213 10");
    EXPECT_TRUE(dialogue.has_answer_to("SIZE"));
    EXPECT_EQ(dialogue.size(), 10);
    dialogue.sent("REST 4");
    EXPECT_TRUE(dialogue.has_answer_to("SIZE"));
    dialogue.heard("350-Restarting");
    EXPECT_FALSE(dialogue.has_answer_to("REST"));
    dialogue.heard("350 at 4");
    EXPECT_TRUE(dialogue.has_answer_to("REST"));
    EXPECT_EQ(dialogue.last_reply(), "350 at 4");
}

TEST(TransferDialogue, TellsTheSizeBeforeFromTheSizeAfterwards)
{
    TransferDialogue dialogue;
    dialogue.sent("SIZE file");
    dialogue.heard("213 10");
    dialogue.sent("APPE file");
    EXPECT_FALSE(dialogue.has_transfer());
    dialogue.heard("150 Opening BINARY mode data connection for file (7 bytes).");
    EXPECT_TRUE(dialogue.has_transfer());
    EXPECT_EQ(dialogue.size_in_150(), 7);
    dialogue.heard("226 done");
    EXPECT_FALSE(dialogue.size_afterwards());
    dialogue.sent("SIZE file");
    dialogue.heard("213 17");
    EXPECT_EQ(dialogue.size(), 10);
    EXPECT_EQ(dialogue.size_afterwards(), 17);
}

TEST(TransferDialogue, TakesNoOtherNumberForASize)
{
    for (const char* line : {"150 ok", "150 (x bytes)", "150 ( bytes)", "150 a (1) b", "150 (-1 bytes)", "150 12 bytes)"}) {
        TransferDialogue dialogue;
        dialogue.heard(line);
        EXPECT_TRUE(dialogue.has_transfer());
        EXPECT_FALSE(dialogue.size_in_150()) << line;
    }
}

} // namespace
} // namespace safetp::client
