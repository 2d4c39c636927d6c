// safetpd.toml: whatever the text, an answer; and a configuration without errors keeps its promises.
#include "config/client_config.h"
#include "config/load.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void require(bool holds)
{
    if (!holds)
        std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using safetp::config::ClientCertificate;
    using safetp::config::Config;
    using safetp::config::DataPeer;
    using safetp::config::Listener;
    using safetp::config::Loaded;
    using safetp::config::Problem;
    using safetp::config::SessionReuse;
    const auto client = safetp::config::parse_client({reinterpret_cast<const char*>(data), size}, "fuzz.toml");
    for (const Problem& problem : client.problems)
        require(!problem.text.empty());
    if (client.is_usable()) {
        for (const auto& server : client.config.servers)
            require(!server.host.empty() && server.port != 0);
    }
    const Loaded loaded = safetp::config::parse({reinterpret_cast<const char*>(data), size}, "fuzz.toml");
    for (const Problem& problem : loaded.problems) {
        require(!problem.text.empty());
        for (const char character : problem.text)
            require(static_cast<unsigned char>(character) >= 0x20 && character != 0x7f); // nothing steers the terminal
    }
    if (!loaded.is_usable())
        return 0;
    const Config& config = loaded.config;
    require(!config.listeners.empty());
    require(config.data.first_port >= 1024 && config.data.first_port <= config.data.last_port);
    require(config.server.command.empty() || config.server.command.front().starts_with('/'));
    require(config.limits.sessions > 0 && config.timeouts.handshake.count() > 0);
    for (const Listener& listener : config.listeners) {
        require(listener.port != 0);
        require(config.data.peer != DataPeer::any || listener.session_reuse == SessionReuse::require);
        require(listener.client_certificate == ClientCertificate::off || !config.tls.client_ca.empty());
    }
    return 0;
}
