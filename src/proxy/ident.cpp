#include "proxy/ident.h"

#include "net/sockets.h"
#include "wrapper/ident_reply.h"

#include <array>
#include <span>

namespace safetp::proxy {

using Kind = tls::IoStep::Kind;

namespace {

constexpr std::uint16_t kIdentPort = 113;

/// One question. Whoever closes the channel ends it.
class Conversation {
public:
    Conversation(net::Executor executor, Endpoint client, Endpoint local)
        : executor_(executor)
        , client_(client)
        , local_(local)
        , finished_(executor)
    {
    }

    net::Task<> talk()
    {
        const wrapper::IdentPorts ports{client_.port, local_.port};
        const auto connected = co_await net::connect(channel_, executor_, {client_.address, kIdentPort}, local_.address);
        if (connected && co_await send(wrapper::ident_query(ports))) {
            co_await receive();
            user_ = wrapper::parse_ident_reply(received_, ports);
        }
        finished_.notify();
    }

    void close()
    {
        if (channel_)
            channel_->close();
    }

    net::Event& finished() { return finished_; }
    const std::optional<std::string>& user() const { return user_; }

private:
    net::Task<bool> send(std::string query)
    {
        std::span<const std::byte> rest = std::as_bytes(std::span(query));
        while (!rest.empty() && channel_->is_open()) {
            const auto step = channel_->stream().try_write(rest);
            if (step.kind == Kind::done)
                rest = rest.subspan(step.bytes);
            else if (step.kind == Kind::want_write)
                co_await channel_->wait(step.kind);
            else
                co_return false;
        }
        co_return rest.empty();
    }

    net::Task<> receive()
    {
        std::array<char, wrapper::kMaxIdentBytes> buffer;
        while (channel_->is_open() && !wrapper::is_ident_reply_complete(received_)) {
            const auto step = channel_->stream().try_read(std::as_writable_bytes(std::span(buffer)));
            if (step.kind == Kind::done)
                received_.append(buffer.data(), step.bytes);
            else if (step.kind == Kind::want_read)
                co_await channel_->wait(step.kind);
            else
                co_return;
        }
    }

    net::Executor executor_;
    Endpoint client_;
    Endpoint local_;
    std::optional<net::Channel> channel_;
    net::Event finished_;
    std::string received_;
    std::optional<std::string> user_;
};

} // namespace

net::Task<std::string> ask_ident(
    net::Executor executor, Endpoint client, Endpoint local, std::chrono::seconds time, AccessWait& wait)
{
    if (client.address.family() != local.address.family())
        co_return access::kUnknown;
    Conversation conversation(executor, client, local);
    net::TaskGroup tasks(executor);
    tasks.spawn("ident", conversation.talk());
    const bool is_answered = co_await wait.wait(conversation.finished(), net::Clock::now() + time);
    conversation.close();
    co_await tasks.all_done();
    co_return is_answered ? conversation.user().value_or(access::kUnknown) : access::kUnknown;
}

} // namespace safetp::proxy
