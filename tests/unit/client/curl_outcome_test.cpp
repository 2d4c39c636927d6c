#include "client/curl_outcome.h"

#include <gtest/gtest.h>

namespace safetp::client {
namespace {

std::string sentence(CURLcode code, const std::string& reply)
{
    TransferRequest request{};
    request.url.server = {"ftp.example", 21};
    TransferResult result;
    explain_outcome(request, {.code = code, .last_reply = reply, .is_connected = true, .is_secure = true}, result);
    return result.sentence;
}

TEST(CurlOutcome, ASentenceHasOneFullStop)
{
    EXPECT_TRUE(sentence(CURLE_LOGIN_DENIED, "530 Login incorrect.").ends_with("the server said: 530 Login incorrect."));
    EXPECT_FALSE(sentence(CURLE_LOGIN_DENIED, "530 Login incorrect.").ends_with(".."));
    EXPECT_TRUE(sentence(CURLE_LOGIN_DENIED, "530 No").ends_with("the server said: 530 No."));
}

TEST(CurlOutcome, WhatTheServerDidNotSayIsNotQuoted)
{
    EXPECT_EQ(sentence(CURLE_LOGIN_DENIED, "").find("the server said"), std::string::npos);
}

} // namespace
} // namespace safetp::client
