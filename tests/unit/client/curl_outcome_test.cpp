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

/// Before anything is secure.
std::string sentence_without_tls(CURLcode code, const std::string& words, const std::string& reply, bool is_implicit = false)
{
    TransferRequest request{};
    request.url.server = {"ftp.example", 21};
    request.url.is_implicit = is_implicit;
    TransferResult result;
    explain_outcome(request, {.code = code, .words = words, .last_reply = reply, .is_connected = true}, result);
    EXPECT_EQ(result.end, TransferResult::End::not_secure) << words;
    return result.sentence;
}

TEST(CurlOutcome, SaysWhatToDoWithoutTls)
{
    const std::string words = curl_easy_strerror(CURLE_USE_SSL_FAILED);
    const std::string refused = sentence_without_tls(CURLE_USE_SSL_FAILED, words, "500 what?");
    EXPECT_EQ(refused.find(words), std::string::npos) << "it says nothing to anybody: " << refused;
    for (const char* part : {"ftp.example:21", "no TLS", "500 what?", "administrators", "ftps://"})
        EXPECT_NE(refused.find(part), std::string::npos) << refused;
    const std::string old = sentence_without_tls(CURLE_SSL_CONNECT_ERROR, "SSL_connect: unsupported protocol", "234 go on");
    EXPECT_NE(old.find("too old"), std::string::npos) << old;
    const std::string plain = sentence_without_tls(CURLE_SSL_CONNECT_ERROR, "wrong version number", "", true);
    EXPECT_NE(plain.find("ftp:// instead of ftps://"), std::string::npos) << plain;
    const std::string mixed = sentence_without_tls(CURLE_SSL_CONNECT_ERROR, "wrong version number", "234 go on", false);
    EXPECT_EQ(mixed.find("instead of"), std::string::npos) << mixed;
}

} // namespace
} // namespace safetp::client
