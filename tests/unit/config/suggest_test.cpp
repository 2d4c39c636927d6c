#include "config/suggest.h"

#include "support.h"

#include <gtest/gtest.h>

namespace safetp::config {
namespace {

std::string suggest_in(std::string_view section, std::string_view key) { return suggest(key, section, known_keys()); }

TEST(Suggest, EditDistance)
{
    EXPECT_EQ(edit_distance("", ""), 0u);
    EXPECT_EQ(edit_distance("port", "port"), 0u);
    EXPECT_EQ(edit_distance("prot", "port"), 1u); // neighbours swapped
    EXPECT_EQ(edit_distance("lisener", "listener"), 1u);
    EXPECT_EQ(edit_distance("", "port"), 4u);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
    EXPECT_EQ(edit_distance(std::string(100000, 'a'), "a"), 63u); // cut, not computed
}

TEST(Suggest, NamesTheNearestKeyOfTheSameSection)
{
    EXPECT_EQ(suggest_in("listener", "adress"), ": did you mean \"address\"?");
    EXPECT_EQ(suggest_in("data", "pasive_ports"), ": did you mean \"passive_ports\"?");
    EXPECT_EQ(suggest_in("data.announce_for", "client"), ": did you mean \"clients\"?");
    EXPECT_EQ(suggest_in("", "timeout"), ": did you mean \"timeouts\"?");
}

TEST(Suggest, NamesTheSectionWhereTheKeyBelongs)
{
    EXPECT_EQ(suggest_in("data", "idle"), ": that belongs in [timeouts]");
    EXPECT_EQ(suggest_in("", "user"), ": that belongs in [server] or [process]");
    EXPECT_EQ(suggest_in("tls", "allow_ccc"), ": that belongs in [[listener]]");
}

TEST(Suggest, ListsTheKnownKeysWhereNothingIsNear)
{
    EXPECT_EQ(suggest_in("process", "quux"), "; known here are user, chroot, workers, pid_file");
}

TEST(Suggest, KnowsOtherProgramsNames)
{
    EXPECT_EQ(*explain_foreign_name("PassivePorts"), "that is \"passive_ports\" in [data], as \"50000-50999\"");
    EXPECT_EQ(explain_foreign_name("passiveports"), explain_foreign_name("PassivePorts"));
    for (const char* name : {"PassivePorts", "pasv_min_port", "MasqueradeAddress", "pasv_address", "TLSRequired",
             "require_ssl_reuse", "max_per_ip", "UseReverseDNS", "ForcePassiveIP", "TimeoutIdle", "MaxClientsPerHost",
             "NoSessionReuseRequired", "PASV_MIN_PORT", "PUBLICHOST", "FTP_PASV_IP"})
        EXPECT_TRUE(explain_foreign_name(name)) << name;
    for (const char* name : {"", "Passive", "PassivePortsX"})
        EXPECT_FALSE(explain_foreign_name(name)) << name;
}

TEST(Suggest, NoKeyOfOursIsTakenForAnotherPrograms)
{
    for (const std::string& key : known_keys()) {
        const std::string last = key.substr(key.rfind('.') + 1);
        EXPECT_FALSE(explain_foreign_name(last)) << key << " would never be suggested for its section";
    }
}

} // namespace
} // namespace safetp::config
