// A whole dialogue as one readable test. Each line of a script is one of:
//
//   policy security=optional mode=pasv ...     before all else; see dialogue_test.cpp for the names
//   client 192.0.2.9 40000 / server 10.0.0.1   the peers; these are the defaults
//   do NAME                                    a prelude: greet, auth, tls, user, login, epsv, ... (dialogue_test.cpp)
//   C> LINE     S> LINE                        the client or the raw ftpd sends a line
//   S+ LINE                                    the same, and more of the raw ftpd's has come already
//   event NAME ...                             anything else that happens: tls_started, passive_opened, data_over ...
//   C< LINE     S< LINE                        expected next to the client or the raw ftpd; a * at the end stands for any rest
//   action NAME ...                            expected next of the actions; the reason of one, "cut (REASON)", may be left out
//   waiting WHO     wants yes|no               what waiting() and wants_client_lines() say now
//   # remark
//
// Before the next thing happens everything that came out must have been expected; notes for the log need not be. In lines \r \n
// \t \0 \s (space) \xHH and \\ stand for single characters.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace safetp::ftp {

/// Nothing, or which line of the script did not hold and why.
std::string run_dialogue(std::string_view script);

} // namespace safetp::ftp

#define DIALOGUE(suite, name, script)                                                                                          \
    TEST(suite, name)                                                                                                          \
    {                                                                                                                          \
        EXPECT_EQ(::safetp::ftp::run_dialogue(script), "");                                                                    \
    }
