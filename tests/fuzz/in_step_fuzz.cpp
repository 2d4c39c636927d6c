// No reply counts for another command: the dialogue before a model of a raw ftpd that cuts lines at a limit, as inetutils-ftpd does,
// and answers some of them twice, as pyftpdlib does. Each of its replies bears the number of the line that it answers.
#include "ftp/control_channel.h"
#include "fuzz/fuzz.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <variant>

namespace {

using namespace safetp;
using namespace safetp::ftp;
using fuzz::require;

constexpr std::size_t kLineLimit = 64;
constexpr std::uint16_t kDataPort = 50'002;
const Endpoint kClient{ IpAddress::from_ipv4({ 192, 0, 2, 9 }), 40'000 };

constexpr auto kClientLines = std::to_array<std::string_view>({ "NOOP", "PWD", "CWD a", "MKD (|||35079|)", "EPSV", "PASV", "TYPE I",
    "HELP", "SITE x", "RETR a", "STOR b", "LIST", "ABOR", "FEAT", "USER bob", "PASS x", "REST 5", "QUIT",
    "PORT 192,0,2,9,200,1" });
constexpr auto kHidden = std::to_array<std::string_view>({ "USER mallory", "PASS x", "RETR x", "EPSV", "MKD (|||35079|)" });

class Ftpd {
public:
    void hear(std::string_view text, std::uint8_t how)
    {
        is_cut_ = is_cut_ || text.size() > kLineLimit;
        while (!text.empty()) {
            const std::size_t length = std::min(kLineLimit, text.find('\n') + 1);
            carry_out(text.substr(0, length), how % 4u == 0 ? 2 : 1);
            text.remove_prefix(length);
        }
    }
    void end_transfer()
    {
        if (std::exchange(is_transferring_, false))
            say("226 done", transfer_);
    }
    bool has_said() const { return !said_.empty(); }
    std::string next()
    {
        std::string line = said_.front();
        said_.pop_front();
        return line;
    }
    unsigned lines() const { return lines_; } ///< so many it has carried out
    bool is_cut() const { return is_cut_; }

private:
    void carry_out(std::string_view line, unsigned times)
    {
        ++lines_;
        const std::string_view verb = line.substr(0, 4);
        const std::map<std::string_view, std::string_view> replies{ { "USER", "331 password?" }, { "PASS", "230 in" },
            { "EPSV", "229 (|||50002|)" }, { "PASV", "227 (10,0,0,1,195,82)" }, { "MKD ", "257 \"(|||35079|)\"" },
            { "PWD\r", "257 \"/\"" }, { "FEAT", "211 none" }, { "HELP", "214 help" }, { "REST", "350 at 5" }, { "CWD ", "250 ok" },
            { "QUIT", "221 bye" }, { "RETR", "150 data" }, { "STOR", "150 data" }, { "LIST", "150 data" } };
        const auto found = replies.find(verb);
        const std::string_view reply = found == replies.end() ? "200 ok" : found->second;
        if (reply.starts_with("150")) {
            is_transferring_ = true;
            transfer_ = lines_;
            return say(reply, lines_);
        }
        for (unsigned i = 0; i < times; ++i)
            say(reply, lines_);
    }
    void say(std::string_view reply, unsigned number) { said_.push_back(std::string(reply) + " #" + std::to_string(number)); }

    std::deque<std::string> said_;
    unsigned lines_ = 0;
    bool is_transferring_ = false;
    unsigned transfer_ = 0;
    bool is_cut_ = false;
};

class Session {
public:
    explicit Session(std::string_view input)
        : input_(input)
    {
        policy_.security = Security::optional;
        policy_.server_line_bytes = kLineLimit;
    }

    void run()
    {
        machine_.on_server_line("220 ready");
        carry_on();
        while (!input_.empty() && !machine_.has_ended()) {
            client_says();
            carry_on();
            if (byte() % 2u == 0)
                move_data();
        }
    }

private:
    std::uint8_t byte()
    {
        if (input_.empty())
            return 1;
        const auto value = static_cast<std::uint8_t>(input_.front());
        input_.remove_prefix(1);
        return value;
    }

    void client_says()
    {
        if (!machine_.wants_client_lines())
            return;
        std::string line(kClientLines[byte() % kClientLines.size()]);
        if (const auto padding = byte(); padding % 4u == 0) {
            line.resize(std::max<std::size_t>(line.size(), kLineLimit - 10 + padding % 20u), 'A');
            line += kHidden[padding % kHidden.size()];
        }
        commands_.push_back(said_by_client_++);
        machine_.on_client_line(line);
        look();
    }

    // As the shell does it: what the raw ftpd has said is heard before anything more goes to it.
    void carry_on()
    {
        for (;;) {
            if (ftpd_.has_said())
                machine_.on_server_line(ftpd_.next());
            else if (machine_.can_proceed())
                machine_.proceed();
            else
                return;
            look();
        }
    }

    void move_data()
    {
        if (!machine_.is_transferring())
            return;
        ftpd_.end_transfer();
        machine_.on_transfer_data_over();
        look();
        carry_on();
    }

    void look()
    {
        const Output output = machine_.take_output();
        check_client_text(output.to_client);
        if (!output.to_server.empty()) {
            const unsigned before = ftpd_.lines();
            ftpd_.hear(output.to_server, byte());
            require(!ftpd_.is_cut() && ftpd_.lines() == before + 1, "the raw ftpd carries out what was sent to it, and no more");
            if (!commands_.empty())
                asked_for_[ftpd_.lines()] = commands_.front();
        }
        for (const Action& action : output.actions)
            carry_out(action);
    }

    void carry_out(const Action& action)
    {
        if (const auto* dial = std::get_if<DialServer>(&action))
            require(dial->port == kDataPort, "only a port is dialled that the raw ftpd has opened");
        if (std::holds_alternative<OpenPassive>(action))
            machine_.on_passive_opened(kClient);
        else if (std::holds_alternative<AbortData>(action))
            ftpd_.end_transfer();
        else if (std::holds_alternative<FinishDownload>(action))
            machine_.on_transfer_delivered();
        else
            return;
        look();
    }

    void check_client_text(std::string_view text)
    {
        while (!text.empty()) {
            const std::string_view line = text.substr(0, text.find("\r\n"));
            text.remove_prefix(line.size() + 2);
            if (const auto mark = line.rfind('#'); mark != std::string_view::npos) {
                unsigned number = 0;
                std::from_chars(line.data() + mark + 1, line.data() + line.size(), number);
                require(!commands_.empty() && asked_for_[number] == commands_.front(), "no reply counts for another command");
            }
            const auto reply = reader_.read(line);
            if (reply && reply->is_last && !is_preliminary(reply->code) && reply->code != 220 && !commands_.empty())
                commands_.pop_front();
        }
    }

    std::string_view input_;
    Policy policy_;
    ControlChannel machine_{ policy_, kClient, IpAddress::from_ipv4({ 10, 0, 0, 1 }) };
    Ftpd ftpd_;
    ReplyReader reader_;
    unsigned said_by_client_ = 0;
    std::deque<unsigned> commands_;          ///< of the client's, by number, that have had no final reply
    std::map<unsigned, unsigned> asked_for_; ///< the ftpd's line -> the client's command
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    Session(fuzz::as_text(data, size)).run();
    return 0;
}
